import { readFile } from 'node:fs/promises'
import { type Cross, type SecretValue, type TokenSource, detached } from '#contract/crossing.ts'
import { Secret } from '#kit/secret.ts'
import { CredentialFault } from './credential-fault.ts'
import { TokenRefused, requestEntraToken } from './entra-token.ts'
import { createTokenStore } from './token-store.ts'

export interface WorkloadIdentityOptions {
  /** Login host without a path or a slash at the end. */
  readonly authority: string
  /** Azure region where it is reached, for the crossing. */
  readonly region: string
  readonly clientId: string
  readonly tenant: string
  readonly scope: string
  /** Where the platform keeps a token of its own for this process; it is read anew each time, since it is replaced. */
  readonly tokenFile: string
}

/** What stands between a token file and Entra's answer, by Entra's code. */
const MENDS: Readonly<Record<string, string>> = {
  AADSTS70021: 'add a federated credential with the issuer and subject of the token file to the application',
  AADSTS700211: 'the federated credential of the application has another issuer than the token file',
  AADSTS700212: 'the token file is for another audience, it has to be `api://AzureADTokenExchange`',
  AADSTS700213: 'the federated credential of the application has another subject than the token file',
  AADSTS700024: 'the token in the file has expired, look why the platform does not replace it',
}

/** Tokens of an application that proves itself by the platform's token (Kubernetes, GitHub): no secret of its own. */
export function workloadIdentity(
  options: WorkloadIdentityOptions,
  cross: Cross,
  nowEpochMs: () => number,
): TokenSource {
  const { authority, region, clientId, tenant, scope, tokenFile } = options
  const store = createTokenStore(2, nowEpochMs)
  const app = { authority, region, clientId, assertion: () => readAssertion(tokenFile) }
  const form = { grant_type: 'client_credentials', scope }
  return {
    token: (trip) =>
      store.get(scope, async () => {
        try {
          return await requestEntraToken(cross, detached(trip), app, { tenant, form, nowEpochMs })
        } catch (error) {
          throw error instanceof TokenRefused ? refused(error, scope) : error
        }
      }),
  }
}

async function readAssertion(file: string): Promise<SecretValue> {
  let text
  try {
    text = (await readFile(file, 'utf8')).trim()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new CredentialFault('entra', `was not asked: the token file \`${file}\` can not be read (${code})`, {
      reason: 'identity',
    })
  }
  if (text === '')
    throw new CredentialFault('entra', `was not asked: the token file \`${file}\` is empty`, { reason: 'identity' })
  return new Secret(text)
}

function refused(error: TokenRefused, scope: string): CredentialFault {
  const mend = MENDS[error.code]
  return new CredentialFault(
    'entra',
    `refused \`${scope}\`: ${error.message}${mend === undefined ? '' : `, ${mend}`}`,
    {
      reason: mend === undefined ? 'request' : 'identity',
      cause: error,
    },
  )
}
