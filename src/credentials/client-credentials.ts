import { type Cross, type TokenSource, detached } from '#contract/crossing.ts'
import { type EntraApp, TokenRefused, noToken, requestEntraToken } from './entra-token.ts'
import { createTokenStore } from './token-store.ts'

export interface ClientCredentialsOptions {
  readonly app: EntraApp
  readonly tenant: string
  /** `https://cognitiveservices.azure.com/.default` and the like. */
  readonly scope: string
}

/** Tokens of the application itself, for one resource (OAuth client credentials). One is held and renewed in time. */
export function clientCredentials(
  { app, tenant, scope }: ClientCredentialsOptions,
  cross: Cross,
  nowEpochMs: () => number,
): TokenSource {
  const store = createTokenStore(2, nowEpochMs)
  const form = { grant_type: 'client_credentials', scope }
  return {
    token: (trip) =>
      store.get(scope, async () => {
        try {
          return await requestEntraToken(cross, detached(trip), app, { tenant, form, nowEpochMs })
        } catch (error) {
          throw error instanceof TokenRefused ? noToken(`refused \`${scope}\`: ${error.message}`, error) : error
        }
      }),
  }
}
