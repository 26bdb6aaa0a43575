/** What vLLM says about its queue and its cache. */
export interface VllmReading {
  readonly running: number
  readonly waiting: number
  /** Part of the cache's blocks that are in use, 0 to 1. */
  readonly cacheUsage: number
}

/** More requests than any server holds: what is above is not believed. */
const MAX_REQUESTS = 100_000

/** Names by which versions of vLLM call the same thing; `gpu_` is the name before 0.9. */
const NAMES = {
  running: ['vllm:num_requests_running'],
  waiting: ['vllm:num_requests_waiting'],
  cacheUsage: ['vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc'],
} as const

/**
 * Reads vLLM's Prometheus text; several engines are added up, of their caches the fullest counts.
 * @returns what is wrong, as text, when a figure is missing or can not be true.
 */
export function readVllmMetrics(text: string): VllmReading | string {
  const running = valuesOf(text, NAMES.running)
  const waiting = valuesOf(text, NAMES.waiting)
  const cache = valuesOf(text, NAMES.cacheUsage)
  if (running.length === 0 || waiting.length === 0) return 'there is no vllm:num_requests_running and _waiting'
  const reading = { running: sum(running), waiting: sum(waiting), cacheUsage: Math.max(0, ...cache) }
  const isCount = (value: number): boolean => value >= 0 && value <= MAX_REQUESTS
  if (!isCount(reading.running) || !isCount(reading.waiting)) return 'the numbers of requests can not be true'
  if (cache.some((value) => !(value >= 0 && value <= 1))) return 'the use of the cache can not be true'
  return reading
}

function valuesOf(text: string, names: readonly string[]): number[] {
  for (const name of names) {
    const values: number[] = []
    let at = text.indexOf(name)
    while (at !== -1) {
      const isLineStart = at === 0 || text[at - 1] === '\n'
      const after = text[at + name.length]
      const end = text.indexOf('\n', at)
      if (isLineStart && (after === '{' || after === ' ')) {
        const line = text.slice(at, end === -1 ? undefined : end)
        // A label may hold blanks, the value behind it does not; a time stamp may follow.
        values.push(
          Number(
            line
              .slice(line.lastIndexOf('}') + 1)
              .replace(name, '')
              .trim()
              .split(' ')[0],
          ),
        )
      }
      at = text.indexOf(name, at + name.length)
    }
    if (values.length > 0) return values
  }
  return []
}

function sum(values: readonly number[]): number {
  let total = 0
  for (const value of values) total += value
  return total
}
