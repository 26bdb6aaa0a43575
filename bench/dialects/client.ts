import { Agent, type ClientRequest, type IncomingMessage, request as send } from 'node:http'
import type { BenchRequest } from './requests.ts'

export interface Caller {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

export interface Answered {
  readonly status: number
  readonly bytes: number
  readonly text: string
  /** When each piece of the body came, in milliseconds from the request. */
  readonly atMs: readonly number[]
}

function post(
  agent: Agent,
  { url, headers }: Caller,
  { path, body }: BenchRequest,
  answered: (response: IncomingMessage) => void,
): ClientRequest {
  const call = send(
    `${url}${path}`,
    {
      agent,
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    },
    answered,
  )
  call.end(body)
  return call
}

/** Asks once and reads to the end; `keep` keeps what came. @throws when the connection breaks. */
export function askOnce(agent: Agent, caller: Caller, asked: BenchRequest, keep = false): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const began = performance.now()
    const call = post(agent, caller, asked, (response) => {
      let bytes = 0
      const pieces: Buffer[] = []
      const atMs: number[] = []
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        atMs.push(performance.now() - began)
        if (keep) pieces.push(chunk)
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, bytes, text: Buffer.concat(pieces).toString(), atMs }),
      )
      response.on('error', reject)
    })
    call.on('error', reject)
  })
}

/** Leaves at the first piece of the answer. */
export function leaveEarly(agent: Agent, caller: Caller, asked: BenchRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = post(agent, caller, asked, (response) => {
      response.once('data', () => {
        call.destroy()
        resolve()
      })
      response.on('error', () => resolve())
    })
    call.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? resolve() : reject(error)))
  })
}

/** A closed loop: `connections` callers, each asks again when its answer is whole. */
export async function loop(
  caller: Caller,
  next: (number: number) => BenchRequest,
  { connections, durationMs }: { readonly connections: number; readonly durationMs: number },
): Promise<{ readonly requests: number; readonly failed: number; readonly seconds: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const began = performance.now()
  let requests = 0
  let failed = 0
  let number = 0
  const one = async (): Promise<void> => {
    while (performance.now() - began < durationMs && failed < 100) {
      number += 1
      const { status } = await askOnce(agent, caller, next(number)).catch(() => ({ status: 0 }))
      if (status === 200) requests += 1
      else failed += 1
    }
  }
  await Promise.all(Array.from({ length: connections }, one))
  agent.destroy()
  return { requests, failed, seconds: (performance.now() - began) / 1000 }
}
