import type { CacheTtl } from '#contract/ask.ts'

/** Cache marks that one request may have. */
const MAX_MARKS = 4

/** A block of the prompt that the service caches up to. */
export interface Marked {
  cache_control?: { readonly type: 'ephemeral'; readonly ttl?: CacheTtl }
}

/** Marks a block as the caller did; five minutes is the service's own default. */
export function mark<Block extends object>(block: Block, cache: CacheTtl | undefined): Block & Marked {
  if (cache === undefined) return block
  return { ...block, cache_control: { type: 'ephemeral', ...(cache === '5m' ? {} : { ttl: cache }) } }
}

/**
 * Takes marks off the earliest blocks until the service takes the rest: a later mark covers what an earlier one does.
 * @returns whether any was taken off.
 */
export function limitMarks(blocks: readonly Marked[], isMarkedWhole: boolean): boolean {
  const marked = blocks.filter(({ cache_control: control }) => control !== undefined)
  const surplus = marked.slice(0, Math.max(0, marked.length - MAX_MARKS + (isMarkedWhole ? 1 : 0)))
  for (const block of surplus) delete block.cache_control
  return surplus.length > 0
}
