import assert from 'node:assert/strict'
import { test } from 'node:test'
import { at, dataLines, send, sendJson, textAt, withClouds } from './client.suite.ts'
import type { SimClouds } from './start.ts'

const HELLO = { model: 'simulated-llama', messages: [{ role: 'user', content: 'hello' }] }
const TOOLS = [
  {
    type: 'function',
    function: { name: 'send_email', parameters: { type: 'object', properties: { email: { type: 'string' } } } },
  },
]

function chat(clouds: SimClouds, body: unknown) {
  return sendJson(`${clouds.urls['cloud-run']}/v1/chat/completions`, body)
}

test('a stream has a role, content, a reason, usage when asked for, and an end', () =>
  withClouds({}, async (clouds) => {
    const answered = await chat(clouds, { ...HELLO, stream: true, stream_options: { include_usage: true } })
    assert.equal(answered.headers['content-type'], 'text/event-stream; charset=utf-8')
    const lines = dataLines(answered.text)
    assert.deepEqual(at(lines[0], 'choices', 0, 'delta'), { role: 'assistant', content: '' })
    assert.equal(at(lines.at(-3), 'choices', 0, 'finish_reason'), 'stop')
    assert.match(textAt(lines.at(-3), 'system_fingerprint'), /^simulated-/)
    assert.deepEqual(at(lines.at(-2), 'choices'), [])
    assert.deepEqual(at(lines.at(-2), 'usage'), { prompt_tokens: 2, total_tokens: 6, completion_tokens: 4 })
    assert.equal(lines.at(-1), '[DONE]')
    assert.doesNotMatch((await chat(clouds, { ...HELLO, stream: true })).text, /"usage"/)
  }))

test('a body says the same at once, for each choice', () =>
  withClouds({}, async (clouds) => {
    const answered = await chat(clouds, { ...HELLO, n: 2, stop: 'hello', seed: 1, top_k: 5, user: 'x' })
    assert.equal(at(answered.text, 'choices', 1, 'message', 'content'), 'You said: ')
    assert.equal(at(answered.text, 'choices', 1, 'stop_reason'), 'hello')
    const cut = await chat(clouds, { ...HELLO, max_completion_tokens: 1 })
    assert.equal(at(cut.text, 'choices', 0, 'finish_reason'), 'length')
  }))

test('text parts, developer messages and tool turns are understood', () =>
  withClouds({}, async (clouds) => {
    const call = { id: 'call_1', type: 'function', function: { name: 'send_email', arguments: '{}' } }
    const answered = await chat(clouds, {
      ...HELLO,
      tools: TOOLS,
      messages: [
        { role: 'developer', content: 'be brief' },
        { role: 'user', content: [{ type: 'text', text: 'send email' }] },
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'tool', tool_call_id: 'call_1', content: 'sent' },
      ],
    })
    assert.equal(at(answered.text, 'choices', 0, 'message', 'content'), 'The tool answered: sent')
  }))

test('a tool call streams its name and then its arguments', () =>
  withClouds({}, async (clouds) => {
    const messages = [{ role: 'user', content: 'mail <EMAIL_ADDRESS_4821>' }]
    const answered = await chat(clouds, { ...HELLO, messages, stream: true, tools: TOOLS, tool_choice: 'required' })
    const calls = dataLines(answered.text).map((line) =>
      line === '[DONE]' ? undefined : at(line, 'choices', 0, 'delta', 'tool_calls', 0),
    )
    assert.equal(at(calls[1], 'function', 'name'), 'send_email')
    assert.equal(
      calls.map((each) => textAt(each, 'function', 'arguments')).join(''),
      '{"email":"<EMAIL_ADDRESS_4821>"}',
    )
    assert.match(answered.text, /"finish_reason":"tool_calls"/)
    const tool_choice = { type: 'function', function: { name: 'send_email' } }
    const forced = await chat(clouds, { ...HELLO, tools: TOOLS, tool_choice })
    assert.equal(at(forced.text, 'choices', 0, 'message', 'tool_calls', 0, 'function', 'name'), 'send_email')
    assert.equal(at(forced.text, 'choices', 0, 'finish_reason'), 'stop')
  }))

test('a schema is answered with JSON', () =>
  withClouds({}, async (clouds) => {
    const schema = { type: 'object', properties: { city: { type: 'string' } } }
    const response_format = { type: 'json_schema', json_schema: { name: 'city', schema } }
    const answered = await chat(clouds, { ...HELLO, response_format })
    assert.equal(at(answered.text, 'choices', 0, 'message', 'content'), '{"city":"hello"}')
  }))

