import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ask, Message, Part } from '#contract/ask.ts'
import { testScreened, testTarget } from '#infer/test-asks.ts'
import { encode } from './encode.ts'
import { cleanSchema } from './schema.ts'
import { thinkingConfig } from './thinking.ts'

const BASE = 'https://us-east4-aiplatform.googleapis.com/v1/projects/p/locations/us-east4'
const TARGET = testTarget({ name: 'gemini', endpoint: BASE, model: 'gemini-3-flash' })

function encoded(changes: Partial<Ask>, model = TARGET.model) {
  const { url, headers, body, dropped } = encode(testScreened(changes), { ...TARGET, model })
  return { url, headers, dropped, body: JSON.parse(body) as Readonly<Record<string, unknown>> }
}

function say(role: Message['role'], ...parts: readonly (string | Part)[]): Message {
  return { role, parts: parts.map((part) => (typeof part === 'string' ? { type: 'text', text: part } : part)) }
}

const HI = { role: 'user', parts: [{ text: 'hi' }] }
const call = (id: string, name: string, signature?: string): Part => ({
  type: 'tool-call',
  id,
  name,
  arguments: '{"a":1}',
  ...(signature === undefined ? {} : { signature }),
})
const result = (id: string, text: string, isError = false): Part => ({ type: 'tool-result', id, text, isError })
const asked = (name: string, thoughtSignature?: string) => ({
  functionCall: { name, args: { a: 1 } },
  ...(thoughtSignature === undefined ? {} : { thoughtSignature }),
})
const answered = (name: string, response: object) => ({ functionResponse: { name, response } })
const SKIP = 'skip_thought_signature_validator'

test('each method has its path, and the stream asks for events', () => {
  const { url, headers, body } = encoded({})
  assert.equal(url, `${BASE}/publishers/google/models/gemini-3-flash:generateContent`)
  assert.deepEqual(headers, { 'content-type': 'application/json', accept: 'application/json' })
  assert.deepEqual(body, { contents: [HI] })
  assert.ok(encoded({ stream: true }).url.endsWith(':streamGenerateContent?alt=sse'))
  const count = encoded({ operation: 'count-tokens', sampling: { maxTokens: 5 } })
  assert.ok(count.url.endsWith(':countTokens'))
  assert.deepEqual(count.body, { contents: [HI] })
})

test('all sampling is carried, and the format of the answer', () => {
  const { body, dropped } = encoded({
    sampling: {
      maxTokens: 9,
      temperature: 1.5,
      topP: 0.9,
      topK: 4,
      stop: ['x', ''],
      seed: 2 ** 31 + 5,
      frequencyPenalty: 0.1,
      presencePenalty: 0.2,
      n: 2,
    },
    logprobs: 3,
    format: { type: 'json' },
  })
  assert.deepEqual(dropped, [])
  assert.deepEqual(body['generationConfig'], {
    maxOutputTokens: 9,
    temperature: 1.5,
    topP: 0.9,
    topK: 4,
    stopSequences: ['x'],
    seed: 5,
    frequencyPenalty: 0.1,
    presencePenalty: 0.2,
    candidateCount: 2,
    responseLogprobs: true,
    logprobs: 3,
    responseMimeType: 'application/json',
  })
})

const histories: readonly (readonly [what: string, messages: readonly Message[], contents: readonly object[]])[] = [
  [
    'results are put in the order of the calls and under their names',
    [
      say('user', 'hi'),
      say('assistant', call('1', 'find', 'c2ln'), call('2', 'list')),
      say('tool', result('2', 'b', true)),
      say('tool', result('1', 'a')),
    ],
    [
      HI,
      { role: 'model', parts: [asked('find', 'c2ln'), asked('list')] },
      { role: 'user', parts: [answered('find', { output: 'a' }), answered('list', { error: 'b' })] },
    ],
  ],
  [
    'a call of the current turn without a proof gets the stand-in, the first of each step only',
    [
      say('user', 'hi'),
      say('assistant', call('1', 'find'), call('2', 'list')),
      say('tool', result('1', 'a'), result('2', 'b')),
      say('assistant', call('3', 'find')),
      say('tool', result('3', 'c')),
    ],
    [
      HI,
      { role: 'model', parts: [asked('find', SKIP), asked('list')] },
      { role: 'user', parts: [answered('find', { output: 'a' }), answered('list', { output: 'b' })] },
      { role: 'model', parts: [asked('find', SKIP)] },
      { role: 'user', parts: [answered('find', { output: 'c' })] },
    ],
  ],
  [
    'calls of earlier turns need none',
    [say('user', 'hi'), say('assistant', call('1', 'find')), say('tool', result('1', 'a')), say('user', 'hi')],
    [
      HI,
      { role: 'model', parts: [asked('find')] },
      { role: 'user', parts: [answered('find', { output: 'a' }), { text: 'hi' }] },
    ],
  ],
  [
    'a proof that came with the text goes back with the text',
    [
      say('user', 'hi'),
      say('assistant', { type: 'reasoning', text: '', signature: 'c2ln', data: '', family: 'gemini' }, 'yes'),
      say('user', 'hi'),
    ],
    [HI, { role: 'model', parts: [{ text: 'yes', thoughtSignature: 'c2ln' }] }, HI],
  ],
  [
    'a system message in the middle stays where it is',
    [say('system', 'a'), say('user', 'hi'), say('system', 'b')],
    [{ role: 'user', parts: [{ text: 'hi' }, { text: '<system-reminder>\nb\n</system-reminder>' }] }],
  ],
  [
    'an image in Cloud Storage is fetched there',
    [say('user', { type: 'image', source: { kind: 'url', url: 'gs://b/a.JPG' } })],
    [{ role: 'user', parts: [{ fileData: { mimeType: 'image/jpeg', fileUri: 'gs://b/a.JPG' } }] }],
  ],
]

