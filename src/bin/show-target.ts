import type { AliasView, Quantiles, TargetView, WarmthView } from '#route/view.ts'

/** One target as a person reads it: a head line, and a line for each thing that is known. */
export function showTarget(target: TargetView, nowEpochMs: number): string {
  const { name, place, provider, model, simulated, state, outMs, inFlight, pool } = target
  const head = `${name}   ${state}${outMs > 0 ? ` for ${duration(outMs)}` : ''}   ${place}   ${provider} ${model}${simulated ? ' (simulated)' : ''}${pool === undefined ? '' : `   shard of ${pool}`}`
  const rows = [
    ['first content', `${quantiles(target.streams)}, whole answers ${quantiles(target.wholes)}`],
    ['in flight', `${inFlight}${queue(target)}`],
    ['price', price(target)],
    ...(target.warmth === undefined ? [] : [['warmth', warmth(target.warmth, nowEpochMs)]]),
  ]
  return `${head}\n${rows.map(([label = '', value = '']) => `  ${label.padEnd(14)}${value}\n`).join('')}`
}

export function showAlias({ name, now }: AliasView): string {
  return `  ${name.padEnd(18)} ${now}\n`
}

export function showWarmth({ name, warmth: known }: TargetView, nowEpochMs: number): string {
  return `${name}   ${known === undefined ? 'does not sleep' : warmth(known, nowEpochMs)}`
}

function quantiles({ p50Ms, p95Ms, samples, source }: Quantiles): string {
  return source === 'measured' ? `p50 ${p50Ms} ms p95 ${p95Ms} ms of ${samples}` : `assumed ${p50Ms} ms`
}

function queue({ queue: known, queueTrouble }: TargetView): string {
  if (known === undefined) return queueTrouble === '' ? '' : `   metrics: ${queueTrouble}`
  return `   running ${known.running}, waiting ${known.waiting}, cache ${Math.round(known.cacheUsage * 100)} % full`
}

function price({ usdPerMillionInput, usdPerMillionOutput, priceSource }: TargetView): string {
  if (priceSource === 'not given') return 'not given'
  return `$${usdPerMillionInput} in, $${usdPerMillionOutput} out a million tokens (${priceSource})`
}

function warmth(known: WarmthView, nowEpochMs: number): string {
  const { state, cold, idleMs, startP50Ms, startP95Ms, startsSeen, trouble, keptUntilEpochMs } = known
  const seen = idleMs === undefined ? 'not seen yet' : `idle ${duration(idleMs)}`
  const starts = startsSeen === 0 ? 'assumed' : `${startsSeen} seen`
  const kept = keptUntilEpochMs === undefined ? '' : `, kept awake for ${duration(keptUntilEpochMs - nowEpochMs)}`
  const not = trouble === '' ? '' : `, waking it: ${trouble}`
  return `${state}, cold with probability ${cold} (${seen}), a start takes ${duration(startP50Ms)} to ${duration(startP95Ms)} (${starts})${kept}${not}`
}

function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 120_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`
}
