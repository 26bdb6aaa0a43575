import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BadRequest, readChatRequest } from './request.ts'

const user = { role: 'user', content: 'hello' }

test('reads what the model can do', () => {
  const body = {
    model: 'any',
    messages: [
      { role: 'developer', content: 'be brief' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'one' },
          { type: 'text', text: 'two' },
        ],
      },
      { role: 'assistant', content: 'three' },
      user,
    ],
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: 50,
    max_completion_tokens: 20,
    temperature: 0,
    stop: 'END',
    seed: 7,
  }
  assert.deepEqual(readChatRequest(JSON.stringify(body)), {
    stream: true,
    includeUsage: true,
    generate: {
      turns: [
        { role: 'system', text: 'be brief' },
        { role: 'user', text: 'one\ntwo' },
        { role: 'assistant', text: 'three' },
        { role: 'user', text: 'hello' },
      ],
      maxTokens: 20,
      temperature: 0,
      topP: undefined,
      seed: 7,
      stop: ['END'],
    },
  })
})

for (const [what, body, message] of [
  ['no JSON', 'hello', /not a chat completion request/],
  ['no messages', JSON.stringify({ model: 'm', messages: [] }), /`messages`/],
  [
    'an image',
    JSON.stringify({ model: 'm', messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }),
    /`messages.0.content`/,
  ],
  ['tools', JSON.stringify({ model: 'm', messages: [user], tools: [{}] }), /can not call tools/],
  ['two answers', JSON.stringify({ model: 'm', messages: [user], n: 2 }), /`n`/],
] as const) {
  test(`refuses ${what} and says where`, () => {
    assert.throws(
      () => readChatRequest(body),
      (error) => error instanceof BadRequest && message.test(error.message),
    )
  })
}

test('no tools is not tools, and null is not given', () => {
  const { generate, stream } = readChatRequest(
    JSON.stringify({ model: 'm', messages: [user], tools: [], stream: null, max_tokens: null }),
  )
  assert.equal(stream, false)
  assert.equal(generate.maxTokens, undefined)
})