const refused: readonly (readonly [why: string, change: object, status: number, message: RegExp])[] = [
  ['an unknown model', { model: 'gpt' }, 404, /`gpt` does not exist/],
  ['an unknown role', { messages: [{ role: 'alien', content: 'a' }] }, 400, /messages\.0\.role/],
  ['no message', { messages: [] }, 400, /messages/],
  [
    'an image',
    { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] },
    400,
    /messages\.0/,
  ],
  ['content of a number', { messages: [{ role: 'user', content: 5 }] }, 400, /messages\.0\.content/],
  ['a tool result without id', { messages: [{ role: 'tool', content: 'a' }] }, 400, /tool_call_id/],
  ['max_tokens 0', { max_tokens: 0 }, 400, /max_tokens/],
  ['top_p 0', { top_p: 0 }, 400, /top_p/],
  ['a temperature below 0', { temperature: -1 }, 400, /temperature/],
  ['stream as text', { stream: 'yes' }, 400, /stream/],
  ['stream options without a stream', { stream_options: { include_usage: true } }, 400, /stream_options/],
  ['a choice without tools', { tool_choice: 'required' }, 400, /tool_choice needs tools/],
  [
    'a choice of nothing',
    { tools: TOOLS, tool_choice: { type: 'function', function: { name: 'x' } } },
    400,
    /names `x`/,
  ],
]

test('what vLLM would refuse is refused in its shape', () =>
  withClouds({}, async (clouds) => {
    for (const [why, change, status, message] of refused) {
      const answered = await chat(clouds, { ...HELLO, ...change })
      assert.equal(answered.status, status, why)
      assert.equal(at(answered.text, 'error', 'type'), status === 404 ? 'NotFoundError' : 'BadRequestError', why)
      assert.equal(at(answered.text, 'error', 'code'), status, why)
      assert.match(textAt(answered.text, 'error', 'message'), message, why)
    }
    const url = `${clouds.urls['cloud-run']}/v1/chat/completions`
    assert.match((await send(url, '{')).text, /the body is not JSON/)
  }))

test('models, health, metrics and unknown paths', () =>
  withClouds({ cloudRun: { models: ['a', 'b'] } }, async (clouds) => {
    const base = clouds.urls['cloud-run']
    const models = await send(`${base}/v1/models`, undefined)
    assert.equal(at(models.text, 'data', 1, 'id'), 'b')
    assert.equal(at(models.text, 'data', 1, 'owned_by'), 'thinplane-simulated')
    assert.equal((await send(`${base}/health`, undefined)).status, 200)
    await chat(clouds, { ...HELLO, model: 'a' })
    const metrics = await send(`${base}/metrics`, undefined)
    assert.match(metrics.text, /vllm:generation_tokens_total\{engine="0",model_name="a"\} 4/)
    assert.match(metrics.text, /vllm:request_success_total\{[^}]*finished_reason="stop"\} 1/)
    assert.equal((await send(`${base}/v1/other`, undefined)).status, 404)
    assert.equal((await send(`${base}/v1/chat/completions`, undefined)).status, 405)
  }))

test('the front asks for a bearer when it is told to', () =>
  withClouds({ cloudRun: { bearer: 'token' } }, async (clouds) => {
    const url = `${clouds.urls['cloud-run']}/v1/models`
    assert.equal((await send(url, undefined)).status, 403)
    const wrong = await send(url, undefined, { authorization: 'Bearer other' })
    assert.deepEqual([wrong.status, wrong.headers['www-authenticate']], [401, 'Bearer error="invalid_token"'])
    assert.equal((await send(url, undefined, { authorization: 'Bearer token' })).status, 200)
    const both = { authorization: 'Bearer for-vllm', 'x-serverless-authorization': 'Bearer token' }
    assert.equal((await send(url, undefined, both)).status, 200)
  }))

test('the first piece and the pieces after it take their time', () =>
  withClouds({ cloudRun: { firstTokenMs: 60, tokenMs: 10 } }, async (clouds) => {
    const startMs = performance.now()
    const answered = await chat(clouds, { ...HELLO, stream: true })
    const tookMs = performance.now() - startMs
    const contents = dataLines(answered.text).length - 3
    assert.ok(tookMs >= 60 + (contents - 1) * 10 - 2, `${tookMs} ms for ${contents} pieces`)
  }))
