import assert from 'node:assert/strict'
import { test } from 'node:test'
import { at, dataLines, sendJson, textAt, withClouds } from './client.suite.ts'
import type { SimClouds } from './start.ts'

const HELLO = { contents: [{ role: 'user', parts: [{ text: 'hello there' }] }] }
const CLAUDE = {
  anthropic_version: 'vertex-2023-10-16',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'hello there' }],
}
const TOOLS = [
  {
    functionDeclarations: [
      { name: 'send_email', parametersJsonSchema: { type: 'object', properties: { email: { type: 'string' } } } },
    ],
  },
]

function call(clouds: SimClouds, path: string, body: unknown, token = clouds.settings.vertex.token) {
  const base = `${clouds.urls.vertex}/v1/projects/${clouds.settings.vertex.project}/locations/us-east5`
  return sendJson(`${base}/publishers/${path}`, body, { authorization: `Bearer ${token}` })
}

function gemini(clouds: SimClouds, body: unknown, method = 'generateContent', model = 'gemini-3-flash') {
  return call(clouds, `google/models/${model}:${method}`, body)
}

test('Gemini answers with text, its proof, usage and a reason', () =>
  withClouds({}, async (clouds) => {
    const answered = await gemini(clouds, HELLO)
    const candidate = at(answered.text, 'candidates', 0)
    assert.equal(at(candidate, 'content', 'parts', 0, 'text'), 'You said: hello there')
    assert.match(textAt(candidate, 'content', 'parts', 0, 'thoughtSignature'), /^[\w+/]+=*$/)
    assert.equal(at(candidate, 'finishReason'), 'STOP')
    assert.equal(at(answered.text, 'usageMetadata', 'totalTokenCount'), 9)
    const old = await gemini(clouds, HELLO, 'generateContent', 'gemini-2.5-flash')
    assert.equal(at(old.text, 'candidates', 0, 'content', 'parts', 0, 'thoughtSignature'), undefined)
  }))

test('a stream of Gemini ends with the reason and the usage, and nothing says done', () =>
  withClouds({}, async (clouds) => {
    const body = { ...HELLO, generationConfig: { thinkingConfig: { thinkingLevel: 'LOW', includeThoughts: true } } }
    const lines = dataLines((await gemini(clouds, body, 'streamGenerateContent?alt=sse')).text)
    assert.equal(at(lines[0], 'candidates', 0, 'content', 'parts', 0, 'thought'), true)
    const text = lines.slice(1).map((line) => textAt(line, 'candidates', 0, 'content', 'parts', 0, 'text'))
    assert.equal(text.join(''), 'You said: hello there')
    assert.equal(at(lines.at(-1), 'candidates', 0, 'finishReason'), 'STOP')
    assert.ok(at(lines.at(-1), 'usageMetadata', 'thoughtsTokenCount'))
    assert.equal(at(lines.at(-2), 'usageMetadata'), undefined)
  }))

test('a call comes whole with a proof and no id, and is taken back with the proof only', () =>
  withClouds({}, async (clouds) => {
    const question = { role: 'user', parts: [{ text: 'mail <EMAIL_ADDRESS_4821>' }] }
    const toolConfig = { functionCallingConfig: { mode: 'ANY' } }
    const lines = dataLines(
      (await gemini(clouds, { contents: [question], tools: TOOLS, toolConfig }, 'streamGenerateContent?alt=sse')).text,
    )
    const part = at(lines[0], 'candidates', 0, 'content', 'parts', 0)
    assert.deepEqual(at(part, 'functionCall'), { name: 'send_email', args: { email: '<EMAIL_ADDRESS_4821>' } })
    const next = (thoughtSignature: string | undefined) => {
      const asked = {
        functionCall: at(part, 'functionCall'),
        ...(thoughtSignature === undefined ? {} : { thoughtSignature }),
      }
      const given = { functionResponse: { name: 'send_email', response: { output: 'sent' } } }
      const contents = [question, { role: 'model', parts: [asked] }, { role: 'user', parts: [given] }]
      return gemini(clouds, { contents, tools: TOOLS })
    }
    assert.equal((await next(textAt(part, 'thoughtSignature'))).status, 200)
    assert.equal((await next('skip_thought_signature_validator')).status, 200)
    const missing = await next(undefined)
    assert.equal(missing.status, 400)
    assert.match(textAt(missing.text, 'error', 'message'), /missing a thought_signature.*`send_email`, position 1/)
    assert.match(textAt((await next('bm8=')).text, 'error', 'message'), /signature is not valid/)
  }))

const user = (...parts: unknown[]) => ({ role: 'user', parts })
const model = (...parts: unknown[]) => ({ role: 'model', parts })
const text = (value: string) => ({ text: value })
const use = (name: string) => ({
  functionCall: { name, args: {} },
  thoughtSignature: 'skip_thought_signature_validator',
})
const result = (name: string) => ({ functionResponse: { name, response: { output: 'a' } } })

