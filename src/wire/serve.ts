import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Call, Served } from '#contract/call.ts'
import type { Trip } from '#contract/crossing.ts'
import { Refusal, asRefusal } from '#contract/refusal.ts'
import { randomHex } from '#kit/random-hex.ts'
import { anthropicCount, anthropicMessages } from './anthropic/dialect.ts'
import { challengeOf } from './challenge.ts'
import type { AnswerFacts, WireDialect } from './dialect.ts'
import { openaiChat } from './openai/dialect.ts'
import { openaiEmbeddings } from './openai-embeddings/dialect.ts'
import { openaiResponses } from './openai-responses/dialect.ts'
import { isWorthRetrying, rateHeaders } from './rate-headers.ts'
import { readBody } from './read-body.ts'
import { writePiece } from './stream-writer.ts'
import { traceContext } from './trace-context.ts'

export interface ServeOptions {
  readonly host: string
  readonly port: number
  readonly maxBodyBytes: number
  /** Requests that may be open at once; more are told to come back. */
  readonly maxConcurrent: number
  /** A request has to be whole within this. */
  readonly requestTimeoutMs: number
  /** The journey, bound to the current configuration. */
  readonly run: (call: Call) => Promise<Served>
  /** Everything that is not a model call: health, metrics, models, admin, the status page. Undefined: not its path. */
  readonly pages: (request: PageRequest) => Promise<PageAnswer | undefined> | PageAnswer | undefined
}

export interface PageRequest {
  /** GET, HEAD, POST, PUT, PATCH or DELETE, as it came. */
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly authorization: string | undefined
  readonly apiKey: string | undefined
  /** A header by its lower-case name. */
  readonly header: (name: string) => string | undefined
  /**
   * The body as text, 64 KB at most.
   * @throws {Refusal} WIRE_TOO_LARGE, WIRE_MALFORMED, WIRE_UNSUPPORTED, CALLER_GONE
   */
  readonly body: () => Promise<string>
  readonly trip: Trip
}

export interface PageAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: string
}

export interface Serving {
  readonly url: string
  /** Stops taking requests, lets those under way end, and cuts what is left after `drainMs`. */
  close(drainMs: number): Promise<void>
  readonly inFlight: number
}

const DIALECTS: Readonly<Record<string, WireDialect>> = {
  '/v1/chat/completions': openaiChat,
  '/v1/responses': openaiResponses,
  '/v1/embeddings': openaiEmbeddings,
  '/v1/messages': anthropicMessages,
  '/v1/messages/count_tokens': anthropicCount,
}
/** Tokens with many groups come near 10 KB. */
const MAX_HEADER_BYTES = 32_768
/** Bodies of the admin API are small. */
const MAX_PAGE_BODY_BYTES = 65_536
const HEADERS_TIMEOUT_MS = 10_000
const KEEP_ALIVE_MS = 65_000

/** @throws when the port is taken; the message says which and what to do. */
export async function serve(options: ServeOptions): Promise<Serving> {
  const state = { inFlight: 0, draining: false }
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, options.requestTimeoutMs),
      requestTimeout: options.requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: Math.min(1000, options.requestTimeoutMs),
      noDelay: true,
    },
    (request, response) => {
      state.inFlight += 1
      handle(options, state, request, response).catch(() => response.destroy())
    },
  )
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) =>
    answerBrokenRequest(error, socket, options),
  )
  await listen(server, options)
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : options.port
  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    get inFlight() {
      return state.inFlight
    },
    close: (drainMs) => close(server, state, drainMs),
  }
}

function listen(server: Server, { host, port }: ServeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE')
        reject(new Error(`port ${port} on ${host} is taken: stop what uses it, or choose another with --port`))
      else if (error.code === 'EACCES')
        reject(new Error(`port ${port} on ${host} may not be used by this account: choose one above 1023 with --port`))
      else reject(error)
    })
    server.listen(port, host, resolve)
  })
}

async function close(server: Server, state: { draining: boolean }, drainMs: number): Promise<void> {
  state.draining = true
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), drainMs)
  const sweep = setInterval(() => server.closeIdleConnections(), 50)
  await closed
  clearTimeout(timer)
  clearInterval(sweep)
}

