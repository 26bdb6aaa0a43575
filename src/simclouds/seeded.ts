/** Numbers from 0 to 1, excluding 1, the same for the same seed. */
export type Random = () => number

const GOLDEN = 0x9e3779b9
const RANGE = 2 ** 32

/** A small generator that repeats itself (splitmix32): for runs that can be run again, never for secrets. */
export function seeded(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + GOLDEN) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / RANGE
  }
}

/** One draw of a lognormal distribution: half of all draws are below `median`. `sigma` 0 gives the median itself. */
export function lognormal(random: Random, median: number, sigma: number): number {
  // Box and Muller's transform; one minus keeps the logarithm off zero.
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return median * Math.exp(sigma * normal)
}

/** Mean of that distribution. */
export function lognormalMean(median: number, sigma: number): number {
  return median * Math.exp(sigma ** 2 / 2)
}
