import type { Trip } from '#contract/crossing.ts'
import { openBorder } from '#border/cross.ts'
import { DEFAULT_RULES } from '#border/rules.ts'
import { type DenyEntry, openDenyList } from '#identity/deny.ts'
import { createEntraIssuer } from '#identity/entra.ts'
import { identify } from '#identity/identify.ts'
import { createKey, openKeyRing } from '#identity/key.ts'
import { startSimClouds } from '#simclouds/start.ts'
import { type MicroResult, measureAsync } from './measure.ts'

const TOKENS = 300
const REPEATS_WITH_WARM_UP = 6

/** A token that was checked before, and the check of its signature. */
export async function benchIdentity(): Promise<MicroResult[]> {
  const clouds = await startSimClouds({ latencyScale: 0 })
  const border = openBorder({
    from: { cloud: 'azure', region: 'eastus' },
    rules: DEFAULT_RULES,
    egressMicroUsd: () => 0,
  })
  try {
    const { tenants, audience } = clouds.settings.entra
    const issuer = createEntraIssuer(
      {
        name: 'entra',
        authority: clouds.urls.entra,
        v1Host: clouds.urls.entra,
        tenants,
        audiences: [audience],
        region: 'eastus',
      },
      border.cross,
      Date.now,
    )
    const { key, record } = createKey({ tenant: 'local', subject: 'bench', roles: ['developer'] })
    const denied = openDenyList(denials())
    const deps = { keys: openKeyRing([record], Date.now), issuers: [issuer], denied }
    const mint = async (): Promise<string> => `Bearer ${await clouds.mintToken({ roles: ['developer'] })}`
    const fresh = await Promise.all(Array.from({ length: TOKENS * REPEATS_WITH_WARM_UP }, mint))
    const check = (authorization: string | undefined) =>
      Promise.resolve(identify(deps, { authorization, apiKey: undefined }, tripOf()))
    const one = await mint()
    const groups = Array.from({ length: 200 }, (_, at) => `99999999-0000-4000-8000-${String(at).padStart(12, '0')}`)
    const large = `Bearer ${await clouds.mintToken({ user: 'Ada Example', groups })}`
    await check(one)
    await check(large)
    return [
      await measureAsync({
        name: `token-warm, ${Math.round(one.length / 100) / 10} KB`,
        unit: 'request',
        protects: '20 µs for a token seen before',
        operations: 20_000,
        run: () => check(one),
      }),
      await measureAsync({
        name: `token-warm, 200 groups, ${Math.round(large.length / 100) / 10} KB`,
        unit: 'request',
        protects: '20 µs for a token seen before',
        operations: 20_000,
        run: () => check(large),
      }),
      await measureAsync({
        name: 'key',
        unit: 'request',
        protects: '20 µs for a key',
        operations: 20_000,
        run: () => check(`Bearer ${key}`),
      }),
      await measureAsync({
        name: 'token-signature',
        unit: 'token',
        protects: 'first request with a token',
        operations: TOKENS,
        run: (index) => check(fresh[index]),
      }),
    ]
  } finally {
    await border.close(100)
    await clouds.close()
  }
}

/** A deny list of a thousand, as after a bad day. */
function denials(): DenyEntry[] {
  return Array.from({ length: 1000 }, (_, at) => ({ id: String(at), oid: `someone-${at}`, reason: '', atEpochMs: 0 }))
}

function tripOf(): Trip {
  return {
    requestId: 'bench',
    traceId: '0'.repeat(32),
    sampled: false,
    signal: new AbortController().signal,
    crossings: [],
    calls: new Map(),
  }
}
