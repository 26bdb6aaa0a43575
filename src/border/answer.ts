import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { Dispatcher } from 'undici'
import { type CrossAnswer, CrossFault, type CrossRequest, type Crossing } from '#contract/crossing.ts'

/** Timers may fire a little before their time. */
const TIMER_SLACK_MS = 2

/** Above this many unread bytes the far side is asked to pause. */
const HIGH_WATER_BYTES = 262_144

/**
 * Receives one answer from undici and hands it on as an async iterable, with deadlines, byte counts and an upper
 * bound. A hand-written handler and queue instead of a web stream: one promise for each piece that is waited for.
 */
export class AnswerReceiver implements Dispatcher.DispatchHandler {
  readonly #request: CrossRequest
  readonly #crossing: Crossing
  readonly #started: number
  readonly #settled: (crossing: Crossing) => void
  readonly #answered: PromiseWithResolvers<CrossAnswer> = Promise.withResolvers()
  #controller: Dispatcher.DispatchController | undefined
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #bodyBytes = 0
  #ended = false
  #fault: CrossFault | undefined
  #wake: (() => void) | undefined
  /** What the far side has to do by when; one timer looks at both deadlines, and at how long ago it last moved. */
  #phase: 'first-byte' | 'idle' | 'paused' = 'first-byte'
  #idleMs: number
  #movedAt: number
  #timer: NodeJS.Timeout
  #unlink: () => void

