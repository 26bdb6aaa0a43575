/**
 * Incremental decoder of server-sent events (WHATWG HTML, section 9.2.6): LF, CR and CRLF line ends,
 * split anywhere, also inside a UTF-8 sequence. Only `event` and `data` are kept.
 */
export class SseDecoder {
  readonly #utf8 = new TextDecoder('utf-8')
  #buffer = ''
  #event = ''
  #data: string[] = []
  #skipLineFeed = false

  /** Feeds bytes and returns the events that they complete. */
  push(bytes: Uint8Array): SseEvent[] {
    return this.#drain(this.#utf8.decode(bytes, { stream: true }))
  }

  /** Whether bytes are waiting that belong to no complete event: at the end of a stream this means it was cut. */
  get pending(): boolean {
    return this.#buffer.trim() !== '' || this.#data.length > 0
  }

  #drain(text: string): SseEvent[] {
    const events: SseEvent[] = []
    this.#buffer += text
    let start = 0
    const buffer = this.#buffer
    for (;;) {
      if (this.#skipLineFeed && start < buffer.length) {
        if (buffer.charCodeAt(start) === LF) start += 1
        this.#skipLineFeed = false
      }
      const end = lineEnd(buffer, start)
      if (end === -1) break
      if (buffer.charCodeAt(end) === CR) this.#skipLineFeed = true
      this.#line(buffer.slice(start, end), events)
      start = end + 1
    }
    this.#buffer = buffer.slice(start)
    return events
  }

  #line(line: string, events: SseEvent[]): void {
    if (line === '') {
      if (this.#data.length > 0) events.push({ event: this.#event, data: this.#data.join('\n') })
      this.#event = ''
      this.#data = []
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return
    const field = colon === -1 ? line : line.slice(0, colon)
    let value = colon === -1 ? '' : line.slice(colon + 1)
    if (value.startsWith(' ')) value = value.slice(1)
    if (field === 'data') this.#data.push(value)
    else if (field === 'event') this.#event = value
  }
}

export interface SseEvent {
  /** Empty when the stream named none. */
  readonly event: string
  readonly data: string
}

const LF = 10
const CR = 13

function lineEnd(text: string, from: number): number {
  const lf = text.indexOf('\n', from)
  const cr = text.indexOf('\r', from)
  if (cr === -1) return lf
  if (lf === -1) return cr
  return Math.min(lf, cr)
}
