/** What the tests of this folder share: a real issuer of tokens on a port of its own, and the one door to it. */
import type { Cross, Trip } from '#contract/crossing.ts'
import type { Principal } from '#contract/principal.ts'
import { openBorder } from '#border/cross.ts'
import { DEFAULT_RULES } from '#border/rules.ts'
import { clientCredentials } from '#credentials/client-credentials.ts'
import { Secret } from '#kit/secret.ts'
import type { MintOptions } from '#simclouds/entra-tokens.ts'
import type { EntraOptions as SimulatedEntra } from '#simclouds/options.ts'
import { type SimClouds, startSimClouds } from '#simclouds/start.ts'
import { type DenyList, openDenyList } from './deny.ts'
import { type EntraOptions, createEntraIssuer } from './entra.ts'
import { type IdentityDeps, identify } from './identify.ts'
import { openKeyRing } from './key.ts'
import type { Issuer } from './token.ts'

export interface Stage {
  readonly clouds: SimClouds
  readonly cross: Cross
  readonly issuer: Issuer
  readonly deps: IdentityDeps
  readonly denied: DenyList
  readonly now: () => number
  /** Moves the issuer's clock. */
  readonly pass: (ms: number) => void
  readonly ask: (token: string) => Promise<Principal>
  readonly mint: (options?: MintOptions) => Promise<string>
  /** Requests for signing keys so far. */
  readonly fetches: () => number
}

export interface StageOptions {
  readonly simulated?: Partial<SimulatedEntra>
  readonly options?: Partial<EntraOptions>
  /** Lets the issuer ask the simulated Graph for groups, with these limits. */
  readonly graph?: { readonly ttlMs?: number; readonly maxGroups?: number }
  /** Issuers that are asked before this one. */
  readonly others?: (clouds: SimClouds, cross: Cross) => readonly Issuer[]
}

export function newTrip(): Trip {
  return {
    requestId: 'req-1',
    traceId: '1'.repeat(32),
    sampled: false,
    signal: new AbortController().signal,
    crossings: [],
    calls: new Map(),
  }
}

export function bearer(token: string): { authorization: string; apiKey: undefined } {
  return { authorization: `Bearer ${token}`, apiKey: undefined }
}

/** The application of the gateway itself, as the simulated Entra has it. */
export function gatewayApp(clouds: SimClouds) {
  const { entra } = clouds.settings
  const secret = entra.clients.find(({ clientId }) => clientId === entra.audience)?.secret ?? ''
  return { authority: clouds.urls.entra, region: 'eastus', clientId: entra.audience, secret: new Secret(secret) }
}

export async function withEntra(
  body: (stage: Stage) => Promise<void>,
  { simulated = {}, options = {}, graph, others }: StageOptions = {},
): Promise<void> {
  const clouds = await startSimClouds({ latencyScale: 0, entra: simulated })
  const border = openBorder({
    from: { cloud: 'azure', region: 'eastus' },
    rules: DEFAULT_RULES,
    egressMicroUsd: () => 0,
  })
  let aheadMs = 0
  const now = (): number => Date.now() + aheadMs
  const { entra } = clouds.settings
  const scope = 'https://graph.microsoft.com/.default'
  const groupsFrom = graph && {
    endpoint: clouds.urls.graph,
    region: 'eastus',
    ttlMs: 600_000,
    maxGroups: 1000,
    ...graph,
    credential: (tenant: string) => ({
      kind: 'token' as const,
      source: clientCredentials({ app: gatewayApp(clouds), tenant, scope }, border.cross, now),
    }),
  }
  const issuer = createEntraIssuer(
    {
      name: 'contoso',
      authority: clouds.urls.entra,
      v1Host: clouds.urls.entra,
      tenants: entra.tenants,
      audiences: [entra.audience, entra.appIdUri],
      region: 'eastus',
      graph: groupsFrom,
      ...options,
    },
    border.cross,
    now,
  )
  const denied = openDenyList([])
  const issuers = [...(others?.(clouds, border.cross) ?? []), issuer]
  const deps = { keys: openKeyRing([], Date.now), issuers, denied }
  try {
    await body({
      clouds,
      cross: border.cross,
      issuer,
      deps,
      denied,
      now,
      pass: (ms) => {
        aheadMs += ms
      },
      ask: async (token) => identify(deps, bearer(token), newTrip()),
      mint: (wanted) => clouds.mintToken(wanted),
      fetches: () => clouds.requests.count('entra'),
    })
  } finally {
    await border.close(50)
    await clouds.close()
  }
}
