import { type Socket, createServer } from 'node:net'
import { HttpReader } from './http-reader.ts'

/**
 * A model server that costs as little CPU as it can: OpenAI chat completions, streaming and not, with prepared
 * answers. It notices callers that leave, and takes traces so that an exporter has somewhere to go.
 *
 * `POST /options` changes how streams are delivered, `GET /stats` says what was seen, `POST /reset` forgets it.
 */

/** How a stream is delivered. */
export interface StreamShape {
  /** Content deltas of one answer. Default 20. */
  readonly chunks: number
  /** TCP writes that the deltas are spread over. Default 5. */
  readonly writes: number
  /** Milliseconds between two writes; 0 for as soon as possible. Default 0. */
  readonly gapMs: number
}

/** What the upstream has seen since the last reset. */
export interface UpstreamStats {
  readonly requests: number
  readonly completed: number
  /** Requests whose body held the address that the guard should have replaced. */
  readonly leaks: number
  /** Streams that the caller left: the number in the prompt, and when it was noticed on the system's monotonic clock. */
  readonly aborts: readonly { readonly id: number; readonly atNs: string }[]
  readonly traceExports: number
}

/** The personal data in the prompt: it must come back to the caller and must not arrive at a model behind a guard. */
export const EMAIL = 'jane.roe@accounts.example.com'
/** Stands before the word that the answer repeats, so that a placeholder has to be put back. */
export const ECHO_MARK = 'Reply to '
/** Stands before the number of a request that will be aborted. */
export const ABORT_MARK = 'abort-run-'

const DEFAULT_SHAPE: StreamShape = { chunks: 20, writes: 5, gapMs: 0 }
const SENTENCE =
  'The invoice was checked against the order and both agree, so the payment can go out this week as it was planned. '
const ECHO_LEAD = 'I have written to '
const EVENT_HEAD =
  'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1764000000,"model":"bench-model",'
const USAGE = '{"prompt_tokens":260,"completion_tokens":170,"total_tokens":430}'
const TAIL_EVENTS =
  `${EVENT_HEAD}"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n` +
  `${EVENT_HEAD}"choices":[],"usage":${USAGE}}\n\ndata: [DONE]\n\n`
const STREAM_HEAD =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n'
/** A tokenizer cuts names in pieces; so does this. */
const ECHO_PIECE_CHARS = 9

interface State {
  shape: StreamShape
  requests: number
  completed: number
  leaks: number
  aborts: { id: number; atNs: string }[]
  traceExports: number
}

/** Starts it on a free port of this machine. Plain sockets rather than node:http: it shares a core with the load. */
export async function startUpstream(): Promise<string> {
  const state: State = { shape: DEFAULT_SHAPE, requests: 0, completed: 0, leaks: 0, aborts: [], traceExports: 0 }
  const server = createServer({ noDelay: true }, (socket) => serveSocket(state, socket))
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
}

/** The stream that a connection is busy with. */
interface Open {
  body: Buffer | undefined
  timer: NodeJS.Timeout | undefined
}

function serveSocket(state: State, socket: Socket): void {
  const reader = new HttpReader({ keepBody: true, isAnswer: false })
  const open: Open = { body: undefined, timer: undefined }
  socket.on('data', (chunk: Buffer) => {
    if (!reader.push(chunk)) return
    const { firstLine, body } = reader.message
    reader.next()
    answer(
      state,
      firstLine.split(' ')[1] ?? '/',
      body.length === 1 && body[0] !== undefined ? body[0] : Buffer.concat(body),
      socket,
      open,
    )
  })
  socket.on('error', () => socket.destroy())
  socket.on('end', () => socket.end())
  socket.on('close', () => {
    clearTimeout(open.timer)
    if (open.body === undefined) return
    state.aborts.push({ id: Number(wordAfter(open.body, ABORT_MARK)), atNs: String(process.hrtime.bigint()) })
  })
}

