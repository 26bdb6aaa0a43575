/** What the tests of this folder need of an HTTP client, and nothing of the product's own. */
import assert from 'node:assert/strict'
import { request, type Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { startSimClouds, type SimClouds } from './start.ts'
import type { SimCloudsOptions } from './options.ts'

/** Runs a test against simulated clouds of its own, without latency unless it asks for some. */
export async function withClouds(options: SimCloudsOptions, body: (clouds: SimClouds) => Promise<void>): Promise<void> {
  const clouds = await startSimClouds({ latencyScale: 0, ...options })
  try {
    await body(clouds)
  } finally {
    await clouds.close()
  }
}

export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** As they came off the socket. */
  readonly pieces: readonly Uint8Array[]
  readonly text: string
  /** `ECONNRESET` and the like, when the answer was cut; empty when it was whole. */
  readonly error: string
}

/** Sends one request on a connection of its own, or on the agent's, and reads whatever comes. */
export function send(
  url: string,
  body: string | undefined,
  headers: Readonly<Record<string, string>> = {},
  agent: Agent | false = false,
): Promise<Answered> {
  const { promise, resolve } = Promise.withResolvers<Answered>()
  const pieces: Uint8Array[] = []
  let status = 0
  let answerHeaders: Answered['headers'] = {}
  const finish = (error: string) => {
    resolve({ status, headers: answerHeaders, pieces, text: Buffer.concat(pieces).toString('utf8'), error })
  }
  const outgoing = request(url, { method: body === undefined ? 'GET' : 'POST', headers, agent }, (response) => {
    status = response.statusCode ?? 0
    answerHeaders = response.headers
    response.on('data', (piece: Uint8Array) => pieces.push(piece))
    response.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message))
    response.on('end', () => finish(''))
  })
  outgoing.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message))
  outgoing.end(body)
  return promise
}

/** Sends JSON. */
export function sendJson(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  return send(url, JSON.stringify(body), { 'content-type': 'application/json', ...headers })
}

/** Reads a field of JSON by its path, undefined when it is not there. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let here: unknown = typeof value === 'string' ? JSON.parse(value) : value
  for (const step of path) {
    here = typeof here === 'object' && here !== null ? new Map(Object.entries(here)).get(String(step)) : undefined
  }
  return here
}

/** Reads text by its path; other values as JSON, empty when nothing is there. */
export function textAt(value: unknown, ...path: readonly (string | number)[]): string {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : (JSON.stringify(found) ?? '')
}

/** The `data:` lines of a stream of server-sent events. */
export function dataLines(text: string): readonly string[] {
  return text.split('\n\n').flatMap((block) => (block.startsWith('data: ') ? [block.slice(6)] : []))
}

/** Waits until something is true, at most two seconds. */
export async function eventually(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 && !isTrue(); tries += 1) await sleep(10)
  assert.ok(isTrue())
}
