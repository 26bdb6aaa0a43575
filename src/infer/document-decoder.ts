import type { Event } from '#contract/event.ts'
import { parseJson } from '#kit/json.ts'
import type { Decoder } from './provider.ts'

/** An answer that is one JSON document: read when it is whole. */
export class DocumentDecoder implements Decoder {
  readonly failure = undefined
  readonly #chunks: Uint8Array[] = []
  readonly #read: (document: unknown) => Event[]

  /** `read` is given undefined when the bytes are no JSON, and refuses what it can not use. */
  constructor(read: (document: unknown) => Event[]) {
    this.#read = read
  }

  push(bytes: Uint8Array): Event[] {
    this.#chunks.push(bytes)
    return []
  }

  end(): Event[] {
    return this.#read(parseJson(Buffer.concat(this.#chunks).toString('utf8')))
  }
}