for (const [what, messages, contents] of histories) {
  test(what, () => assert.deepEqual(encoded({ messages }).body['contents'], contents))
}

test('older models, which check no proofs, get no stand-in', () => {
  const messages = [say('user', 'hi'), say('assistant', call('1', 'find')), say('tool', result('1', 'a'))]
  assert.doesNotMatch(JSON.stringify(encoded({ messages }, 'gemini-2.5-pro').body), /thoughtSignature/)
})

for (const [choice, config] of [
  ['auto', { mode: 'AUTO' }],
  ['none', { mode: 'NONE' }],
  ['required', { mode: 'ANY' }],
  [{ name: 'find' }, { mode: 'ANY', allowedFunctionNames: ['find'] }],
] as const) {
  test(`the choice ${JSON.stringify(choice)} of a tool`, () => {
    const tools = [{ name: 'find', description: '', parameters: { type: 'object', properties: {} } }]
    const { body } = encoded({ tools, toolChoice: choice, parallelTools: false })
    assert.deepEqual(body['toolConfig'], { functionCallingConfig: config })
    assert.deepEqual(body['tools'], [{ functionDeclarations: [{ name: 'find' }] }])
  })
}

test('schemas are put in the words that the service knows', () => {
  const cleaned = cleanSchema({
    $schema: 'x',
    type: 'object',
    additionalProperties: false,
    properties: {
      kind: { const: 'a', default: 'a' },
      at: { $ref: '#/definitions/Place', description: 'where' },
      all: { allOf: [{ type: 'string' }, { format: 'date', pattern: '^x' }] },
      many: { type: ['array', 'null'], items: { anyOf: [{ type: 'string', minLength: 1 }, { type: 'null' }] } },
    },
    definitions: { Place: { type: 'object', properties: { next: { $ref: '#/definitions/Place' } } } },
  })
  assert.deepEqual(cleaned, {
    type: 'object',
    additionalProperties: false,
    properties: {
      kind: { enum: ['a'] },
      at: { $ref: '#/$defs/Place' },
      all: { type: 'string', format: 'date' },
      many: { type: ['array', 'null'], items: { anyOf: [{ type: 'string' }, { type: 'null' }] } },
    },
    $defs: { Place: { type: 'object', properties: { next: { $ref: '#/$defs/Place' } } } },
  })
})

const thinking: readonly (readonly [model: string, reasoning: object, config: object | undefined])[] = [
  ['gemini-2.0-flash', { effort: 'low' }, undefined],
  ['gemini-2.5-flash', { effort: 'medium' }, { thinkingBudget: 8192, includeThoughts: true }],
  ['gemini-2.5-flash', { effort: 'none' }, { thinkingBudget: 0, includeThoughts: false }],
  ['gemini-2.5-pro', { budget: 0 }, { thinkingBudget: 128, includeThoughts: false }],
  ['gemini-2.5-pro', { budget: 99_999 }, { thinkingBudget: 32_768, includeThoughts: true }],
  ['gemini-2.5-flash', { adaptive: true, hidden: true }, { thinkingBudget: -1, includeThoughts: false }],
  ['gemini-3-flash', { effort: 'minimal' }, { thinkingLevel: 'MINIMAL', includeThoughts: true }],
  ['gemini-3-pro-preview', { effort: 'medium' }, { thinkingLevel: 'HIGH', includeThoughts: true }],
  ['gemini-3.1-pro', { budget: 8000 }, { thinkingLevel: 'MEDIUM', includeThoughts: true }],
  ['gemini-flash-latest', { effort: 'xhigh' }, { thinkingLevel: 'HIGH', includeThoughts: true }],
]

for (const [model, reasoning, config] of thinking) {
  test(`${model} thinks by ${JSON.stringify(reasoning)}`, () => {
    assert.deepEqual(thinkingConfig(reasoning, model), config)
  })
}

test('what it can not carry is named or refused', () => {
  assert.deepEqual(encoded({ reasoning: { effort: 'low' } }, 'gemini-2.0-flash').dropped, ['reasoning_effort'])
  const marked: Part = { type: 'text', text: 'hi', cache: '5m' }
  const tools = [{ name: 'find', description: '', parameters: {} }]
  const asks = { messages: [say('user', marked)], tools, parallelTools: false, rest: { user: 'u' } }
  assert.deepEqual(encoded(asks).dropped, ['parallel_tool_calls', 'cache_control', 'user'])
  for (const ask of [
    { messages: [say('user', ' ')] },
    { messages: [say('user', { type: 'image', source: { kind: 'data', mediaType: 'image/gif', base64: '' } })] },
    { operation: 'embed', messages: Array.from({ length: 251 }, () => say('user', 'a')) },
  ] as Partial<Ask>[])
    assert.throws(() => encoded(ask), { name: 'Refusal', code: 'INFER_UNSUPPORTED' })
})

test('texts to embed are refused when too long, not cut', () => {
  const { url, body } = encoded(
    { operation: 'embed', messages: [say('user', 'a'), say('user', 'b')], dimensions: 8 },
    'text-embedding-005',
  )
  assert.ok(url.endsWith('/models/text-embedding-005:predict'))
  assert.deepEqual(body, {
    instances: [{ content: 'a' }, { content: 'b' }],
    parameters: { autoTruncate: false, outputDimensionality: 8 },
  })
})
