import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Fault, FaultBook, FaultKind } from './faults.ts'
import { waitForAbort, waitRoughly, waitUntil } from './pace.ts'
import type { LoggedRequest, RequestLog } from './request-log.ts'
import type { BodyReply, Reply, Service, SimRequest } from './service.ts'
import { bodySteps, isFlushedApart, streamSteps, writingFaults, type Step } from './stream-faults.ts'

/** What all services share. */
export interface Surroundings {
  readonly book: FaultBook
  readonly log: RequestLog
  /** Simulated round trip between the callers and this service, in milliseconds. */
  readonly roundTripMs: number
}

const MAX_BODY_BYTES = 32 * 1024 * 1024
/** Longer than the idle time of the clients' pools, so that it is them who close. */
const KEEP_ALIVE_MS = 65_000
/** A reset can overtake bytes that the client has not read yet: they get this head start. */
const RESET_DELAY_MS = 20
const DEFAULT_LATENCY_MS = 1_000
/** Nobody shall take a stand-in's answer for the real thing. */
const MARK = { 'x-thinplane-simulated': 'true' }

/** Lets a service answer on a server that listens already. */
export function serve(server: Server, service: Service, surroundings: Surroundings): void {
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.on('connection', (socket) => {
    if (surroundings.book.takeRefusal(service.name)) socket.resetAndDestroy()
    else socket.setNoDelay(true)
  })
  const greeted = new WeakSet<object>()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const isFirst = !greeted.has(request.socket)
    greeted.add(request.socket)
    void new Exchange(service, surroundings, request, response).run(isFirst)
  })
}

/** One request and its answer. */
class Exchange {
  readonly #service: Service
  readonly #surroundings: Surroundings
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #gone = new AbortController()
  #entry: LoggedRequest | undefined
  #isCutByUs = false

  constructor(service: Service, surroundings: Surroundings, request: IncomingMessage, response: ServerResponse) {
    this.#service = service
    this.#surroundings = surroundings
    this.#request = request
    this.#response = response
  }

