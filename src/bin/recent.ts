import type { Entry } from '#contract/entry.ts'
import { entryOf } from '#record/ocsf.ts'

/** The latest audit entries of this process, for the status page. */
export interface Recent {
  push(id: string, text: string): void
  /** Newest first. */
  list(limit: number): Entry[]
  find(id: string): Entry | undefined
}

/**
 * Keeps entries as text, in a ring: an object graph for each would outlive the young generation of the collector and
 * cost a copy and a slow death, at every request, for a page that is hardly ever open.
 */
export function createRecent(capacity: number): Recent {
  const ids: string[] = []
  const texts: string[] = []
  let next = 0
  const at = (back: number): number => (next - 1 - back + 2 * capacity) % capacity
  return {
    push(id, text) {
      ids[next] = id
      texts[next] = text
      next = (next + 1) % capacity
    },
    list(limit) {
      const count = Math.min(limit, texts.length)
      return Array.from({ length: count }, (_, back) => entryOf(texts[at(back)] ?? '')).filter(
        (entry) => entry !== undefined,
      )
    },
    find(id) {
      const found = ids.indexOf(id)
      return found === -1 ? undefined : entryOf(texts[found] ?? '')
    },
  }
}
