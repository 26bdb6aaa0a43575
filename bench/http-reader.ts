/** What the reader has found out about one answer. */
export interface Answer {
  status: number
  /** Whether the first piece of the model's text is here. */
  hasContent: boolean
  /** The last bytes of the body, at least `[DONE]` and its line feeds when the stream ended with it. */
  tail: string
  /** The whole body, when it was asked for. */
  readonly body: Buffer[]
}

const HEAD_END = Buffer.from('\r\n\r\n')
const CONTENT_KEY = '"content":"'
const TAIL_BYTES = 24
const QUOTE = '"'
const LINE_FEED = 10

/**
 * Reads HTTP/1.1 answers from one connection, one after the other: by length or in chunks, cut anywhere. It does no
 * more than a load generator needs, so that the generator is not what is measured.
 */
export class HttpReader {
  readonly #keepBody: boolean
  #rest: Buffer | undefined
  #mode: 'head' | 'length' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer' = 'head'
  /** Body or chunk bytes that are still to come. */
  #left = 0
  #carry = ''
  #answer: Answer = fresh()

  constructor(keepBody: boolean) {
    this.#keepBody = keepBody
  }

  get answer(): Answer {
    return this.#answer
  }

  /** True when an answer is whole. What follows belongs to the next one, which begins with `next`. */
  push(chunk: Buffer): boolean {
    let data = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    this.#rest = undefined
    for (;;) {
      const used = this.#step(data)
      if (used === 'whole') return true
      if (used === 'more') {
        if (data.length > 0) this.#rest = data
        return false
      }
      data = data.subarray(used)
    }
  }

  next(): void {
    this.#answer = fresh()
    this.#carry = ''
  }

  /** Bytes that were used up, or that more are needed, or that the answer is whole. */
  #step(data: Buffer): number | 'more' | 'whole' {
    switch (this.#mode) {
      case 'head':
        return this.#head(data)
      case 'length':
      case 'chunk':
        return this.#data(data)
      case 'chunk-size':
        return this.#chunkSize(data)
      case 'chunk-end':
        if (data.length < 2) return 'more'
        this.#mode = 'chunk-size'
        return 2
      case 'trailer':
        if (data.length < 2) return 'more'
        this.#mode = 'head'
        return 'whole'
    }
  }

  #head(data: Buffer): number | 'more' {
    const end = data.indexOf(HEAD_END)
    if (end === -1) return 'more'
    const head = data.toString('latin1', 0, end).toLowerCase()
    this.#answer.status = Number(head.slice(9, 12))
    const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1]
    this.#left = length === undefined ? 0 : Number(length)
    this.#mode = length === undefined ? 'chunk-size' : 'length'
    return end + HEAD_END.length
  }

  #chunkSize(data: Buffer): number | 'more' {
    const end = data.indexOf(LINE_FEED)
    if (end === -1) return 'more'
    this.#left = Number.parseInt(data.toString('latin1', 0, end), 16)
    this.#mode = this.#left === 0 ? 'trailer' : 'chunk'
    return end + 1
  }

  #data(data: Buffer): number | 'more' | 'whole' {
    if (data.length === 0 && this.#left > 0) return 'more'
    const size = Math.min(this.#left, data.length)
    this.#look(data.subarray(0, size))
    this.#left -= size
    if (this.#left > 0) return size
    if (this.#mode === 'chunk') {
      this.#mode = 'chunk-end'
      return size
    }
    this.#mode = 'head'
    return 'whole'
  }

  #look(piece: Buffer): void {
    const answer = this.#answer
    if (this.#keepBody) answer.body.push(Buffer.from(piece))
    const tail = piece.toString('latin1', Math.max(0, piece.length - TAIL_BYTES))
    answer.tail = piece.length >= TAIL_BYTES ? tail : (answer.tail + tail).slice(-TAIL_BYTES)
    if (answer.hasContent) return
    const text = this.#carry + piece.toString('latin1')
    answer.hasContent = holdsContent(text)
    this.#carry = text.slice(-CONTENT_KEY.length)
  }
}

function fresh(): Answer {
  return { status: 0, hasContent: false, tail: '', body: [] }
}

/** Whether a text delta stands here that is not empty: the first event of a stream carries an empty one. */
function holdsContent(text: string): boolean {
  for (let at = text.indexOf(CONTENT_KEY); at !== -1; at = text.indexOf(CONTENT_KEY, at + 1)) {
    const next = text[at + CONTENT_KEY.length]
    if (next !== undefined && next !== QUOTE) return true
  }
  return false
}
