/** What the tests of the exchanges share: the simulated clouds, the one door to them, and a clock that can be moved. */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import type { Cross, SecretValue, TokenSource, Trip } from '#contract/crossing.ts'
import { openBorder } from '#border/cross.ts'
import { DEFAULT_RULES } from '#border/rules.ts'
import { Secret } from '#kit/secret.ts'
import type { MintOptions } from '#simclouds/entra-tokens.ts'
import type { SimCloudsOptions } from '#simclouds/options.ts'
import type { ServiceName } from '#simclouds/service.ts'
import { type SimClouds, startSimClouds } from '#simclouds/start.ts'
import { CredentialFault, type Reason } from './credential-fault.ts'
import { managedIdentity } from './managed-identity.ts'

export const AWS_SCOPE = 'api://aws-federation/.default'
export const GOOGLE_SCOPE = 'api://google-federation/.default'
export const HERE = { cloud: 'azure', region: 'eastus' } as const
export const MINUTE_MS = 60_000

export interface Keyless {
  readonly clouds: SimClouds
  readonly cross: Cross
  readonly now: () => number
  /** Moves the clock of the sources. */
  readonly pass: (ms: number) => void
  /** The machine's managed identity, by its metadata service. */
  readonly identity: (scope: string) => TokenSource
  /** Bodies or queries of the last requests to a service, oldest first. */
  readonly sent: (service: ServiceName) => readonly URLSearchParams[]
}

export async function withKeyless(
  body: (stage: Keyless) => Promise<void>,
  options: SimCloudsOptions = {},
): Promise<void> {
  const clouds = await startSimClouds({ latencyScale: 0, ...options })
  const border = openBorder({ from: HERE, rules: DEFAULT_RULES, egressMicroUsd: () => 0 })
  let aheadMs = 0
  const now = (): number => Date.now() + aheadMs
  const endpoint = clouds.urls['managed-identity']
  try {
    await body({
      clouds,
      cross: border.cross,
      now,
      pass: (ms) => {
        aheadMs += ms
      },
      identity: (scope) =>
        managedIdentity(
          { place: HERE, form: { kind: 'imds', endpoint }, scope, clientId: undefined },
          border.cross,
          now,
        ),
      sent: (service) =>
        clouds.requests
          .last(service)
          .map(({ body: text, target }) => new URLSearchParams(text === '' ? target.split('?')[1] : text)),
    })
  } finally {
    await border.close(50)
    await clouds.close()
  }
}

/** A token of the simulated Entra with anything wrong with it, in place of an identity. */
export function fixedIdentity({ clouds }: Keyless, options: MintOptions): TokenSource {
  const { clientId } = clouds.settings.managedIdentity
  return {
    token: async () => new Secret(await clouds.mintToken({ client: clientId, version: 1, roles: [], ...options })),
  }
}

/** Waits until something holds that another task brings about. */
export async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds() && tries < 400; tries += 1) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.ok(holds())
}

/** The fault of something that gets no credential. It shows no token, however deep one looks. */
export async function faultOf(get: () => unknown, reason: Reason, message: RegExp): Promise<void> {
  const error: unknown = await (async () => get())().then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof CredentialFault, String(error))
  assert.equal(error.kind, 'credential')
  assert.match(error.message, message)
  assert.equal(error.reason, reason)
  assert.doesNotMatch(inspect(error, { depth: 9 }), /eyJ|ya29|ASIA|simulated-/)
}

export async function revealed(source: TokenSource, trip: Trip): Promise<string> {
  const secret: SecretValue = await source.token(trip)
  return secret.reveal()
}
