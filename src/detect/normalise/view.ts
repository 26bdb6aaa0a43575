/** A text made from another one to look through a disguise, with the way back. */
export interface View {
  readonly text: string
  /** For each character of `text` where what it stands for begins in the original; one more, for the end. */
  readonly origins: Uint32Array
}

/** Collects a view character by character. */
export class ViewBuilder {
  readonly #origins: number[] = []
  #text = ''

  add(characters: string, origin: number): void {
    this.#text += characters
    for (let at = 0; at < characters.length; at += 1) this.#origins.push(origin)
  }

  /** @param end Where the original ends. */
  view(end: number): View {
    this.#origins.push(end)
    return { text: this.#text, origins: Uint32Array.from(this.#origins) }
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
