import { type Socket, connect } from 'node:net'
import { HttpReader } from './http-reader.ts'
import { type Quantiles, quantiles } from './quantiles.ts'

/** One run of a closed loop: every connection sends its next request when the answer to the last one is whole. */
export interface LoadPlan {
  readonly url: string
  /** Whole HTTP requests, sent in turn. */
  readonly requests: readonly Buffer[]
  readonly connections: number
  readonly durationMs: number
  readonly isStream: boolean
}

export interface LoadResult {
  readonly requests: number
  readonly requestsPerS: number
  readonly latencyMs: Quantiles
  /** From the request to the first piece of the model's text. */
  readonly firstContentMs: Quantiles
  /** What went wrong, by kind. */
  readonly failures: Readonly<Record<string, number>>
}

/** When this many requests have failed nothing can be learned any more. */
const MAX_FAILURES = 200

/** Runs one plan. Requests that are under way when the time is over are not counted. */
export async function runLoad(plan: LoadPlan): Promise<LoadResult> {
  const run = new Run(plan)
  await Promise.all(Array.from({ length: plan.connections }, () => run.connection()))
  return run.result()
}

class Run {
  readonly #plan: LoadPlan
  readonly #started = performance.now()
  readonly #latencyMs: number[] = []
  readonly #firstContentMs: number[] = []
  readonly #failures = new Map<string, number>()
  #failed = 0
  #next = 0

  constructor(plan: LoadPlan) {
    this.#plan = plan
  }

  get #isOver(): boolean {
    return this.#failed >= MAX_FAILURES || performance.now() - this.#started >= this.#plan.durationMs
  }

  /** One connection until the time is over; it is opened again when the other side closes it. */
  async connection(): Promise<void> {
    while (!this.#isOver) await this.#oneSocket()
  }

  #oneSocket(): Promise<void> {
    return new Promise((resolve) => {
      const socket = open(this.#plan.url)
      const reader = new HttpReader({ keepBody: false, isAnswer: true })
      let sentAt = 0
      let firstAt = 0
      const send = (): void => {
        sentAt = performance.now()
        firstAt = 0
        reader.next()
        socket.write(this.#request())
      }
      const timer = setTimeout(() => socket.destroy(), this.#plan.durationMs + 10_000)
      socket.on('connect', send)
      socket.on('data', (chunk: Buffer) => {
        const isWhole = reader.push(chunk)
        if (firstAt === 0 && reader.message.hasContent) firstAt = performance.now()
        if (!isWhole) return
        this.#count(reader, sentAt, firstAt)
        if (this.#isOver) socket.destroy()
        else send()
      })
      socket.on('error', (error: NodeJS.ErrnoException) => this.#fail(error.code ?? 'socket error'))
      socket.on('close', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #request(): Buffer {
    const request = this.#plan.requests[this.#next % this.#plan.requests.length]
    this.#next += 1
    return request ?? Buffer.alloc(0)
  }

  #count(reader: HttpReader, sentAt: number, firstAt: number): void {
    const now = performance.now()
    if (now - this.#started > this.#plan.durationMs) return
    const { message, status } = reader
    if (status !== 200) this.#fail(`status ${status}`)
    else if (!message.hasContent) this.#fail('no content')
    else if (this.#plan.isStream && !message.tail.includes('[DONE]')) this.#fail('no [DONE]')
    else {
      this.#latencyMs.push(now - sentAt)
      this.#firstContentMs.push(firstAt - sentAt)
    }
  }

  #fail(kind: string): void {
    this.#failed += 1
    this.#failures.set(kind, (this.#failures.get(kind) ?? 0) + 1)
  }

  result(): LoadResult {
    const requests = this.#latencyMs.length
    const seconds = Math.min(this.#plan.durationMs, performance.now() - this.#started) / 1000
    return {
      requests,
      requestsPerS: requests / seconds,
      latencyMs: quantiles(this.#latencyMs),
      firstContentMs: quantiles(this.#firstContentMs),
      failures: Object.fromEntries(this.#failures),
    }
  }
}

/** One request by itself, its body included. @throws when the connection breaks before the answer is whole. */
export function ask(url: string, request: Buffer): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const socket = open(url)
    const reader = new HttpReader({ keepBody: true, isAnswer: true })
    socket.setTimeout(20_000, () => socket.destroy(new Error('no answer within 20 s')))
    socket.on('connect', () => socket.write(request))
    socket.on('data', (chunk: Buffer) => {
      if (!reader.push(chunk)) return
      socket.destroy()
      resolve({ status: reader.status, body: Buffer.concat(reader.message.body).toString() })
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the connection was closed before the answer was whole')))
  })
}

/** Sends one streaming request, leaves at the first content and says when, on the system's monotonic clock. */
export function leaveAtFirstContent(url: string, request: Buffer): Promise<bigint> {
  return new Promise((resolve, reject) => {
    const socket = open(url)
    const reader = new HttpReader({ keepBody: false, isAnswer: true })
    socket.setTimeout(20_000, () => socket.destroy(new Error('no content within 20 s')))
    socket.on('connect', () => socket.write(request))
    socket.on('data', (chunk: Buffer) => {
      if (reader.push(chunk))
        socket.destroy(new Error(`the answer was whole before it could be left (status ${reader.status})`))
      if (!reader.message.hasContent) return
      const at = process.hrtime.bigint()
      socket.destroy()
      resolve(at)
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the connection was closed before the first content')))
  })
}

function open(url: string): Socket {
  const { hostname, port } = new URL(url)
  return connect({ host: hostname, port: Number(port), noDelay: true })
}
