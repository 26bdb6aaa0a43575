import type { Trip } from '#contract/crossing.ts'
import { openBorder } from '#border/cross.ts'
import { DEFAULT_RULES } from '#border/rules.ts'
import { openDenyList } from '#identity/deny.ts'
import { createEntraIssuer } from '#identity/entra.ts'
import { identify } from '#identity/identify.ts'
import { openKeyRing } from '#identity/key.ts'
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
    const deps = { keys: openKeyRing([], Date.now), issuers: [issuer], denied: openDenyList([]) }
    const mint = async (): Promise<string> => `Bearer ${await clouds.mintToken({ roles: ['developer'] })}`
    const fresh = await Promise.all(Array.from({ length: TOKENS * REPEATS_WITH_WARM_UP }, mint))
    const check = (authorization: string | undefined) =>
      Promise.resolve(identify(deps, { authorization, apiKey: undefined }, tripOf()))
    const one = await mint()
    await check(one)
    return [
      await measureAsync({
        name: 'token, known',
        unit: 'request',
        protects: 'identity must not be felt',
        operations: 20_000,
        run: () => check(one),
      }),
      await measureAsync({
        name: 'token, signature checked',
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
