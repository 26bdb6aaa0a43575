import { Refusal } from '#contract/refusal.ts'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib'

/** A larger body is refused. */
const MAX_BODY_BYTES = 256 * 1024
const HEADERS_TIMEOUT_MS = 5000
const REQUEST_TIMEOUT_MS = 10_000
/** Longer than the idle time after which usual clients drop a connection, so that they do it first. */
const KEEP_ALIVE_MS = 75_000
const MAX_HEADER_BYTES = 16 * 1024
/** Smaller answers gain nothing. */
const MIN_COMPRESSED_BYTES = 1024
/** Of texts of these sizes brotli makes less than zstd at a level as fast; both take under a millisecond. */
const BROTLI_QUALITY = 5
const ZSTD_LEVEL = 6
const DRAIN_MS = 3000

/** A JSON answer, or plain text. */
export interface Reply {
  readonly status: number
  readonly body: unknown
  /** Type of a `body` that is text and is sent as it is. Default: JSON is made of the body. */
  readonly textType?: string
  readonly retryAfterS?: number | undefined
}

/** `METHOD /path` to what answers it. The signal fires when the caller has gone. */
type Routes = Readonly<Record<string, (body: string, signal: AbortSignal) => Promise<Reply>>>

export interface ServerOptions {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly routes: Routes
  /** Turns whatever a route threw into an answer. */
  readonly onError: (error: unknown) => Reply
}

export interface RunningServer {
  readonly url: string
  /** Takes no new connections, lets open requests end for three seconds, then cuts them. */
  close(): Promise<void>
}

/** Listens. @throws when the port can not be had. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => void answer(request, response, options),
  )
  answerBrokenRequests(server, options)
  const listening = Promise.withResolvers<void>()
  server.once('error', listening.reject)
  server.listen(options.port, options.host, listening.resolve)
  await listening.promise
  return { url: urlOf(server, options.host), close: async () => await closeServer(server) }
}

async function answer(request: IncomingMessage, response: ServerResponse, options: ServerOptions): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new Refusal('CALLER_GONE', 'the caller closed the connection'))
  })
  let reply: Reply
  try {
    const path = (request.url ?? '').split('?', 1)[0] ?? ''
    const route = options.routes[`${request.method === 'HEAD' ? 'GET' : request.method} ${path}`]
    if (route === undefined) throw notFound(options.routes)
    const body = await readBody(request, response)
    reply = await route(body, gone.signal)
  } catch (error) {
    if (gone.signal.aborted || response.destroyed || (request.destroyed && !request.complete)) return
    reply = options.onError(error)
  }
  try {
    await send(request, response, reply)
  } catch {
    response.destroy()
  }
}

function notFound(routes: Routes): Refusal {
  return new Refusal('WIRE_NOT_FOUND', `no such path, this agent has ${Object.keys(routes).join(', ')}`)
}

async function readBody(request: IncomingMessage, response: ServerResponse): Promise<string> {
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Refusal('WIRE_UNSUPPORTED', 'a compressed body is not understood, send it as it is', {
      param: 'content-encoding',
    })
  }
  const tooLarge = () => {
    // The rest of the body is not waited for, so the connection can not be used again.
    response.setHeader('connection', 'close')
    return new Refusal('WIRE_TOO_LARGE', `the body is larger than ${MAX_BODY_BYTES} bytes`)
  }
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge()
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(part)) continue
    bytes += part.length
    if (bytes > MAX_BODY_BYTES) throw tooLarge()
    parts.push(part)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts))
  } catch {
    throw new Refusal('WIRE_MALFORMED', 'the body is not UTF-8')
  }
}

async function send(request: IncomingMessage, response: ServerResponse, reply: Reply): Promise<void> {
  const plain = Buffer.from(reply.textType === undefined ? JSON.stringify(reply.body) : String(reply.body))
  const { bytes, encoding } = await compress(plain, request.headers['accept-encoding'])
  if (response.destroyed) return
  response.statusCode = reply.status
  response.setHeader('content-type', reply.textType ?? 'application/json; charset=utf-8')
  response.setHeader('content-length', bytes.length)
  response.setHeader('cache-control', 'no-store')
  response.setHeader('vary', 'accept-encoding')
  if (encoding !== undefined) response.setHeader('content-encoding', encoding)
  if (reply.retryAfterS !== undefined) response.setHeader('retry-after', Math.ceil(reply.retryAfterS))
  response.end(request.method === 'HEAD' ? undefined : bytes)
}

const brotli = promisify<Buffer, { params: Record<number, number> }, Buffer>(brotliCompress)
const gzipped = promisify<Buffer, Buffer>(gzip)
const zstd = promisify<Buffer, { params: Record<number, number> }, Buffer>(zstdCompress)

async function compress(plain: Buffer, accepted: string | undefined): Promise<{ bytes: Buffer; encoding?: string }> {
  if (plain.length <= MIN_COMPRESSED_BYTES || accepted === undefined) return { bytes: plain }
  if (accepts(accepted, 'br')) {
    const params = {
      [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
    }
    return { bytes: await brotli(plain, { params }), encoding: 'br' }
  }
  if (accepts(accepted, 'zstd')) {
    const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL }
    return { bytes: await zstd(plain, { params }), encoding: 'zstd' }
  }
  if (accepts(accepted, 'gzip')) return { bytes: await gzipped(plain), encoding: 'gzip' }
  return { bytes: plain }
}

function accepts(header: string, encoding: string): boolean {
  return header.split(',').some((item) => {
    const [name = '', ...params] = item.split(';').map((part) => part.trim().toLowerCase())
    return name === encoding && !params.some((param) => /^q=0(?:\.0*)?$/.test(param))
  })
}

/** Requests that never become one: broken HTTP, headers too large, too slow. */
function answerBrokenRequests(server: Server, options: ServerOptions): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy()
    const { status, body } = options.onError(brokenRequest(error.code))
    const text = JSON.stringify(body)
    socket.end(
      `HTTP/1.1 ${status} Refused\r\ncontent-type: application/json; charset=utf-8\r\n` +
        `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
    )
    return undefined
  })
}

function brokenRequest(code: string | undefined): Refusal {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new Refusal(
      'WIRE_TOO_SLOW',
      `the request did not arrive within ${HEADERS_TIMEOUT_MS / 1000} s (headers) and ${REQUEST_TIMEOUT_MS / 1000} s (all)`,
    )
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new Refusal('WIRE_TOO_LARGE', `the headers are larger than ${MAX_HEADER_BYTES} bytes`)
  }
  return new Refusal('WIRE_MALFORMED', 'the request is not HTTP')
}

async function closeServer(server: Server): Promise<void> {
  const closed = Promise.withResolvers<void>()
  server.close(() => closed.resolve())
  server.closeIdleConnections()
  const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
  await closed.promise
  clearTimeout(cut)
}

function urlOf(server: Server, host: string): string {
  const address: AddressInfo | string | null = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
