import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { encodeEventStreamMessage } from '#kit/event-stream.ts'

/*
 * Prepared answers in four vendors' formats, by the path that is asked: whole, or as a stream. `POST /shape` changes
 * the streams, `GET /seen` counts the answers that were asked for and those whose caller left.
 */

export interface Shape {
  /** Pieces of text of a stream. */
  readonly chunks: number
  /** Milliseconds between two of them; 0: four of them to a write, as fast as it goes. */
  readonly gapMs: number
}

const WORD = 'invoice '
const WORDS_OF_WHOLE = 160
let shape: Shape = { chunks: 20, gapMs: 0 }
const seen = { asked: 0, left: 0 }

interface Format {
  readonly type: string
  readonly whole: string
  readonly head: Buffer
  readonly piece: Buffer
  readonly tail: Buffer
}

const text = WORD.repeat(WORDS_OF_WHOLE)
const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`
const named = (type: string, fields: object): string => `event: ${type}\n${data({ type, ...fields })}`
const frame = (type: string, body: object): Buffer =>
  Buffer.from(
    encodeEventStreamMessage(
      { ':message-type': 'event', ':event-type': type, ':content-type': 'application/json' },
      Buffer.from(JSON.stringify(body)),
    ),
  )

function chatChunk(choice: object): string {
  return data({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, ...choice }] })
}

const CHAT: Format = {
  type: 'text/event-stream; charset=utf-8',
  whole: JSON.stringify({
    id: 'c',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 260, completion_tokens: 170, total_tokens: 430 },
  }),
  head: Buffer.from(chatChunk({ delta: { role: 'assistant', content: '' }, finish_reason: null })),
  piece: Buffer.from(chatChunk({ delta: { content: WORD }, finish_reason: null })),
  tail: Buffer.from(
    `${chatChunk({ delta: {}, finish_reason: 'stop' })}${data({ id: 'c', object: 'chat.completion.chunk', choices: [], usage: { prompt_tokens: 260, completion_tokens: 170, total_tokens: 430 } })}data: [DONE]\n\n`,
  ),
}

const CLAUDE_HEAD = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm' }
const ANTHROPIC: Format = {
  type: 'text/event-stream; charset=utf-8',
  whole: JSON.stringify({
    ...CLAUDE_HEAD,
    content: [{ type: 'text', text }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 260, output_tokens: 170 },
  }),
  head: Buffer.from(
    named('message_start', {
      message: {
        ...CLAUDE_HEAD,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 260, output_tokens: 1 },
      },
    }) + named('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
  ),
  piece: Buffer.from(named('content_block_delta', { index: 0, delta: { type: 'text_delta', text: WORD } })),
  tail: Buffer.from(
    named('content_block_stop', { index: 0 }) +
      named('message_delta', {
        delta: { stop_reason: 'end_turn', stop_sequence: null },
        usage: { output_tokens: 170 },
      }) +
      named('message_stop', {}),
  ),
}

const BEDROCK_USAGE = { usage: { inputTokens: 260, outputTokens: 170, totalTokens: 430 }, metrics: { latencyMs: 1 } }
const BEDROCK: Format = {
  type: 'application/vnd.amazon.eventstream',
  whole: JSON.stringify({
    output: { message: { role: 'assistant', content: [{ text }] } },
    stopReason: 'end_turn',
    ...BEDROCK_USAGE,
  }),
  head: frame('messageStart', { role: 'assistant' }),
  piece: frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: WORD } }),
  tail: Buffer.concat([
    frame('contentBlockStop', { contentBlockIndex: 0 }),
    frame('messageStop', { stopReason: 'end_turn' }),
    frame('metadata', BEDROCK_USAGE),
  ]),
}

const GEMINI_USAGE = { promptTokenCount: 260, candidatesTokenCount: 170, totalTokenCount: 430 }
const candidate = (said: string, more: object = {}): object => ({
  candidates: [{ index: 0, content: { role: 'model', parts: [{ text: said }] }, ...more }],
})
const GEMINI: Format = {
  type: 'text/event-stream; charset=utf-8',
  whole: JSON.stringify({ ...candidate(text, { finishReason: 'STOP' }), usageMetadata: GEMINI_USAGE }),
  head: Buffer.alloc(0),
  piece: Buffer.from(data(candidate(WORD))),
  tail: Buffer.from(data({ ...candidate('', { finishReason: 'STOP' }), usageMetadata: GEMINI_USAGE })),
}

function formatOf(path: string): Format {
  if (path.includes('/converse')) return BEDROCK
  if (path.includes('enerateContent')) return GEMINI
  return path.endsWith('/messages') ? ANTHROPIC : CHAT
}

const WRITES_TOGETHER = 4

async function stream(response: ServerResponse, { type, head, piece, tail }: Format): Promise<void> {
  const { chunks, gapMs } = shape
  let isLeft = false
  response.once('close', () => {
    if (response.writableFinished) return
    isLeft = true
    seen.left += 1
  })
  response.writeHead(200, { 'content-type': type })
  response.write(head)
  const perWrite = gapMs === 0 ? WRITES_TOGETHER : 1
  for (let at = 0; at < chunks && !isLeft; at += perWrite) {
    response.write(Buffer.concat(Array<Buffer>(Math.min(perWrite, chunks - at)).fill(piece)))
    if (gapMs === 0) await new Promise(setImmediate)
    else await wait(gapMs)
  }
  response.end(tail)
}

const server = createServer({ keepAliveTimeout: 120_000, noDelay: true }, (request, response) => {
  const pieces: Buffer[] = []
  request.on('data', (chunk: Buffer) => pieces.push(chunk))
  request.on('end', () => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    const body = Buffer.concat(pieces).toString('latin1')
    if (path === '/shape') {
      shape = JSON.parse(body) as Shape
      Object.assign(seen, { asked: 0, left: 0 })
      response.end('{}')
      return
    }
    if (path === '/seen') {
      response.end(JSON.stringify(seen))
      return
    }
    seen.asked += 1
    const format = formatOf(path)
    const isStream = path.includes('stream') || body.includes('"stream":true')
    if (isStream) stream(response, format).catch(() => response.destroy())
    else response.writeHead(200, { 'content-type': 'application/json' }).end(format.whole)
  })
})

server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  process.stdout.write(`vendors: http://127.0.0.1:${port}\n`)
})
