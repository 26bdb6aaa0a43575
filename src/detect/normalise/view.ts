/** A text made from another one to look through a disguise, with the way back. */
export interface View {
  readonly text: string
  /** For each character of `text` where what it stands for begins in the original; one more, for the end. */
  readonly origins: Uint32Array
}

/** Collects a view piece by piece. */
export class ViewBuilder {
  readonly #source: string
  readonly #origins: Uint32Array
  #text = ''
  #length = 0

  /** @param source What the view is made from; a view is never longer. */
  constructor(source: string) {
    this.#source = source
    this.#origins = new Uint32Array(source.length + 1)
  }

  get length(): number {
    return this.#length
  }

  /** A stretch of the source, as it is. */
  copy(start: number, end: number): void {
    this.#text += this.#source.slice(start, end)
    for (let at = start; at < end; at += 1) this.#origins[this.#length++] = at
  }

  /** One character that stands for what begins at `origin`. */
  put(character: string, origin: number): void {
    this.#text += character
    this.#origins[this.#length++] = origin
  }

  /** @param end Where the original ends. */
  view(end: number): View {
    this.#origins[this.#length] = end
    return { text: this.#text, origins: this.#origins.subarray(0, this.#length + 1) }
  }
}

/** The place in the original that `start` to `end` of a view stands for. */
export function originOf({ origins }: View, start: number, end: number): readonly [start: number, end: number] {
  const last = origins[end - 1] ?? 0
  let after = end
  // Several characters may stand for one stretch: the stretch is taken whole.
  while (after < origins.length - 1 && origins[after] === last) after += 1
  return [origins[start] ?? 0, origins[after] ?? last]
}
