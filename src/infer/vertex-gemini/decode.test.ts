import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ask } from '#contract/ask.ts'
import type { Event } from '#contract/event.ts'
import { sse } from '#infer/recordings/answer-cases.suite.ts'
import { testAsk } from '#infer/test-asks.ts'
import { decoder } from './decode.ts'

function decode(bytes: Uint8Array, changes: Partial<Ask> = { stream: true }): Event[] {
  const own = decoder(testAsk(changes))
  const said = own.push(bytes)
  if (own.failure !== undefined) throw own.failure
  return [...said, ...own.end()]
}

const candidate = (parts: readonly object[], more: object = {}) => ({
  candidates: [{ content: { role: 'model', parts }, ...more }],
})
const end = (reason: string, parts: readonly object[] = []) => candidate(parts, { finishReason: reason })
const FIND = { functionCall: { name: 'find', args: { a: 1 } } }

for (const [said, reason] of [
  ['STOP', 'stop'],
  ['MAX_TOKENS', 'length'],
  ['SAFETY', 'content-filter'],
  ['RECITATION', 'content-filter'],
  ['SPII', 'content-filter'],
  ['IMAGE_SAFETY', 'content-filter'],
  ['OTHER', 'stop'],
] as const) {
  test(`${said} is ${reason}`, () => {
    assert.deepEqual(decode(sse(end(said)))[1], { type: 'finish', choice: 0, reason })
  })
}

for (const fault of ['MALFORMED_FUNCTION_CALL', 'UNEXPECTED_TOOL_CALL', 'MALFORMED_RESPONSE']) {
  test(`${fault} is an error, never an answer`, () => {
    assert.throws(() => decode(sse(end(fault))), { name: 'Refusal', code: 'INFER_UNAVAILABLE' })
  })
}

test('a chunk that was cut behind the reason to finish cuts the answer: its usage is lost', () => {
  const late = sse(end('STOP'), { usageMetadata: { promptTokenCount: 4 } })
  assert.equal(decode(late).at(-1)?.type, 'end')
  assert.throws(() => decode(late.subarray(0, -5)), { name: 'Refusal', code: 'INFER_CUT' })
})

test('ids that are missing are made, and never the same in two answers', () => {
  const ids = [1, 2, 3].flatMap(() =>
    decode(sse(end('STOP', [FIND, FIND]))).flatMap((event) => (event.type === 'tool-call-start' ? [event.id] : [])),
  )
  assert.equal(new Set(ids).size, 6)
})

test('a proof beside a call belongs to the call, one beside text to what was thought', () => {
  const events = decode(
    sse(candidate([{ ...FIND, thoughtSignature: 'YQ==' }]), end('STOP', [{ text: '', thoughtSignature: 'Yg==' }])),
  )
  const start = events.find((event) => event.type === 'tool-call-start')
  assert.equal(start?.signature, 'YQ==')
  assert.deepEqual(
    events.find(({ type }) => type === 'reasoning-signature'),
    { type: 'reasoning-signature', choice: 0, signature: 'Yg==', family: 'gemini' },
  )
})

test('a prompt that is blocked ends as filtered content, in both forms', () => {
  const blocked = { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, usageMetadata: { promptTokenCount: 4 } }
  for (const [bytes, stream] of [
    [sse(blocked), true],
    [Buffer.from(JSON.stringify(blocked)), false],
  ] as const) {
    assert.deepEqual(
      decode(bytes, { stream })
        .slice(1)
        .map((event) => (event.type === 'usage' ? event.usage.input : event)),
      [{ type: 'finish', choice: 0, reason: 'content-filter' }, 4, { type: 'end' }],
    )
  }
})

test('several answers are told apart, and one that is missing cuts the whole', () => {
  const two = (second: object) =>
    sse({ candidates: [{ index: 0, content: { parts: [{ text: 'a' }] }, finishReason: 'STOP' }, second] })
  const ask = { stream: true, sampling: { n: 2 } }
  const events = decode(two({ index: 1, content: { parts: [{ text: 'b' }] }, finishReason: 'STOP' }), ask)
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'text-delta' ? [`${event.choice}${event.text}`] : [])),
    ['0a', '1b'],
  )
  for (const second of [{ index: 1, content: { parts: [{ text: 'b' }] } }, { index: 0 }])
    assert.throws(() => decode(two(second), ask), { name: 'Refusal', code: 'INFER_CUT' })
})

test('tools in the prompt count as input, thoughts apart from the answer, cached tokens once', () => {
  const usageMetadata = {
    promptTokenCount: 10,
    cachedContentTokenCount: 4,
    toolUsePromptTokenCount: 3,
    candidatesTokenCount: 5,
    thoughtsTokenCount: 6,
  }
  assert.deepEqual(decode(sse({ ...end('STOP'), usageMetadata })).at(-2), {
    type: 'usage',
    usage: { input: 9, cachedRead: 4, cachedWrite: 0, output: 5, reasoning: 6 },
  })
})

test('log-probabilities are carried with their alternatives', () => {
  const logprobsResult = {
    chosenCandidates: [{ token: 'a', tokenId: 1, logProbability: -0.1 }],
    topCandidates: [{ candidates: [{ token: 'b', tokenId: 2, logProbability: -2 }] }],
  }
  const events = decode(sse(candidate([{ text: 'a' }], { finishReason: 'STOP', logprobsResult })))
  assert.deepEqual(
    events.find(({ type }) => type === 'logprobs'),
    {
      type: 'logprobs',
      choice: 0,
      tokens: [{ token: 'a', logprob: -0.1, bytes: null, top_logprobs: [{ token: 'b', logprob: -2, bytes: null }] }],
    },
  )
})

test('an error that comes as a JSON list instead of events is read', () => {
  const list = JSON.stringify([{ error: { code: 429, message: 'no', status: 'RESOURCE_EXHAUSTED' } }])
  assert.throws(() => decode(Buffer.from(`\n${list}`)), { name: 'Refusal', code: 'INFER_THROTTLED' })
  const answer = JSON.stringify([candidate([{ text: 'a' }]), end('STOP')])
  assert.equal(decode(Buffer.from(answer)).at(-1)?.type, 'end')
})

test('vectors come one for each text, with their tokens added up', () => {
  const vector = (value: number) => ({
    embeddings: { values: [value], statistics: { token_count: 2, truncated: false } },
  })
  const ask = { ...testAsk(), operation: 'embed', messages: [...testAsk().messages, ...testAsk().messages] } as const
  const bytes = (...values: readonly number[]) => Buffer.from(JSON.stringify({ predictions: values.map(vector) }))
  assert.deepEqual(decode(bytes(1, 2), ask), [
    { type: 'start', id: '', model: '' },
    { type: 'embedding', index: 0, vector: [1] },
    { type: 'embedding', index: 1, vector: [2] },
    { type: 'usage', usage: { input: 4, cachedRead: 0, cachedWrite: 0, output: 0, reasoning: 0 } },
    { type: 'end' },
  ])
  assert.throws(() => decode(bytes(1), ask), { name: 'Refusal', code: 'INFER_UNAVAILABLE' })
})

test('the count of tokens is read, and its absence refused', () => {
  const ask = { operation: 'count-tokens' } as const
  assert.deepEqual(decode(Buffer.from('{"totalTokens":7}'), ask)[0], {
    type: 'token-count',
    tokens: 7,
    estimated: false,
  })
  assert.throws(() => decode(Buffer.from('{}'), ask), { name: 'Refusal', code: 'INFER_UNAVAILABLE' })
})