function answer(state: State, path: string, body: Buffer, socket: Socket, open: Open): void {
  if (path.endsWith('/chat/completions')) {
    state.requests += 1
    if (body.includes(EMAIL)) state.leaks += 1
    const echo = wordAfter(body, ECHO_MARK)
    if (body.includes('"stream":true')) {
      answerStream(state, echo, body, socket, open)
      return
    }
    send(socket, wholeAnswer(echo))
    state.completed += 1
  } else if (path === '/v1/traces') {
    state.traceExports += 1
    send(socket, '{}')
  } else if (path === '/options') {
    state.shape = { ...DEFAULT_SHAPE, ...(JSON.parse(body.toString()) as Partial<StreamShape>) }
    send(socket, '{}')
  } else if (path === '/reset') {
    Object.assign(state, { requests: 0, completed: 0, leaks: 0, aborts: [], traceExports: 0 })
    send(socket, '{}')
  } else {
    const { shape: _, ...stats } = state
    send(socket, JSON.stringify(stats satisfies UpstreamStats))
  }
}

/** All that is sent is ASCII: characters are bytes. */
function send(socket: Socket, text: string): void {
  socket.write(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
    'latin1',
  )
}

/** The word behind a mark, or empty. */
function wordAfter(body: Buffer, mark: string): string {
  const at = body.indexOf(mark)
  if (at === -1) return ''
  const start = at + mark.length
  return body.toString('latin1', start, body.indexOf(' ', start))
}

/** About 1 KB. */
function wholeAnswer(echo: string): string {
  const content = `${echo === '' ? '' : `${ECHO_LEAD}${echo}. `}${SENTENCE.repeat(6)}`
  return `{"id":"chatcmpl-bench","object":"chat.completion","created":1764000000,"model":"bench-model","choices":[{"index":0,"message":{"role":"assistant","content":${JSON.stringify(content)},"refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":${USAGE}}`
}

function answerStream(state: State, echo: string, body: Buffer, socket: Socket, open: Open): void {
  const writes = streamWrites(state.shape, echo)
  open.body = body
  const step = (at: number): void => {
    if (socket.destroyed) return
    const isLast = at >= writes.length - 1
    const piece = writes[at] ?? ''
    // Before the write: whoever reads the end may close the connection at once.
    if (isLast) open.body = undefined
    socket.write(
      `${at === 0 ? STREAM_HEAD : ''}${piece.length.toString(16)}\r\n${piece}\r\n${isLast ? '0\r\n\r\n' : ''}`,
      'latin1',
    )
    if (isLast) state.completed += 1
    else if (state.shape.gapMs === 0) setImmediate(step, at + 1)
    else open.timer = setTimeout(step, state.shape.gapMs, at + 1)
  }
  step(0)
}

/** The events of one answer, joined to as many pieces as there are TCP writes. */
function streamWrites({ chunks, writes }: StreamShape, echo: string): string[] {
  const deltas = deltasOf(echo, chunks)
  const perWrite = Math.ceil(deltas.length / Math.max(1, writes))
  const pieces: string[] = []
  for (let from = 0; from < deltas.length; from += perWrite) {
    pieces.push(
      deltas
        .slice(from, from + perWrite)
        .map(contentEvent)
        .join(''),
    )
  }
  pieces[0] = `${EVENT_HEAD}"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n${pieces[0] ?? ''}`
  pieces.push(`${pieces.pop() ?? ''}${TAIL_EVENTS}`)
  return pieces
}

const WORDS = SENTENCE.split(/(?<= )/)

function deltasOf(echo: string, chunks: number): string[] {
  const deltas = echo === '' ? [] : [ECHO_LEAD]
  for (let from = 0; from < echo.length; from += ECHO_PIECE_CHARS)
    deltas.push(echo.slice(from, from + ECHO_PIECE_CHARS))
  if (echo !== '') deltas.push('. ')
  for (let at = 0; deltas.length < chunks; at += 1) deltas.push(WORDS[at % WORDS.length] ?? '')
  return deltas
}

const PREPARED = new Map(WORDS.map((word) => [word, makeEvent(word)]))

function contentEvent(text: string): string {
  return PREPARED.get(text) ?? makeEvent(text)
}

function makeEvent(text: string): string {
  return `${EVENT_HEAD}"choices":[{"index":0,"delta":{"content":${JSON.stringify(text)}},"finish_reason":null}]}\n\n`
}

if (import.meta.main) process.stdout.write(`upstream: ${await startUpstream()}\n`)
