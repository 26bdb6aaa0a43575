/** One row of the micro-benchmarks. */
export interface MicroResult {
  readonly name: string
  /** What one operation is. */
  readonly unit: string
  /** Middle of the repeats. */
  readonly microsPerOperation: number
  readonly repeats: readonly number[]
  /** The budget that it protects. */
  readonly protects: string
}

export interface MicroPlan {
  readonly name: string
  readonly unit: string
  readonly protects: string
  /** Operations of one repeat: fixed, so that two runs do the same work. */
  readonly operations: number
  /** One operation; what it returns is consumed, or the compiler might leave the work out. */
  readonly run: (index: number) => unknown
}

const REPEATS = 5
let sink = 0

/** Runs one plan: a repeat to warm up, then five that count, the heap tidied before each. */
export function measure(plan: MicroPlan): MicroResult {
  const repeats: number[] = []
  for (let repeat = 0; repeat <= REPEATS; repeat += 1) {
    globalThis.gc?.()
    const started = performance.now()
    for (let index = 0; index < plan.operations; index += 1) consume(plan.run(index))
    if (repeat > 0) repeats.push(((performance.now() - started) * 1000) / plan.operations)
  }
  return resultOf(plan, repeats)
}

/** As `measure`, for operations that are waited for one after the other. */
export async function measureAsync(
  plan: Omit<MicroPlan, 'run'> & { readonly run: (index: number) => Promise<unknown> },
): Promise<MicroResult> {
  const repeats: number[] = []
  for (let repeat = 0; repeat <= REPEATS; repeat += 1) {
    globalThis.gc?.()
    const started = performance.now()
    for (let index = 0; index < plan.operations; index += 1) consume(await plan.run(repeat * plan.operations + index))
    if (repeat > 0) repeats.push(((performance.now() - started) * 1000) / plan.operations)
  }
  return resultOf(plan, repeats)
}

/** Repeats of one number, put in order. */
export function resultOf(
  { name, unit, protects }: Omit<MicroPlan, 'operations' | 'run'>,
  repeats: readonly number[],
): MicroResult {
  const sorted = [...repeats].sort((a, b) => a - b)
  return { name, unit, protects, microsPerOperation: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN, repeats }
}

function consume(value: unknown): void {
  if (typeof value === 'number') sink += value
  else if (typeof value === 'string') sink += value.length
  else if (Array.isArray(value)) sink += value.length
  else if (value !== undefined) sink += 1
}

/** What was consumed: printed at the end, so that it has to be computed. */
export function consumed(): number {
  return sink
}
