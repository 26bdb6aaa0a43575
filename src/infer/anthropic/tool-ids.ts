/** Ids that the service takes. */
const LEGAL = /^[a-zA-Z0-9_-]+$/

/**
 * Ids of tool calls for one request, which has to be read in order: the service takes few characters, and each id once,
 * while others number their calls anew in every turn.
 */
export class ToolIds {
  readonly #latest = new Map<string, string>()
  readonly #taken = new Set<string>()

  /** The id of a call. The same history gives the same ids, so that caches hold. */
  forCall(id: string): string {
    const legal = legalId(id)
    let free = legal
    for (let again = 2; this.#taken.has(free); again += 1) free = `${legal}-${again}`
    this.#taken.add(free)
    this.#latest.set(id, free)
    return free
  }

  /** The id in a result: that of the latest call by this id. */
  forResult(id: string): string {
    return this.#latest.get(id) ?? legalId(id)
  }
}

function legalId(id: string): string {
  return LEGAL.test(id) ? id : `tp_${Buffer.from(id, 'utf8').toString('base64url')}`
}
