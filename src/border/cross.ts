import { Pool } from 'undici'
import {
  type Cross,
  type CrossAnswer,
  CrossFault,
  type CrossRequest,
  type Crossing,
  type SessionCredential,
  type StaticCredential,
  type TokenCredential,
  type Trip,
} from '#contract/crossing.ts'
import { type Place, placeName } from '#contract/place.ts'
import { Lru } from '#kit/lru.ts'
import { randomHex } from '#kit/random-hex.ts'
import { AnswerReceiver } from './answer.ts'
import { credentialHeaders } from './credentials.ts'
import { type BorderRules, enforce } from './rules.ts'

export interface BorderOptions {
  /** Where this process runs: the `from` of every crossing. */
  readonly from: Place
  readonly rules: BorderRules
  /** Egress price of some bytes between two places, in millionths of a USD. */
  readonly egressMicroUsd: (from: Place, to: Place, bytes: number) => number
  /** Called once for each crossing when it has ended. */
  readonly observe?: (crossing: Crossing) => void
  /** Connections kept to one origin. Default 256. */
  readonly maxConnections?: number
}

export interface Border {
  readonly cross: Cross
  /** Closes every connection; calls under way get `closeMs` to end. */
  close(closeMs: number): Promise<void>
}

/** Private copy of the trace context: Google's front ends rewrite `traceparent`. */
const PRIVATE_TRACE_HEADER = 'x-thinplane-traceparent'
const KEEP_ALIVE_MS = 30_000
const KEEP_ALIVE_MAX_MS = 300_000

/** Opens the one door to the other clouds. Nothing else in the product opens a socket to one (law 1). */
export function openBorder(options: BorderOptions): Border {
  const pools = new Map<string, Pool>()
  const cross: Cross = (trip, request) => {
    const { credential } = request
    return credential.kind === 'token' || credential.kind === 'aws-session'
      ? crossWithIssued(credential, trip, (known) => crossOnce(options, pools, trip, request, known))
      : crossOnce(options, pools, trip, request, credential)
  }
  return {
    cross,
    close: async (closeMs) => {
      const timer = setTimeout(() => {
        for (const pool of pools.values()) void pool.destroy()
      }, closeMs)
      await Promise.allSettled([...pools.values()].map((pool) => pool.close()))
      clearTimeout(timer)
    },
  }
}

/** The token or session is a call of its own, which its source makes through this border. */
async function crossWithIssued(
  credential: TokenCredential | SessionCredential,
  trip: Trip,
  go: (credential: StaticCredential) => Promise<CrossAnswer>,
): Promise<CrossAnswer> {
  if (credential.kind === 'aws-session') {
    const { service, region, source } = credential
    return go({ kind: 'aws-sigv4', service, region, ...(await source.session(trip)) })
  }
  const secret = await credential.source.token(trip)
  return go({ kind: 'header', header: 'authorization', prefix: 'Bearer ', secret })
}

function crossOnce(
  options: BorderOptions,
  pools: Map<string, Pool>,
  trip: Trip,
  request: CrossRequest,
  credential: StaticCredential,
): Promise<CrossAnswer> {
  const calls = trip.calls.get(request.layer) ?? 0
  const bodyBytes = request.bytes?.length ?? (request.body === undefined ? 0 : Buffer.byteLength(request.body))
  try {
    enforce(options.rules, request, { calls, bodyBytes })
  } catch (error) {
    return Promise.reject(error as Error)
  }
  if (trip.signal.aborted || request.signal?.aborted === true)
    return Promise.reject(new CrossFault('aborted', 'given up before it began'))
  trip.calls.set(request.layer, calls + 1)
  const url = parsedUrl(request.url)
  const spanId = randomHex(8)
  const headers = outgoingHeaders(request, credential, trip, url, spanId)
  const path = url.pathname + url.search
  const crossing = openCrossing(options, request, url, spanId, bytesOf(request.method, path, headers) + bodyBytes)
  trip.crossings.push(crossing)
  const signals = request.signal === undefined ? [trip.signal] : [trip.signal, request.signal]
  const receiver = new AnswerReceiver(request, crossing, signals, (done) => options.observe?.(done))
  poolFor(pools, url.origin, request.connectMs, options.maxConnections ?? 256).dispatch(
    {
      path,
      method: request.method,
      headers,
      body: request.bytes ?? request.body ?? null,
      headersTimeout: 0,
      bodyTimeout: 0,
    },
    receiver,
  )
  return receiver.answered
}

function outgoingHeaders(
  request: CrossRequest,
  credential: StaticCredential,
  trip: Trip,
  url: URL,
  spanId: string,
): Record<string, string> {
  const traceparent = `00-${trip.traceId}-${spanId}-0${trip.sampled ? '1' : '0'}`
  const headers: Record<string, string> = { ...request.headers, traceparent, [PRIVATE_TRACE_HEADER]: traceparent }
  if (trip.requestId !== '') headers['x-request-id'] = trip.requestId
  const body = request.bytes ?? request.body ?? ''
  const call = { method: request.method, url, headers: request.headers, body, nowEpochMs: Date.now() }
  return Object.assign(headers, credentialHeaders(credential, call))
}

function openCrossing(
  options: BorderOptions,
  request: CrossRequest,
  url: URL,
  spanId: string,
  bytesOut: number,
): Crossing {
  // Keys in canonical order: this object is written into the audit entry as it stands.
  return {
    atEpochMs: Date.now(),
    bytesIn: 0,
    bytesOut,
    egressMicroUsd: options.egressMicroUsd(options.from, request.to, bytesOut),
    error: '',
    firstByteMs: 0,
    from: placeName(options.from),
    host: url.host,
    layer: request.layer,
    ms: 0,
    spanId,
    status: 0,
    to: placeName(request.to),
  }
}

/** Endpoints come from the configuration, so there are few: parsing each once spares a microsecond a call. */
const urls = new Lru<string, URL>(1000)

function parsedUrl(text: string): URL {
  let url = urls.get(text)
  if (url === undefined) {
    url = new URL(text)
    urls.set(text, url)
  }
  return url
}

function poolFor(pools: Map<string, Pool>, origin: string, connectMs: number, connections: number): Pool {
  const key = `${origin} ${connectMs}`
  let pool = pools.get(key)
  if (pool === undefined) {
    pool = new Pool(origin, {
      connections,
      connect: { timeout: connectMs },
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
    })
    pools.set(key, pool)
  }
  return pool
}

/** Request line and headers of an HTTP/1.1 request, with the three headers that the client adds. */
function bytesOf(method: string, path: string, headers: Readonly<Record<string, string>>): number {
  let bytes = method.length + path.length + 12 + 60
  for (const name in headers) bytes += name.length + (headers[name] ?? '').length + 4
  return bytes + 2
}
