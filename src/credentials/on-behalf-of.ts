import {
  type CallerToken,
  type Cross,
  type CrossFault,
  type TokenSource,
  type Trip,
  detached,
} from '#contract/crossing.ts'
import { Refusal } from '#contract/refusal.ts'
import { type EntraApp, TokenRefused, noToken, requestEntraToken } from './entra-token.ts'
import { type IssuedToken, createTokenStore } from './token-store.ts'

export interface OnBehalfOfOptions {
  /** The application that callers' tokens are for: only to it are they exchanged. */
  readonly app: EntraApp
  /** Name of the issuer whose tokens are exchanged. */
  readonly issuer: string
  readonly scope: string
}

/** Callers whose exchanged token is held. */
const MAX_CALLERS = 10_000

/**
 * Exchanges the caller's own token for one of the target (OAuth on-behalf-of), so that the target sees the person and
 * applies their rights. The caller's token is used for this and kept nowhere; what was issued is held under its digest.
 */
export function onBehalfOf(options: OnBehalfOfOptions, cross: Cross, nowEpochMs: () => number): TokenSource {
  const store = createTokenStore(MAX_CALLERS, nowEpochMs)
  return {
    token: (trip) => {
      const caller = personOf(options, trip)
      return store.get(caller.digest, () => exchange(options, caller, { cross, trip, nowEpochMs }))
    },
  }
}

/** @throws {Refusal} IDENTITY_FORBIDDEN when there is no person's token to exchange. */
function personOf({ issuer }: OnBehalfOfOptions, { caller }: Trip): CallerToken {
  const why =
    caller === undefined
      ? 'a key can not be exchanged'
      : caller.kind !== 'user'
        ? "an application's own token can not be exchanged"
        : caller.via === issuer
          ? undefined
          : `a token of issuer \`${caller.via}\` can not be exchanged`
  if (caller === undefined || why !== undefined) {
    throw new Refusal(
      'IDENTITY_FORBIDDEN',
      `the target acts on behalf of the person who asks: ${why ?? ''}, send a person's access token of issuer \`${issuer}\``,
    )
  }
  return caller
}

async function exchange(
  { app, scope }: OnBehalfOfOptions,
  caller: CallerToken,
  { cross, trip, nowEpochMs }: { readonly cross: Cross; readonly trip: Trip; readonly nowEpochMs: () => number },
): Promise<IssuedToken> {
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    requested_token_use: 'on_behalf_of',
    assertion: caller.token.reveal(),
    scope,
  }
  try {
    return await requestEntraToken(cross, detached(trip), app, { tenant: caller.tenant, form, nowEpochMs })
  } catch (error) {
    throw error instanceof TokenRefused ? refusalOf(error, app, caller) : error
  }
}

/** What the caller can mend is theirs to mend; everything else is a credential that we do not have. */
function refusalOf(refused: TokenRefused, app: EntraApp, caller: CallerToken): Refusal | CrossFault {
  const { error, suberror, code, claims } = refused
  if (claims !== '' || (error === 'interaction_required' && suberror !== 'consent_required')) {
    const authorizationUri = `${app.authority}/${caller.tenant}/oauth2/v2.0/authorize`
    return new Refusal(
      'IDENTITY_INVALID',
      `the directory wants you to sign in again for this target${named(code)}, request a token with the claims of the challenge`,
      claims === '' ? { cause: refused } : { cause: refused, challenge: { claims, authorizationUri } },
    )
  }
  if (suberror === 'consent_required' || code === 'AADSTS65001') {
    return new Refusal(
      'IDENTITY_FORBIDDEN',
      `nobody has consented that this application acts for you at the target${named(code)}, ask an administrator to`,
      { cause: refused },
    )
  }
  if (error === 'invalid_grant') {
    return new Refusal(
      'IDENTITY_INVALID',
      `the directory does not exchange this token${named(code)}, request a new one`,
      {
        cause: refused,
      },
    )
  }
  return noToken(`refused the exchange: ${refused.message}`, refused)
}

function named(code: string): string {
  return code === '' ? '' : ` (${code})`
}