  async run(isFirstOfConnection: boolean): Promise<void> {
    const startMs = performance.now()
    if (this.#surroundings.book.takeRefusal(this.#service.name)) return this.#reset()
    this.#response.on('close', () => this.#closed())
    try {
      const request = await this.#read()
      const { roundTripMs } = this.#surroundings
      const travelMs = roundTripMs / 2 + (isFirstOfConnection ? roundTripMs : 0)
      await waitUntil(startMs + travelMs + addedLatencyMs(request.faults), request.signal)
      await this.#answer(request)
    } catch (error) {
      // The client left, or the stand-in has a fault of its own: either way this connection has nothing more to say.
      if (this.#entry !== undefined && !this.#gone.signal.aborted) this.#entry.fault = String(error)
      this.#reset()
    }
  }

  async #read(): Promise<SimRequest> {
    const request = this.#request
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of request as AsyncIterable<Uint8Array>) {
      size += chunk.length
      if (size <= (this.#service.maxBodyBytes ?? MAX_BODY_BYTES)) chunks.push(chunk)
    }
    const target = request.url ?? '/'
    const mark = target.indexOf('?')
    const rawQuery = mark === -1 ? '' : target.slice(mark + 1)
    const body = Buffer.concat(chunks)
    const read = {
      method: request.method ?? 'GET',
      path: mark === -1 ? target : target.slice(0, mark),
      rawQuery,
      query: new URLSearchParams(rawQuery),
      headers: flatHeaders(request),
      body,
      text: this.#service.hasBinaryBodies === true ? '' : body.toString('utf8'),
      signal: this.#gone.signal,
    }
    this.#note(read, target)
    return { ...read, faults: this.#surroundings.book.take(this.#service.name, target) }
  }

  #note(request: Omit<SimRequest, 'faults'>, target: string): void {
    const { method, headers, text } = request
    this.#entry = {
      atEpochMs: Date.now(),
      method,
      target,
      headers,
      body: text,
      status: 0,
      finished: false,
      aborted: false,
      abortedAtEpochMs: undefined,
      fault: '',
    }
    this.#surroundings.log.add(this.#service.name, this.#entry)
    if (this.#gone.signal.aborted) this.#closed()
  }

  async #answer(request: SimRequest): Promise<void> {
    if (has(request.faults, 'hang')) return waitForAbort(request.signal)
    if (has(request.faults, 'reset-before')) return this.#reset()
    const reply = await this.#reply(request)
    await waitUntil(performance.now() + this.#surroundings.roundTripMs / 2, request.signal)
    if (request.signal.aborted) return
    await this.#write(reply, writingFaults(request.faults))
  }

  async #reply(request: SimRequest): Promise<Reply> {
    const failure = failureOf(request.faults, this.#service)
    if (failure !== undefined) return failure
    try {
      const reply = await this.#service.reply(request)
      const inStream = request.faults.find((fault) => fault.kind === 'error-in-stream')
      return inStream !== undefined && 'body' in reply ? this.#service.fail(inStream.status ?? 500) : reply
    } catch (error) {
      if (this.#entry !== undefined) this.#entry.fault = error instanceof Error ? (error.stack ?? '') : String(error)
      return this.#service.fail(500)
    }
  }

  async #write(reply: Reply, faults: readonly Fault[]): Promise<void> {
    if (this.#entry !== undefined) this.#entry.status = reply.status
    const headers = { ...reply.headers, ...MARK }
    if ('body' in reply && faults.length === 0) {
      this.#response.writeHead(reply.status, { ...headers, 'content-length': Buffer.byteLength(reply.body) })
      this.#response.end(reply.body)
      return
    }
    this.#response.writeHead(reply.status, headers)
    this.#response.flushHeaders()
    const { signal } = this.#gone
    const steps =
      'body' in reply ? bodySteps(reply.body, faults, signal) : streamSteps(reply.pieces, faults, this.#service, signal)
    await this.#send(steps, isFlushedApart(faults))
  }

  async #send(steps: AsyncIterable<Step>, flushApart: boolean): Promise<void> {
    const { signal } = this.#gone
    for await (const step of steps) {
      if (signal.aborted) return
      if (step === 'reset') {
        await waitRoughly(RESET_DELAY_MS, signal)
        return this.#reset()
      }
      if (!this.#response.write(step.bytes)) await once(this.#response, 'drain', { signal })
      if (flushApart) await nextTurn()
    }
    if (!signal.aborted) this.#response.end()
  }

  #reset(): void {
    this.#isCutByUs = true
    this.#request.socket.resetAndDestroy()
  }

  #closed(): void {
    this.#gone.abort()
    const entry = this.#entry
    if (entry === undefined) return
    entry.finished = this.#response.writableFinished
    if (entry.finished || this.#isCutByUs || entry.aborted) return
    entry.aborted = true
    entry.abortedAtEpochMs = Date.now()
  }
}

function failureOf(faults: readonly Fault[], service: Service): BodyReply | undefined {
  const throttle = faults.find((fault) => fault.kind === 'throttle')
  if (throttle !== undefined) return service.fail(throttle.status ?? 429, throttle.retryAfterS ?? 1)
  const error = faults.find((fault) => fault.kind === 'error')
  return error === undefined ? undefined : service.fail(error.status ?? 500, error.retryAfterS)
}

function addedLatencyMs(faults: readonly Fault[]): number {
  return faults
    .filter((fault) => fault.kind === 'latency')
    .reduce((sum, fault) => sum + (fault.ms ?? DEFAULT_LATENCY_MS), 0)
}

function has(faults: readonly Fault[], kind: FaultKind): boolean {
  return faults.some((fault) => fault.kind === kind)
}

function flatHeaders(request: IncomingMessage): Record<string, string> {
  const flat: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return flat
}
