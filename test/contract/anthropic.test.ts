import assert from 'node:assert/strict'
import { test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { withClouds } from '#simclouds/client.suite.ts'

test("Anthropic's own client reads the stand-in: thoughts, calls, counts and errors", () =>
  withClouds({}, async (clouds) => {
    const { apiKey } = clouds.settings.anthropic
    const client = new Anthropic({ baseURL: clouds.urls.anthropic, apiKey, maxRetries: 0 })
    const tools = [
      { name: 'send_email', input_schema: { type: 'object' as const, properties: { email: { type: 'string' } } } },
    ]
    const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'send email to "ada"' }]
    const common = {
      model: 'claude-haiku-4-5',
      max_tokens: 4000,
      tools,
      thinking: { type: 'enabled' as const, budget_tokens: 2000 },
    }
    const first = await client.messages.stream({ ...common, messages }).finalMessage()
    assert.deepEqual(
      first.content.map(({ type }) => type),
      ['thinking', 'tool_use'],
    )
    const call = first.content[1]
    assert.ok(call?.type === 'tool_use')
    assert.deepEqual(call.input, { email: 'ada' })
    messages.push(
      { role: 'assistant', content: first.content },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'sent' }] },
    )
    const second = await client.messages.create({ ...common, messages })
    assert.deepEqual(second.content.at(-1), { type: 'text', text: 'The tool answered: sent' })
    assert.ok((await client.messages.countTokens({ model: common.model, messages, tools })).input_tokens > 0)
    clouds.faults.set({ service: 'anthropic', kind: 'error', status: 529, count: 1 })
    await assert.rejects(client.messages.create({ ...common, messages }), { status: 529, type: 'overloaded_error' })
    clouds.faults.set({ service: 'anthropic', kind: 'error-in-stream', status: 529, count: 1 })
    await assert.rejects(client.messages.stream({ ...common, messages }).finalMessage(), Anthropic.APIError)
  }))
