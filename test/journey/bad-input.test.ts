import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { asRecord, parseJson } from '#kit/json.ts'
import { chat, errorOf, post, withPlane } from '../plane.ts'

const ROWS: readonly (readonly [name: string, body: string, status: number, code: string, message: RegExp])[] = [
  ['no JSON', '{"model":', 400, 'WIRE_MALFORMED', /^the body is not JSON/],
  ['an empty body', '', 400, 'WIRE_MALFORMED', /^the body is not JSON/],
  ['a list', '[]', 400, 'WIRE_MALFORMED', /^`body` must be an object$/],
  ['no model', '{"messages":[]}', 400, 'WIRE_MALFORMED', /^`model` must be text$/],
  ['no messages', '{"model":"chat"}', 400, 'WIRE_MALFORMED', /^`messages` must be a list$/],
  [
    'a wrong role',
    '{"model":"chat","messages":[{"role":"king","content":"x"}]}',
    400,
    'WIRE_MALFORMED',
    /^`messages\[0\].role` must be one of/,
  ],
  [
    'a wrong type',
    '{"model":"chat","messages":[{"role":"user","content":7}]}',
    400,
    'WIRE_MALFORMED',
    /^`messages\[0\].content` must be text or a list of parts$/,
  ],
  [
    'an image that is none',
    '{"model":"chat","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}',
    400,
    'WIRE_MALFORMED',
    /must be a data: URL, or an http\(s\) URL/,
  ],
  [
    'a result of a call that nobody made',
    '{"model":"chat","messages":[{"role":"user","content":"x"},{"role":"tool","tool_call_id":"c1","content":"y"}]}',
    400,
    'WIRE_MALFORMED',
    /result of the call `c1`, which no message before it makes: send the call too$/,
  ],
  [
    'a schema that is none',
    chat('x', { tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'objekt' } } }] }),
    400,
    'WIRE_MALFORMED',
    /^`tools\[0\]\.function\.parameters\.type` must be one of array, boolean/,
  ],
  [
    'a temperature of 9',
    chat('x', { temperature: 9 }),
    400,
    'WIRE_MALFORMED',
    /^`temperature` must be a number from 0 to 2$/,
  ],
  [
    'an unknown model',
    chat('x', { model: 'gpt-9' }),
    404,
    'ROUTE_UNKNOWN_MODEL',
    /^there is no model `gpt-9`, choose one of `chat`, `embeddings`, `assistant`, `claude`, `gemini`, `gemini-embeddings`$/,
  ],
  [
    'an unknown collection',
    chat('x', { thinplane: { ground: { collections: ['secrets'] } } }),
    404,
    'CONTEXT_UNKNOWN',
    /^there is no collection `secrets`, choose one of `docs`$/,
  ],
  [
    'half a surrogate pair',
    '{"model":"chat","messages":[{"role":"user","content":"\\ud800"}]}',
    400,
    'WIRE_MALFORMED',
    /half of a surrogate pair$/,
  ],
  [
    'a NUL byte',
    '{"model":"chat","messages":[{"role":"user","content":"a\\u0000b"}]}',
    400,
    'WIRE_MALFORMED',
    /without NUL characters$/,
  ],
  [
    'deep nesting',
    `{"model":"chat","messages":[],"x":${'['.repeat(5000)}${']'.repeat(5000)}}`,
    400,
    'WIRE_MALFORMED',
    /nested deeper than 64 levels$/,
  ],
  [
    '10,000 messages',
    JSON.stringify({ model: 'chat', messages: Array.from({ length: 10_000 }, () => ({ role: 'user', content: 'x' })) }),
    400,
    'WIRE_MALFORMED',
    /at most 4096 messages, it has 10000$/,
  ],
  [
    'a prototype as a role',
    '{"model":"chat","messages":[{"role":"__proto__","content":"x"}]}',
    400,
    'WIRE_MALFORMED',
    /role` must be one of/,
  ],
]

test('each kind of bad input gets its own refusal in the dialect that was called, and an audit entry', async () => {
  await withPlane({}, async (plane) => {
    for (const [name, body, status, code, message] of ROWS) {
      const openai = await post(plane.url, '/v1/chat/completions', plane.key, body)
      const error = errorOf(openai)
      assert.deepEqual([openai.status, error.code], [status, code], name)
      assert.match(error.message, message, name)
      const entry = await plane.entry(openai.headers.get('x-request-id') ?? '')
      assert.equal(entry.code, code, name)
      const anthropic = await post(plane.url, '/v1/messages', plane.key, body)
      assert.equal(asRecord(parseJson(anthropic.text))?.['type'], 'error', name)
      assert.ok(anthropic.status >= 400 && anthropic.status < 500, name)
    }
  })
})

test('no credential, a wrong scheme, an unknown key and a revoked one are told apart', async () => {
  await withPlane({}, async (plane) => {
    const message = async (headers: Record<string, string>) => {
      const answer = await post(plane.url, '/v1/chat/completions', undefined, chat('x'), headers)
      assert.equal(answer.status, 401)
      const { message: sentence, code } = errorOf(answer)
      const error = `, error="invalid_token", error_description="${sentence}"`
      assert.equal(
        answer.headers.get('www-authenticate'),
        `Bearer realm="thinplane"${code === 'IDENTITY_MISSING' ? '' : error}`,
      )
      return sentence
    }
    assert.match(await message({}), /^no credential, send/)
    assert.match(
      await message({ authorization: 'Basic abc' }),
      /^the authorization header is not `Bearer` and one token$/,
    )
    assert.match(await message({ authorization: 'Bearer tp-nonsense' }), /^the key is not of the form/)
    assert.match(
      await message({ authorization: `Bearer ${plane.key.slice(0, -1)}${plane.key.endsWith('0') ? '1' : '0'}` }),
      /^the key is not known here$/,
    )
    assert.match(await message({ 'x-api-key': `tp-000000000000-${'a'.repeat(43)}` }), /^the key is not known here$/)
  })
})

test('a body over the limit is refused before it is read', async () => {
  await withPlane({ change: (config) => (config.listen['maxBodyBytes'] = 2048) }, async (plane) => {
    const answer = await post(plane.url, '/v1/chat/completions', plane.key, chat('x'.repeat(4000)))
    assert.equal(answer.status, 413)
    assert.match(errorOf(answer).message, /^the body is over 2048 bytes/)
  })
})

test('bytes that are no UTF-8, and a compressed body, are refused', async () => {
  await withPlane({}, async (plane) => {
    const send = async (body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) => {
      const answer = await fetch(`${plane.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${plane.key}`, ...headers },
        body,
      })
      return `${answer.status} ${((await answer.json()) as { error: { message: string } }).error.message}`
    }
    assert.equal(await send(new Uint8Array([0x7b, 0xff, 0xfe, 0x7d])), '400 the body is not UTF-8')
    assert.match(
      await send(new Uint8Array([0x7b]), { 'content-encoding': 'gzip' }),
      /^400 compressed bodies are not read/,
    )
  })
})

/** Writes raw bytes to the port and returns what comes back until the server closes. */
function raw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    let text = ''
    socket.setEncoding('utf8').on('data', (piece: string) => (text += piece))
    socket.on('close', () => resolve(text)).on('error', reject)
  })
}

test('a client that sends a byte now and then is told that it is too slow', async () => {
  await withPlane({ change: (config) => (config.listen['requestTimeoutMs'] = 300) }, async (plane) => {
    const answer = await raw(
      plane.url,
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${plane.key}\r\ncontent-length: 500\r\n\r\n{"mod`,
    )
    assert.match(answer, /^HTTP\/1\.1 408 /)
    assert.match(answer, /WIRE_TOO_SLOW/)
    assert.equal((await post(plane.url, '/v1/chat/completions', plane.key, chat('still here'))).status, 200)
  })
})

test('what is not HTTP is answered and closed', async () => {
  await withPlane({}, async (plane) => {
    assert.match(await raw(plane.url, 'hello there\r\n\r\n'), /^HTTP\/1\.1 400 /)
    assert.match(await raw(plane.url, `GET / HTTP/1.1\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`), /^HTTP\/1\.1 413 /)
  })
})

test('unknown paths and methods say what there is', async () => {
  await withPlane({}, async (plane) => {
    const answer = await post(plane.url, '/v1/completions', plane.key, chat('x'))
    assert.equal(answer.status, 404)
    assert.match(errorOf(answer).message, /^there is no such path, model calls go to POST/)
    const get = await fetch(`${plane.url}/v1/chat/completions`)
    assert.equal(get.status, 404)
  })
})
