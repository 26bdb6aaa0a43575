import { readFileSync } from 'node:fs'
import type { Credential, SecretValue, SessionSource, TokenSource } from '#contract/crossing.ts'
import { Secret } from '#kit/secret.ts'
import type { Problem } from './load.ts'
import type { CredentialConfig } from './schema.ts'

type SecretReference = { readonly env: string } | { readonly file: string }

type Kind<Name extends CredentialConfig['kind']> = Extract<CredentialConfig, { kind: Name }>
/** Credentials that end in a bearer token which somebody issues. */
export type BearerConfig = Kind<
  'entra-client' | 'entra-obo' | 'entra-managed-identity' | 'entra-workload' | 'google-id-token' | 'google-access-token'
>
export type AwsWebIdentityConfig = Kind<'aws-web-identity'>

/** Where a credential stands, and what it is for. */
export interface CredentialPlace {
  /** In the configuration, for problems. */
  readonly path: string
  readonly secret: SecretValue
  /** What is called with it; undefined where that is no target. */
  readonly target: CredentialTarget | undefined
}

export interface CredentialTarget {
  readonly name: string
  readonly provider: string
  readonly endpoint: string
  readonly model: string
}

/** Makes what gets tokens when they are needed; the configuration names issuers that stand elsewhere in the file. */
export interface TokenSources {
  readonly bearer: (credential: BearerConfig, at: CredentialPlace) => TokenSource
  readonly session: (credential: AwsWebIdentityConfig, at: CredentialPlace) => SessionSource
}

export interface SecretLookUp {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly resolve: (path: string) => string
  readonly problems: Problem[]
}

/** The value behind a reference; what is missing goes to `problems`, values never do. */
export function resolveSecret(reference: SecretReference, path: string, lookUp: SecretLookUp): Secret {
  const found = 'env' in reference ? lookUp.environment[reference.env] : readSecretFile(lookUp.resolve(reference.file))
  if (found === undefined || found === '') {
    const what =
      'env' in reference
        ? `the environment variable \`${reference.env}\` is not set`
        : `the file \`${reference.file}\` can not be read or is empty`
    lookUp.problems.push({ path, line: 0, message: what })
  }
  return new Secret(found ?? '')
}

/** A credential with its references looked up; `target` is what it is for, where that is one. */
export function resolveCredential(
  credential: CredentialConfig,
  path: string,
  lookUp: SecretLookUp & { readonly tokenSources: TokenSources },
  target?: CredentialTarget,
): Credential {
  const value = (reference: SecretReference, field: string): Secret =>
    resolveSecret(reference, `${path}.${field}`, lookUp)
  switch (credential.kind) {
    case 'none':
      return { kind: 'none' }
    case 'header':
      return {
        kind: 'header',
        header: credential.header,
        prefix: credential.prefix,
        secret: value(credential.secret, 'secret'),
      }
    case 'aws-sigv4':
      return {
        kind: 'aws-sigv4',
        service: credential.service,
        region: credential.region,
        accessKeyId: value(credential.accessKeyId, 'accessKeyId'),
        secretAccessKey: value(credential.secretAccessKey, 'secretAccessKey'),
      }
    case 'aws-web-identity': {
      const { service, region } = credential
      const source = lookUp.tokenSources.session(credential, credentialPlace(credential, path, lookUp, target))
      return { kind: 'aws-session', isPersonal: credential.sessionScope !== 'target', service, region, source }
    }
    case 'entra-client':
    case 'entra-obo':
    case 'entra-managed-identity':
    case 'entra-workload':
    case 'google-id-token':
    case 'google-access-token':
      return {
        kind: 'token',
        isPersonal: credential.kind === 'entra-obo',
        source: lookUp.tokenSources.bearer(credential, credentialPlace(credential, path, lookUp, target)),
      }
  }
}

const NO_SECRET = new Secret('')

/** The one secret that a credential may still need is that of an application at Entra. */
export function credentialPlace(
  credential: BearerConfig | AwsWebIdentityConfig,
  path: string,
  lookUp: SecretLookUp,
  target: CredentialTarget | undefined,
): CredentialPlace {
  if ('secret' in credential)
    return { path, target, secret: resolveSecret(credential.secret, `${path}.secret`, lookUp) }
  if ('identity' in credential && 'secret' in credential.identity)
    return { path, target, secret: resolveSecret(credential.identity.secret, `${path}.identity.secret`, lookUp) }
  return { path, target, secret: NO_SECRET }
}

function readSecretFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch {
    return undefined
  }
}
