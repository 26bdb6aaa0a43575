/** What the reader has found out about one message. */
export interface Message {
  /** Request line or status line. */
  firstLine: string
  /** Whether the first piece of the model's text is here. */
  hasContent: boolean
  /** The last bytes of the body, at least `[DONE]` and its line feeds when the stream ended with it. */
  tail: string
  /** The whole body, when it was asked for. */
  readonly body: Buffer[]
}

export interface ReaderOptions {
  readonly keepBody: boolean
  /** Whether to look for the first text of a model and to keep the end: for answers, not for requests. */
  readonly isAnswer: boolean
}

const HEAD_END = Buffer.from('\r\n\r\n')
const CONTENT_KEY = '"content":"'
const TAIL_BYTES = 24
const QUOTE = '"'
const LINE_FEED = 10

/**
 * Reads HTTP/1.1 messages from one connection, one after the other: by length or in chunks, cut anywhere. It does no
 * more than a load generator and a stand-in for a model need, so that they are not what is measured.
 */
export class HttpReader {
  readonly #options: ReaderOptions
  #rest: Buffer | undefined
  #mode: 'head' | 'length' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer' = 'head'
  /** Body or chunk bytes that are still to come. */
  #left = 0
  #carry = ''
  #message: Message = fresh()

  constructor(options: ReaderOptions) {
    this.#options = options
  }

  get message(): Message {
    return this.#message
  }

  /** Of an answer. */
  get status(): number {
    return Number(this.#message.firstLine.slice(9, 12))
  }

  /** True when a message is whole. What follows belongs to the next one, which begins with `next`. */
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
    this.#message = fresh()
    this.#carry = ''
  }

  /** Bytes that were used up, or that more are needed, or that the message is whole. */
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
    this.#message.firstLine = head.slice(0, head.indexOf('\r'))
    const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1]
    const isChunked = length === undefined && head.includes('\r\ntransfer-encoding: chunked')
    this.#left = Number(length ?? 0)
    this.#mode = isChunked ? 'chunk-size' : 'length'
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
    const answer = this.#message
    if (this.#options.keepBody && piece.length > 0) answer.body.push(piece)
    if (!this.#options.isAnswer) return
    const tail = piece.toString('latin1', Math.max(0, piece.length - TAIL_BYTES))
    answer.tail = piece.length >= TAIL_BYTES ? tail : (answer.tail + tail).slice(-TAIL_BYTES)
    if (answer.hasContent) return
    const text = this.#carry + piece.toString('latin1')
    answer.hasContent = holdsContent(text)
    this.#carry = text.slice(-CONTENT_KEY.length)
  }
}

function fresh(): Message {
  return { firstLine: '', hasContent: false, tail: '', body: [] }
}

/** Whether a text delta stands here that is not empty: the first event of a stream carries an empty one. */
function holdsContent(text: string): boolean {
  for (let at = text.indexOf(CONTENT_KEY); at !== -1; at = text.indexOf(CONTENT_KEY, at + 1)) {
    const next = text[at + CONTENT_KEY.length]
    if (next !== undefined && next !== QUOTE) return true
  }
  return false
}