async function handle(
  options: ServeOptions,
  state: { inFlight: number; draining: boolean },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = pathOf(request.url ?? '/')
  const requestId = newRequestId()
  const { traceId, sampled } = traceContext(headerOf(request, 'traceparent'))
  const gone = new AbortController()
  response.once('close', () => {
    state.inFlight -= 1
    if (!response.writableFinished) gone.abort()
  })
  const reply: Reply = {
    response,
    headers: {
      'x-request-id': requestId,
      traceparent: `00-${traceId}-${requestId.slice(-16)}-0${sampled ? '1' : '0'}`,
    },
  }
  const trip: Trip = { requestId, traceId, sampled, signal: gone.signal, crossings: [], calls: new Map() }
  const dialect = dialectOf(path)
  try {
    if (state.draining) throw new Refusal('DRAINING', 'this process is stopping, try again', { retryAfterS: 1 })
    if (dialect !== undefined && isModelCall(path)) {
      if (request.method !== 'POST')
        throw new Refusal('WIRE_NOT_FOUND', `\`${path}\` takes POST, not ${request.method ?? ''}`)
      if (state.inFlight > options.maxConcurrent) {
        throw new Refusal('OVERLOADED', `${options.maxConcurrent} requests are open, try again in 1 s`, {
          retryAfterS: 1,
        })
      }
      await modelCall(options, dialect, request, reply, trip)
    } else await page(options, path, request, reply, trip)
  } catch (error) {
    answerRefusal(reply, dialect ?? openaiChat, asRefusal(error), requestId)
  }
}

async function modelCall(
  options: ServeOptions,
  dialect: WireDialect,
  request: IncomingMessage,
  reply: Reply,
  trip: Trip,
): Promise<void> {
  const served = await options.run({
    dialect: dialect.dialect,
    authorization: headerOf(request, 'authorization'),
    apiKey: headerOf(request, 'x-api-key'),
    cacheControl: headerOf(request, 'cache-control'),
    trip,
    peer: request.socket.remoteAddress ?? '',
    ask: async (seen) => {
      const body = await readBody(request, { maxBytes: options.maxBodyBytes })
      seen(body)
      return dialect.decode(body, (name) => headerOf(request, name))
    },
  })
  const answer: AnswerFacts = {
    requestId: trip.requestId,
    alias: served.ask.alias,
    target: served.target,
    createdEpochS: Math.floor(Date.now() / 1000),
    includeUsage: served.ask.includeUsage,
    ask: served.ask,
    sources: served.sources,
    isStored: served.isStored,
  }
  reply.headers['x-thinplane-target'] = served.target
  if (served.cache !== '') reply.headers['x-thinplane-cache'] = served.cache
  if (served.dropped.length > 0) reply.headers['x-thinplane-dropped'] = headerList(served.dropped)
  reply.headers['server-timing'] = served.serverTiming
  if (served.rates !== undefined) Object.assign(reply.headers, rateHeaders(served.rates))
  try {
    if (served.ask.stream) await answerStream(dialect, reply, served, answer)
    else await answerWhole(dialect, reply, served, answer)
  } catch (error) {
    // An answer that nobody reads has an end as well: its entry is written, and what limits hold for it is settled.
    await served.batches[Symbol.asyncIterator]()
      .return?.()
      .catch(() => undefined)
    throw error
  }
}

async function answerStream(
  dialect: WireDialect,
  { response, headers }: Reply,
  served: Served,
  answer: AnswerFacts,
): Promise<void> {
  const encoder = dialect.streamEncoder(answer)
  headers['content-type'] = 'text/event-stream; charset=utf-8'
  headers['cache-control'] = 'no-cache'
  headers['x-accel-buffering'] = 'no'
  response.writeHead(200, headers)
  try {
    for await (const batch of served.batches) {
      const blocked = writePiece(response, encoder.push(batch))
      if (blocked !== undefined) await blocked
      // Leaving the loop closes the entry and the call upstream.
      if (response.destroyed) break
    }
  } catch (error) {
    response.write(encoder.fail(asRefusal(error)))
  }
  response.end()
}

async function answerWhole(dialect: WireDialect, reply: Reply, served: Served, answer: AnswerFacts): Promise<void> {
  const encoder = dialect.wholeEncoder(answer)
  for await (const batch of served.batches) encoder.push(batch)
  sendJson(reply, 200, encoder.end())
}

