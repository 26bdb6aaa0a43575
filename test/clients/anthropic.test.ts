import assert from 'node:assert/strict'
import { test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { withPlane } from '../plane.ts'

test('count_tokens: an estimate says that it is one, and grows with the text', async () => {
  await withPlane({}, async (plane) => {
    const client = new Anthropic({ baseURL: plane.url, apiKey: plane.key, maxRetries: 0 })
    const count = (content: string) =>
      client.messages.countTokens({ model: 'chat', messages: [{ role: 'user', content }] })
    const short = await count('hi')
    const long = await count('word '.repeat(1000))
    assert.ok(short.input_tokens > 0 && long.input_tokens > 1000 && long.input_tokens < 2000)
    assert.equal((long as { thinplane?: { estimated?: boolean } }).thinplane?.estimated, true)
  })
})

test('models: in the shape of the client that asks', async () => {
  await withPlane({}, async (plane) => {
    const client = new Anthropic({ baseURL: plane.url, apiKey: plane.key, maxRetries: 0 })
    const ids: string[] = []
    for await (const { id, type } of client.models.list()) ids.push(`${type} ${id}`)
    assert.deepEqual(ids.toSorted(), [
      'model assistant',
      'model chat',
      'model claude',
      'model embeddings',
      'model gemini',
      'model gemini-embeddings',
    ])
    assert.equal((await client.models.retrieve('chat')).id, 'chat')
  })
})

test('a tool that a server was made to call ends with `tool_use`, whatever the server says', async () => {
  await withPlane({}, async (plane) => {
    const client = new Anthropic({ baseURL: plane.url, apiKey: plane.key, maxRetries: 0 })
    const ask = {
      model: 'chat',
      max_tokens: 100,
      messages: [{ role: 'user', content: 'Find invoice 4711' }],
      tools: [{ name: 'find_invoice', input_schema: { type: 'object', properties: { number: { type: 'string' } } } }],
      tool_choice: { type: 'tool', name: 'find_invoice' },
    } satisfies Anthropic.MessageCreateParamsNonStreaming
    assert.equal((await client.messages.create(ask)).stop_reason, 'tool_use')
    assert.equal((await client.messages.stream(ask).finalMessage()).stop_reason, 'tool_use')
  })
})

for (const target of ['claude-anthropic', 'claude-us-east5', 'bedrock-us-east-1']) {
  test(`thinking with tools over two turns at ${target}: the proof goes back as it came, personal data or not`, async () => {
    await withPlane({ change: ({ aliases }) => (aliases['claude'] = { targets: [target] }) }, async (plane) => {
      const client = new Anthropic({ baseURL: plane.url, apiKey: plane.key, maxRetries: 0 })
      const ask = {
        model: 'claude',
        max_tokens: 6000,
        thinking: { type: 'enabled', budget_tokens: 2000 },
        tools: [{ name: 'find_invoice', input_schema: { type: 'object', properties: { query: { type: 'string' } } } }],
      } satisfies Omit<Anthropic.MessageCreateParamsNonStreaming, 'messages'>
      const question = { role: 'user', content: 'Use find_invoice for jane.doe@example.com' } as const
      const first = await client.messages.stream({ ...ask, messages: [question] }).finalMessage()
      const call = first.content.find(({ type }) => type === 'tool_use')
      assert.ok(call?.type === 'tool_use', JSON.stringify(first))
      const second = await client.messages.create({
        ...ask,
        messages: [
          question,
          { role: 'assistant', content: first.content },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'paid on Monday' }] },
        ],
      })
      assert.ok(JSON.stringify(second.content).includes('paid on Monday'), JSON.stringify(second.content))
    })
  })
}
