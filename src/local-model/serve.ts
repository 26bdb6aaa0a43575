import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { randomHex } from '#kit/random-hex.ts'
import {
  type AnswerHead,
  DONE_EVENT,
  chunkEvent,
  errorBody,
  errorEvent,
  finishReason,
  usageEvent,
  wholeAnswer,
} from './answer.ts'
import { type Engine, PromptTooLong } from './engine.ts'
import { BadRequest, type ChatRequest, readChatRequest } from './request.ts'
import { TooBusy, Turns } from './turns.ts'

export interface LocalModelOptions {
  readonly engine: Engine
  /** Default 0: any free port. */
  readonly port?: number | undefined
  /** Requests that may wait behind the one that is answered. Default 8; more get 429. */
  readonly maxWaiting?: number | undefined
  /** What is a fault of this server or its engine. */
  readonly onFault?: ((error: unknown) => void) | undefined
}

/** A small model behind OpenAI's wire format. */
export interface LocalModel {
  readonly url: string
  close(): Promise<void>
}

const MAX_WAITING = 8
const MAX_BODY_BYTES = 1_048_576
const RETRY_AFTER_S = '5'

/** Serves `/v1/chat/completions`, `/v1/models` and `/health` on this machine only. @throws when the port is taken. */
export async function startLocalModel(options: LocalModelOptions): Promise<LocalModel> {
  const turns = new Turns(options.maxWaiting ?? MAX_WAITING)
  const server = createServer((request, response) => {
    route(options, turns, request, response).catch((error: unknown) => answerError(options, response, error))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      server.closeAllConnections()
      await closed
      await options.engine.close()
    },
  }
}

async function route(
  options: LocalModelOptions,
  turns: Turns,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { engine } = options
  const path = (request.url ?? '/').split('?')[0] ?? '/'
  if (path === '/health') sendJson(response, 200, { status: 'ok' })
  else if (path === '/v1/models') {
    sendJson(response, 200, {
      object: 'list',
      data: [{ id: engine.model, object: 'model', created: 0, owned_by: 'local', max_model_len: engine.contextTokens }],
    })
  } else if (path !== '/v1/chat/completions')
    sendJson(response, 404, errorBody(404, `there is no \`${path}\`, chats go to POST /v1/chat/completions`))
  else if (request.method !== 'POST') sendJson(response, 405, errorBody(405, 'chats are a POST'))
  else await chat(options, turns, readChatRequest(await readBody(request)), response)
}

async function chat(
  { engine }: LocalModelOptions,
  turns: Turns,
  request: ChatRequest,
  response: ServerResponse,
): Promise<void> {
  const left = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) left.abort()
  })
  const head: AnswerHead = {
    id: `chatcmpl-${randomHex(12)}`,
    model: engine.model,
    createdEpochS: Math.floor(Date.now() / 1000),
  }
  await turns.take(left.signal, () =>
    request.stream
      ? answerStream(engine, request, head, response, left.signal)
      : answerWhole(engine, request, head, response, left.signal),
  )
}

async function answerWhole(
  engine: Engine,
  { generate }: ChatRequest,
  head: AnswerHead,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  let text = ''
  const generated = await engine.generate(
    generate,
    (piece) => {
      text += piece
    },
    signal,
  )
  sendJson(response, 200, wholeAnswer(head, text, generated))
}

async function answerStream(
  engine: Engine,
  { generate, includeUsage }: ChatRequest,
  head: AnswerHead,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const begin = (): void => {
    // Not before the first text: a prompt that is refused still gets a status of its own.
    if (response.headersSent || response.destroyed) return
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
    response.write(chunkEvent(head, { role: 'assistant', content: '' }))
  }
  const generated = await engine.generate(
    generate,
    (content) => {
      begin()
      response.write(chunkEvent(head, { content }))
    },
    signal,
  )
  begin()
  response.end(
    `${chunkEvent(head, {}, finishReason(generated))}${includeUsage ? usageEvent(head, generated) : ''}${DONE_EVENT}`,
  )
}

function answerError({ onFault }: LocalModelOptions, response: ServerResponse, error: unknown): void {
  if (response.destroyed) return
  const [status, message] = statusOf(error)
  if (status === 500) onFault?.(error)
  if (response.headersSent) response.end(errorEvent(message))
  else sendJson(response, status, errorBody(status, message), status === 429 ? { 'retry-after': RETRY_AFTER_S } : {})
}

function statusOf(error: unknown): readonly [number, string] {
  if (error instanceof BodyTooLarge) return [413, error.message]
  if (error instanceof BadRequest || error instanceof PromptTooLong) return [400, error.message]
  if (error instanceof TooBusy) return [429, error.message]
  return [500, 'the model failed, its log has the cause']
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  })
  response.end(text)
}

class BodyTooLarge extends Error {}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new BodyTooLarge(`the body is over ${MAX_BODY_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
