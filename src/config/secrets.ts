import { readFileSync } from 'node:fs'
import type { Credential, SecretValue, TokenSource } from '#contract/crossing.ts'
import { Secret } from '#kit/secret.ts'
import type { Problem } from './load.ts'

type SecretReference = { readonly env: string } | { readonly file: string }

type CredentialConfig =
  | { readonly kind: 'none' }
  | { readonly kind: 'header'; readonly header: string; readonly prefix: string; readonly secret: SecretReference }
  | {
      readonly kind: 'aws-sigv4'
      readonly region: string
      readonly service: string
      readonly accessKeyId: SecretReference
      readonly secretAccessKey: SecretReference
    }
  | EntraCredentialConfig

export interface EntraCredentialConfig {
  readonly kind: 'entra-client' | 'entra-obo'
  readonly issuer: string
  readonly scope: string
  readonly clientId: string
  readonly secret: SecretReference
  readonly tenant?: string | undefined
}

/** Makes what asks Entra for tokens; the configuration names the issuer, which stands elsewhere in the file. */
export type TokenSources = (credential: EntraCredentialConfig, secret: SecretValue, path: string) => TokenSource

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

/** A credential with its references looked up. */
export function resolveCredential(
  credential: CredentialConfig,
  path: string,
  lookUp: SecretLookUp & { readonly tokenSources: TokenSources },
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
    case 'entra-client':
    case 'entra-obo':
      return {
        kind: 'token',
        source: lookUp.tokenSources(credential, value(credential.secret, 'secret'), path),
      }
  }
}

function readSecretFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch {
    return undefined
  }
}