async function page(
  options: ServeOptions,
  path: string,
  request: IncomingMessage,
  { response, headers }: Reply,
  trip: Trip,
): Promise<void> {
  const answer = await options.pages({
    method: request.method ?? 'GET',
    path,
    query: new URLSearchParams((request.url ?? '').split('?')[1] ?? ''),
    authorization: headerOf(request, 'authorization'),
    apiKey: headerOf(request, 'x-api-key'),
    header: (name) => headerOf(request, name),
    body: () => readBody(request, { maxBytes: MAX_PAGE_BODY_BYTES, limit: 'the admin API takes no more' }),
    trip,
  })
  request.resume()
  if (answer === undefined) {
    throw new Refusal(
      'WIRE_NOT_FOUND',
      'there is no such path, model calls go to POST /v1/chat/completions, /v1/responses, /v1/embeddings or /v1/messages, and GET /v1/models lists the models',
    )
  }
  const all: Record<string, string | string[]> = { ...headers }
  for (const [name, value] of Object.entries(answer.headers)) all[name] = typeof value === 'string' ? value : [...value]
  response.writeHead(answer.status, { ...all, 'content-length': String(Buffer.byteLength(answer.body)) })
  response.end(request.method === 'HEAD' ? '' : answer.body)
}

function answerRefusal(reply: Reply, dialect: WireDialect, refusal: Refusal, requestId: string): void {
  const { response, headers } = reply
  if (response.headersSent || response.destroyed) {
    response.end()
    return
  }
  if (refusal.retryAfterS !== undefined) headers['retry-after'] = String(Math.max(1, Math.ceil(refusal.retryAfterS)))
  if (!isWorthRetrying(refusal)) headers['x-should-retry'] = 'false'
  if (refusal.status === 401) headers['www-authenticate'] = challengeOf(refusal)
  // What is left of a body that was not read would be taken for the next request.
  if (!response.req.complete) headers['connection'] = 'close'
  sendJson(reply, refusal.status, dialect.error(refusal, requestId))
}

function sendJson({ response, headers }: Reply, status: number, body: string): void {
  headers['content-type'] = 'application/json; charset=utf-8'
  headers['content-length'] = String(Buffer.byteLength(body))
  response.writeHead(status, headers)
  response.end(body)
}

/** A response and the headers that it will have: written in one go, since each `setHeader` costs a check and a copy. */
interface Reply {
  readonly response: ServerResponse
  readonly headers: Record<string, string>
}

/** Node found the request broken or too slow before it became one: the connection is all there is to answer on. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket, { requestTimeoutMs }: ServeOptions): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const refusal =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? new Refusal('WIRE_TOO_SLOW', `the request was not whole within ${requestTimeoutMs} ms, send it faster`)
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? new Refusal('WIRE_TOO_LARGE', `the headers are over ${MAX_HEADER_BYTES} bytes, send a smaller token`)
        : new Refusal('WIRE_MALFORMED', 'this is not an HTTP request')
  const body = openaiChat.error(refusal, newRequestId())
  socket.end(
    `HTTP/1.1 ${refusal.status} ${REASONS[refusal.status] ?? ''}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Content Too Large',
}

function pathOf(url: string): string {
  const end = url.indexOf('?')
  return end === -1 ? url : url.slice(0, end)
}

/** Errors of a path that belongs to a dialect have that dialect's body, also where the path itself is wrong. */
function dialectOf(path: string): WireDialect | undefined {
  if (Object.hasOwn(DIALECTS, path)) return DIALECTS[path]
  if (path.startsWith('/v1/messages')) return anthropicMessages
  return path.startsWith('/v1/') ? openaiChat : undefined
}

function isModelCall(path: string): boolean {
  return Object.hasOwn(DIALECTS, path)
}

/** Names of fields as a header's list: printable ASCII, bounded. */
function headerList(names: readonly string[]): string {
  return names
    .slice(0, 32)
    .map((name) => name.replaceAll(/[^!-+\--~]/g, '?').slice(0, 64))
    .join(', ')
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' ? value : undefined
}

/** Sorts by time: 12 hex digits of milliseconds, then 16 random ones, which are the root span's id as well. */
function newRequestId(): string {
  return `req-${Date.now().toString(16).padStart(12, '0')}${randomHex(8)}`
}