  constructor(
    request: CrossRequest,
    crossing: Crossing,
    signals: readonly AbortSignal[],
    settled: (crossing: Crossing) => void,
  ) {
    this.#request = request
    this.#crossing = crossing
    this.#settled = settled
    this.#started = performance.now()
    this.#movedAt = this.#started
    this.#idleMs = request.idleMs
    this.#timer = setTimeout(this.#look, Math.min(request.totalMs, request.firstByteMs))
    const abort = (): void => this.#fail(new CrossFault('aborted', 'given up'))
    for (const signal of signals) signal.addEventListener('abort', abort, { once: true })
    this.#unlink = () => {
      for (const signal of signals) signal.removeEventListener('abort', abort)
    }
  }

  get answered(): Promise<CrossAnswer> {
    return this.#answered.promise
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#fault !== undefined) controller.abort(this.#fault)
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHeaders): void {
    if (status < 200) return
    this.#crossing.status = status
    this.#crossing.firstByteMs = this.#sinceStart()
    this.#phase = 'idle'
    this.#movedAt = performance.now()
    this.#rearm()
    const flat: Record<string, string> = {}
    let bytes = 17
    for (const [name, value] of Object.entries(headers)) {
      if (value === undefined) continue
      flat[name] = Array.isArray(value) ? value.join(', ') : value
      bytes += name.length + (flat[name] ?? '').length + 4
    }
    this.#crossing.bytesIn += bytes
    this.#answered.resolve({
      status,
      headers: flat,
      body: { [Symbol.asyncIterator]: () => this.#iterator() },
      text: () => this.#text(flat['content-encoding']),
      setIdleMs: (idleMs) => this.#setIdleMs(idleMs),
      cancel: () => this.#fail(new CrossFault('aborted', 'given up')),
      crossing: this.#crossing,
    })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bodyBytes += chunk.length
    this.#crossing.bytesIn += chunk.length
    if (this.#bodyBytes > this.#request.maxAnswerBytes) {
      this.#fail(new CrossFault('too-large', `the answer is over ${this.#request.maxAnswerBytes} bytes`))
      return
    }
    this.#movedAt = performance.now()
    this.#queue.push(chunk)
    this.#queuedBytes += chunk.length
    if (this.#queuedBytes > HIGH_WATER_BYTES) {
      controller.pause()
      this.#phase = 'paused'
    }
    this.#wake?.()
  }

  onResponseEnd(): void {
    this.#settle('')
    this.#ended = true
    this.#wake?.()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(faultOf(error, this.#request))
  }

  /** Fails what is late, and otherwise looks again when the next deadline may have come. */
  readonly #look = (): void => {
    const now = performance.now()
    const { totalMs, firstByteMs } = this.#request
    if (now - this.#started >= totalMs - TIMER_SLACK_MS)
      this.#fail(new CrossFault('timeout-total', `no end after ${totalMs} ms`))
    else if (this.#phase === 'first-byte' && now - this.#started >= firstByteMs - TIMER_SLACK_MS) {
      this.#fail(new CrossFault('timeout-first-byte', `no answer after ${firstByteMs} ms`))
    } else if (this.#phase === 'idle' && now - this.#movedAt >= this.#idleMs - TIMER_SLACK_MS) {
      this.#fail(new CrossFault('timeout-idle', `nothing for ${Math.round(this.#idleMs)} ms`))
    } else this.#rearm()
  }

  #rearm(): void {
    clearTimeout(this.#timer)
    const totalAt = this.#started + this.#request.totalMs
    const phaseAt =
      this.#phase === 'idle'
        ? this.#movedAt + this.#idleMs
        : this.#phase === 'paused'
          ? totalAt
          : this.#started + this.#request.firstByteMs
    this.#timer = setTimeout(this.#look, Math.max(1, Math.min(totalAt, phaseAt) - performance.now()))
  }

  #setIdleMs(idleMs: number): void {
    const isSooner = idleMs < this.#idleMs
    this.#idleMs = idleMs
    this.#movedAt = performance.now()
    if (isSooner && !this.#ended && this.#fault === undefined) this.#rearm()
  }

  #fail(fault: CrossFault): void {
    if (this.#ended || this.#fault !== undefined) return
    this.#fault = fault
    this.#settle(fault.kind)
    this.#controller?.abort(fault)
    this.#answered.promise.catch(() => undefined)
    this.#answered.reject(fault)
    this.#wake?.()
  }

  #settle(error: string): void {
    clearTimeout(this.#timer)
    this.#unlink()
    this.#crossing.ms = this.#sinceStart()
    this.#crossing.error = error
    this.#settled(this.#crossing)
  }

  #sinceStart(): number {
    return round(performance.now() - this.#started)
  }

  #iterator(): AsyncIterator<Uint8Array> {
    return {
      next: () => this.#next(),
      return: () => {
        this.#fail(new CrossFault('aborted', 'given up'))
        return Promise.resolve({ done: true, value: undefined })
      },
    }
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      const chunk = this.#take()
      if (chunk !== undefined) return { done: false, value: chunk }
      if (this.#fault !== undefined) throw this.#fault
      if (this.#ended) return { done: true, value: undefined }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
  }

  /** Everything that is waiting, as one piece. */
  #take(): Uint8Array | undefined {
    const [first] = this.#queue
    if (first === undefined) return undefined
    const chunk = this.#queue.length === 1 ? first : Buffer.concat(this.#queue)
    const wasPaused = this.#queuedBytes > HIGH_WATER_BYTES
    this.#queue = []
    // Before `resume`: more may arrive inside of it.
    this.#queuedBytes = 0
    if (wasPaused && !this.#ended && this.#fault === undefined) {
      this.#phase = 'idle'
      this.#movedAt = performance.now()
      this.#rearm()
      this.#controller?.resume()
    }
    return chunk
  }

  async #text(encoding: string | undefined): Promise<string> {
    const chunks: Uint8Array[] = []
    for (;;) {
      const next = await this.#next()
      if (next.done === true) break
      chunks.push(next.value)
    }
    try {
      return unpacked(Buffer.concat(chunks), encoding, this.#request.maxAnswerBytes).toString('utf8')
    } catch (error) {
      const isTooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
      const fault = isTooLarge
        ? new CrossFault('too-large', `the answer is over ${this.#request.maxAnswerBytes} bytes`, error)
        : new CrossFault('reset', `the answer is not ${encoding ?? ''}`, error)
      this.#crossing.error = fault.kind
      throw fault
    }
  }
}

/** A small body that the far side compressed because the request's `accept-encoding` let it. */
function unpacked(body: Buffer, encoding: string | undefined, maxBytes: number): Buffer {
  const limit = { maxOutputLength: maxBytes }
  if (encoding === 'zstd') return zstdDecompressSync(body, limit)
  if (encoding === 'br') return brotliDecompressSync(body, limit)
  return encoding === 'gzip' ? gunzipSync(body, limit) : body
}

type IncomingHeaders = Record<string, string | string[] | undefined>

/** Microseconds are enough for a duration in milliseconds. */
export function round(ms: number): number {
  return Math.round(ms * 1000) / 1000
}

function faultOf(error: Error, request: CrossRequest): CrossFault {
  if (error instanceof CrossFault) return error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  const host = new URL(request.url).host
  if (code === 'UND_ERR_CONNECT_TIMEOUT')
    return new CrossFault('timeout-connect', `no connection to ${host} after ${request.connectMs} ms`, error)
  if (CONNECT_CODES.has(code)) return new CrossFault('connect', `no connection to ${host} (${code})`, error)
  return new CrossFault('reset', `${host} broke the connection (${code})`, error)
}

const CONNECT_CODES = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])
