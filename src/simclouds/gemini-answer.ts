import { createHash, randomUUID } from 'node:crypto'
import { promptTokenCount, tokenCount } from './answer.ts'
import { proofOf } from './claude-proof.ts'
import type { GeminiRequest } from './gemini-request.ts'
import { callProof } from './gemini-rules.ts'
import { generate, type Generated } from './generate.ts'
import { paced, type Pace } from './pace.ts'
import { json, type BodyReply, type Piece, type StreamReply } from './service.ts'

/** Answers `generateContent`. */
export async function geminiBody(request: GeminiRequest, pace: Pace, signal: AbortSignal): Promise<BodyReply> {
  const made = generate(request.prompt, request.stop, request.maxTokens)
  for await (const _piece of paced(made.pieces, pace, signal));
  const { answer } = made
  const said =
    answer.kind === 'text' ? [{ text: answer.text, ...textProof(request, answer.text) }] : [callPart(made, request)]
  const finish = { finishReason: finishReason(made), ...logprobs(request, made.pieces) }
  return json(200, chunk(request, [...thoughts(request), ...said], finish, usageOf(made, request)))
}

/** Answers `streamGenerateContent?alt=sse`. */
export function geminiStream(request: GeminiRequest, pace: Pace, signal: AbortSignal): StreamReply {
  return { status: 200, headers: { 'content-type': 'text/event-stream' }, pieces: stream(request, pace, signal) }
}

/** Answers `countTokens`. */
export function geminiCount({ prompt }: GeminiRequest): BodyReply {
  const totalTokens = promptTokenCount(prompt)
  return json(200, { totalTokens, promptTokensDetails: [{ modality: 'TEXT', tokenCount: totalTokens }] })
}

/** Answers `predict` of a text embedding model: the same vector for the same text, of length 1. */
export function embedBody(texts: readonly string[], dimensions: number): BodyReply {
  const predictions = texts.map((text) => ({
    embeddings: { values: vectorOf(text, dimensions), statistics: { truncated: false, token_count: tokenCount(text) } },
  }))
  return json(200, { predictions, metadata: { billableCharacterCount: texts.join('').length } })
}

/** One chunk in Google's framing. */
export function geminiEvent(value: unknown): Uint8Array {
  return Buffer.from(`data: ${JSON.stringify(value)}\n\n`)
}

async function* stream(request: GeminiRequest, pace: Pace, signal: AbortSignal): AsyncGenerator<Piece> {
  const made = generate(request.prompt, request.stop, request.maxTokens)
  const isText = made.answer.kind === 'text'
  const responseId = randomUUID()
  const piece = (parts: readonly object[], more: object = {}, usage?: object): Piece => {
    return { bytes: geminiEvent({ ...chunk(request, parts, more, usage), responseId }), isContent: parts.length > 0 }
  }
  let isBegun = false
  for await (const text of paced(made.pieces, pace, signal)) {
    if (!isBegun && request.showsThoughts) yield piece(thoughts(request))
    isBegun = true
    if (isText) yield piece([{ text }], logprobs(request, [text]))
  }
  if (signal.aborted) return
  // A call comes whole; the proof of a text comes behind it, in a part without text.
  if (made.answer.kind === 'tool-call') yield piece([callPart(made, request)])
  const proof = made.answer.kind === 'text' ? textProof(request, made.answer.text) : {}
  const last = Object.keys(proof).length === 0 ? [] : [{ text: '', ...proof }]
  const end = piece(last, { finishReason: finishReason(made) }, usageOf(made, request))
  yield { ...end, isContent: false }
}

function chunk(request: GeminiRequest, parts: readonly object[], more: object, usage?: object) {
  const content = { role: 'model', ...(parts.length === 0 ? {} : { parts }) }
  return {
    candidates: Array.from({ length: request.candidates }, (_, index) => ({ index, content, ...more })),
    ...(usage === undefined ? {} : { usageMetadata: usage }),
    modelVersion: request.model,
    createTime: new Date().toISOString(),
    responseId: randomUUID(),
  }
}

/** From version 3 on calls carry a proof; they never have an id here. */
function callPart({ answer }: Generated, { version }: GeminiRequest): object {
  if (answer.kind !== 'tool-call') return {}
  const functionCall = { name: answer.name, args: argumentsOf(answer.arguments) }
  return { functionCall, ...(version >= 3 ? { thoughtSignature: callProof(functionCall) } : {}) }
}

function textProof({ version }: GeminiRequest, text: string): object {
  return version >= 3 ? { thoughtSignature: proofOf(text) } : {}
}

function thoughts({ showsThoughts, prompt }: GeminiRequest): readonly object[] {
  if (!showsThoughts) return []
  const asked = prompt.turns.findLast(({ role }) => role === 'user')?.text ?? ''
  return [{ text: `The user wants to know: ${asked}`, thought: true }]
}

function finishReason({ end }: Generated): string {
  return end === 'length' ? 'MAX_TOKENS' : 'STOP'
}

function usageOf({ inputTokens, outputTokens }: Generated, request: GeminiRequest) {
  const thoughtsTokenCount = request.showsThoughts ? tokenCount(JSON.stringify(thoughts(request))) : 0
  const candidatesTokenCount = outputTokens * request.candidates
  return {
    promptTokenCount: inputTokens,
    candidatesTokenCount,
    ...(thoughtsTokenCount === 0 ? {} : { thoughtsTokenCount }),
    totalTokenCount: inputTokens + candidatesTokenCount + thoughtsTokenCount,
    trafficType: 'ON_DEMAND',
  }
}

function logprobs({ logprobs: wanted }: GeminiRequest, pieces: readonly string[]): object {
  if (!wanted) return {}
  const chosenCandidates = pieces.map((token, at) => ({ token, tokenId: at, logProbability: -0.1 }))
  return { logprobsResult: { chosenCandidates, topCandidates: chosenCandidates.map((one) => ({ candidates: [one] })) } }
}

/** Arguments that the token limit cut are no JSON any more. */
function argumentsOf(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}

function vectorOf(text: string, dimensions: number): number[] {
  const raw = Array.from({ length: dimensions }, (_, at) => {
    return createHash('sha256').update(`${at} ${text}`).digest().readInt32BE(0) / 2 ** 31
  })
  const length = Math.hypot(...raw)
  return raw.map((value) => value / length)
}
