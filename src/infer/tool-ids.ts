import { createHash } from 'node:crypto'

/**
 * Ids of tool calls for one request, which has to be read in order: vendors take few characters, and each id once, while
 * others number their calls anew in every turn.
 */
export class ToolIds {
  readonly #legal: RegExp
  readonly #latest = new Map<string, string>()
  readonly #taken = new Set<string>()

  /** @param legal What an id may look like at the target. */
  constructor(legal: RegExp) {
    this.#legal = legal
  }

  /** The id of a call. The same history gives the same ids, so that caches hold. */
  forCall(id: string): string {
    let free = this.#legalId(id)
    for (let again = 2; this.#taken.has(free); again += 1) free = this.#legalId(`${id}-${again}`)
    this.#taken.add(free)
    this.#latest.set(id, free)
    return free
  }

  /** The id in a result: that of the latest call by this id. */
  forResult(id: string): string {
    return this.#latest.get(id) ?? this.#legalId(id)
  }

  #legalId(id: string): string {
    return this.#legal.test(id) ? id : `tp_${createHash('sha256').update(id).digest('hex').slice(0, 32)}`
  }
}