const invalid: readonly (readonly [why: string, body: unknown, message: RegExp])[] = [
  ['an unknown field', { ...HELLO, system: 'a' }, /Unknown name "system"/],
  [
    'an id of a call',
    { contents: [user(text('a')), model({ functionCall: { name: 'a', id: '1' } })] },
    /Unknown name "id"/,
  ],
  ['the model first', { contents: [model(text('a'))] }, /start with a user turn/],
  ['two users in a row', { contents: [user(text('a')), user(text('b'))] }, /alternate/],
  ['empty text', { contents: [user(text(''))] }, /empty text/],
  ['no parts', { contents: [user()] }, /parts/],
  ['text and data in one part', { contents: [user({ text: 'a', inlineData: {} })] }, /inlineData|oneof/],
  [
    'fewer results than calls',
    { contents: [user(text('a')), model(use('a'), use('b')), user(result('a'))] },
    /number of function response parts/,
  ],
  [
    'results in another order',
    { contents: [user(text('a')), model(use('a'), use('b')), user(result('b'), result('a'))] },
    /in their order/,
  ],
  ['a result that is text', { contents: [user({ functionResponse: { name: 'a', response: 'a' } })] }, /response/],
  [
    'a choice of nothing',
    { ...HELLO, tools: TOOLS, toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['x'] } } },
    /not declared/,
  ],
  [
    'a level and a budget',
    { ...HELLO, generationConfig: { thinkingConfig: { thinkingLevel: 'LOW', thinkingBudget: 1 } } },
    /only one/,
  ],
  ['a schema of prose', { ...HELLO, generationConfig: { responseJsonSchema: {} } }, /response_mime_type/],
  ['a GIF', { contents: [user({ inlineData: { mimeType: 'image/gif', data: 'aaaa' } })] }, /mimeType/],
]

test('what Gemini would refuse is refused with INVALID_ARGUMENT', () =>
  withClouds({}, async (clouds) => {
    for (const [why, body, message] of invalid) {
      const answered = await gemini(clouds, body)
      assert.deepEqual([answered.status, at(answered.text, 'error', 'status')], [400, 'INVALID_ARGUMENT'], why)
      assert.match(textAt(answered.text, 'error', 'message'), message, why)
    }
  }))

test('tokens are counted and texts embedded', () =>
  withClouds({}, async (clouds) => {
    assert.equal(at((await gemini(clouds, HELLO, 'countTokens')).text, 'totalTokens'), 3)
    const body = { instances: [{ content: 'a' }, { content: 'b' }], parameters: { outputDimensionality: 4 } }
    const answered = await gemini(clouds, body, 'predict', 'text-embedding-005')
    const values = at(answered.text, 'predictions', 1, 'embeddings', 'values')
    assert.ok(Array.isArray(values) && values.length === 4)
    assert.ok(Math.abs(Math.hypot(...values.map(Number)) - 1) < 1e-9)
  }))

test('Claude answers in its own format, with the version in the body and no model', () =>
  withClouds({}, async (clouds) => {
    const path = 'anthropic/models/claude-sonnet-4-5@20250929'
    const answered = await call(clouds, `${path}:rawPredict`, CLAUDE)
    assert.equal(at(answered.text, 'content', 0, 'text'), 'You said: hello there')
    const streamed = await call(clouds, `${path}:streamRawPredict`, { ...CLAUDE, stream: true })
    assert.match(streamed.text, /event: message_stop/)
    const named = await call(clouds, `${path}:rawPredict`, { ...CLAUDE, model: 'x' })
    assert.match(textAt(named.text, 'error', 'message'), /^model: Extra inputs/)
    const flagged = await call(clouds, `${path}:rawPredict`, {
      ...CLAUDE,
      anthropic_beta: ['context-management-2025-06-27'],
    })
    assert.match(textAt(flagged.text, 'error', 'message'), /Unexpected value\(s\) `context-management/)
    const { max_tokens: _bound, ...prompt } = CLAUDE
    const counted = await call(clouds, 'anthropic/models/count-tokens:rawPredict', { ...prompt, model: 'claude' })
    assert.deepEqual(JSON.parse(counted.text), { input_tokens: 3 })
  }))

test('tokens, projects and models that are not known are refused as Google does', () =>
  withClouds({ vertex: { models: ['gemini-3-flash'] } }, async (clouds) => {
    const path = 'google/models/gemini-3-flash:generateContent'
    assert.equal(at((await call(clouds, path, HELLO, 'no')).text, 'error', 'status'), 'UNAUTHENTICATED')
    assert.equal(at((await gemini(clouds, HELLO, 'generateContent', 'gemini-9')).text, 'error', 'status'), 'NOT_FOUND')
    const other = {
      ...clouds,
      settings: { ...clouds.settings, vertex: { ...clouds.settings.vertex, project: 'other' } },
    }
    assert.equal(at((await gemini(other, HELLO)).text, 'error', 'status'), 'PERMISSION_DENIED')
    clouds.faults.set({ service: 'vertex', kind: 'throttle', count: 1 })
    const throttled = await gemini(clouds, HELLO)
    assert.deepEqual([throttled.status, at(throttled.text, 'error', 'status')], [429, 'RESOURCE_EXHAUSTED'])
    clouds.faults.set({ service: 'vertex', kind: 'error-in-stream', count: 1 })
    const lines = dataLines((await gemini(clouds, HELLO, 'streamGenerateContent?alt=sse')).text)
    assert.equal(at(lines.at(-1), 'error', 'code'), 500)
  }))
