import { hash } from 'node:crypto'
import type { Cross, Credential, SecretValue } from '#contract/crossing.ts'
import type { Config } from '#config/schema.ts'
import { type SecretLookUp, resolveSecret } from '#config/secrets.ts'
import { clientCredentials } from '#credentials/client-credentials.ts'
import type { EntraApp } from '#credentials/entra-token.ts'
import { createEntraIssuer } from '#identity/entra.ts'
import type { GroupOptions } from '#identity/entra-groups.ts'
import { createOidcIssuer } from '#identity/oidc.ts'
import { type SignIn, createSignIn } from '#identity/sign-in.ts'
import type { Issuer } from '#identity/token.ts'

type IssuerConfig = Config['identity']['issuers'][number]
type EntraConfig = Extract<IssuerConfig, { kind: 'entra' }>

/** Issuers by everything that the configuration says of them: an unchanged one keeps its keys and its checked tokens. */
export type IssuerPool = ReadonlyMap<string, Issuer>

/** The issuers of a configuration, taken from the pool where it has them; the new pool holds nothing else. */
export function issuersOf(
  config: Config,
  pool: IssuerPool,
  { cross, lookUp }: { readonly cross: Cross; readonly lookUp: SecretLookUp },
): IssuerPool {
  const made = config.identity.issuers.map((issuer, at): [string, Issuer] => {
    const graph = issuer.kind === 'entra' && issuer.graph !== undefined ? issuer.graph : undefined
    const secret = graph && resolveSecret(graph.secret, `identity.issuers.${at}.graph.secret`, lookUp)
    const name = hash('sha256', JSON.stringify([issuer, secret?.reveal()]))
    return [name, pool.get(name) ?? createIssuer(issuer, secret, cross)]
  })
  return new Map(made)
}

function createIssuer(config: IssuerConfig, graphSecret: SecretValue | undefined, cross: Cross): Issuer {
  if (config.kind === 'oidc') return createOidcIssuer(config, cross, Date.now)
  const { graph, ...entra } = config
  return createEntraIssuer(
    {
      ...entra,
      graph: graph && graphSecret && groupsFrom(config, graph, graphSecret, cross),
    },
    cross,
    Date.now,
  )
}

function groupsFrom(
  config: EntraConfig,
  { endpoint, scope, clientId, ttlMs, maxGroups }: NonNullable<EntraConfig['graph']>,
  secret: SecretValue,
  cross: Cross,
): GroupOptions {
  const app = appOf(config, clientId, secret)
  // An application token is good in one directory, so each has its own.
  const byTenant = new Map(
    config.tenants.map((tenant): [string, Credential] => [
      tenant,
      { kind: 'token', source: clientCredentials({ app, tenant, scope }, cross, Date.now) },
    ]),
  )
  return {
    endpoint,
    region: config.region,
    ttlMs,
    maxGroups,
    credential: (tenant) => byTenant.get(tenant) ?? { kind: 'none' },
  }
}

export function appOf(
  { authority, region }: Pick<EntraConfig, 'authority' | 'region'>,
  clientId: string,
  secret: SecretValue,
): EntraApp {
  return { authority, region, clientId, secret }
}

/** Sign-in of people as one configuration has it. */
export interface SignInWorld {
  /** Equal for equal configurations: a change of it ends every session. */
  readonly fingerprint: string
  readonly signIn: SignIn
  readonly sessionMs: number
  readonly publicUrl: string | undefined
}

/** @returns `last` when nothing has changed, undefined when sign-in is not configured. */
export function signInOf(
  { identity: { signIn } }: Config,
  last: SignInWorld | undefined,
  { cross, lookUp }: { readonly cross: Cross; readonly lookUp: SecretLookUp },
): SignInWorld | undefined {
  if (signIn === undefined) return undefined
  const secret = signIn.secret && resolveSecret(signIn.secret, 'identity.signIn.secret', lookUp)
  const fingerprint = hash('sha256', JSON.stringify([signIn, secret?.reveal()]))
  if (last?.fingerprint === fingerprint) return last
  return {
    fingerprint,
    signIn: createSignIn({ ...signIn, secret }, cross, Date.now),
    sessionMs: signIn.sessionHours * 3_600_000,
    publicUrl: signIn.publicUrl,
  }
}
