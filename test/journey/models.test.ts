import assert from 'node:assert/strict'
import { test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { type Plane, withPlane } from '../plane.ts'

const TOOL = {
  name: 'send_email',
  description: 'sends',
  parameters: { type: 'object', properties: { email: { type: 'string' } } },
}

/** A conversation of OpenAI's client with a call and its result, streamed. */
async function withOpenai(plane: Plane, model: string): Promise<string> {
  const client = new OpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.key, maxRetries: 0 })
  const tools = [{ type: 'function', function: TOOL }] as const
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    { role: 'system', content: 'be brief' },
    { role: 'user', content: 'send email to jane.doe@example.com' },
  ]
  const first = await client.chat.completions.stream({ model, messages, tools: [...tools] }).finalChatCompletion()
  const said = first.choices[0]?.message
  const [call] = said?.tool_calls ?? []
  assert.ok(said !== undefined && call?.type === 'function', model)
  assert.deepEqual(JSON.parse(call.function.arguments), { email: 'jane.doe@example.com' }, model)
  messages.push(
    { role: 'assistant', content: said.content, tool_calls: [call] },
    { role: 'tool', tool_call_id: call.id, content: 'sent to jane.doe@example.com' },
  )
  const second = await client.chat.completions.create({ model, messages, tools: [...tools] })
  return second.choices[0]?.message.content ?? ''
}

/** The same with Anthropic's client. */
async function withAnthropic(plane: Plane, model: string): Promise<string> {
  const client = new Anthropic({ baseURL: plane.url, apiKey: plane.key, maxRetries: 0 })
  const tools = [{ name: TOOL.name, input_schema: { type: 'object' as const, properties: TOOL.parameters.properties } }]
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'send email to jane.doe@example.com' }]
  const common = { model, max_tokens: 500, system: 'be brief', tools }
  const first = await client.messages.stream({ ...common, messages }).finalMessage()
  const call = first.content.find((block) => block.type === 'tool_use')
  assert.deepEqual(call?.input, { email: 'jane.doe@example.com' }, model)
  messages.push(
    { role: 'assistant', content: first.content },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'sent to jane.doe@example.com' }] },
  )
  const second = await client.messages.create({ ...common, messages })
  return second.content.map((block) => (block.type === 'text' ? block.text : '')).join('')
}

test('both clients call tools through every family of models, and no address leaves', async () => {
  await withPlane({}, async (plane) => {
    for (const [model, service] of [
      ['claude', 'anthropic'],
      ['gemini', 'vertex'],
    ] as const) {
      for (const converse of [withOpenai, withAnthropic]) {
        assert.equal(await converse(plane, model), 'The tool answered: sent to jane.doe@example.com', model)
      }
      const seen = plane.clouds.requests.last(service)
      assert.equal(seen.length, 4)
      assert.ok(!seen.some(({ body }) => body.includes('jane.doe')))
    }
  })
})

test('Claude is looked for at Anthropic, on Vertex and on Bedrock, in this order', async () => {
  await withPlane({}, async (plane) => {
    const client = new Anthropic({ baseURL: plane.url, apiKey: plane.key, maxRetries: 0 })
    const ask = async () => {
      const messages = [{ role: 'user', content: 'hi' }] as const
      const { response } = await client.messages
        .create({ model: 'claude', max_tokens: 50, messages: [...messages] })
        .withResponse()
      return response.headers.get('x-thinplane-target')
    }
    assert.equal(await ask(), 'claude-anthropic')
    plane.clouds.faults.set({ service: 'anthropic', kind: 'error', status: 529 })
    assert.equal(await ask(), 'claude-us-east5')
    plane.clouds.faults.set({ service: 'vertex', kind: 'throttle' })
    assert.equal(await ask(), 'bedrock-us-east-1')
  })
})

test('an answer of either vendor that breaks off is an error for the client, never a short answer', async () => {
  await withPlane({}, async (plane) => {
    const client = new OpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.key, maxRetries: 0 })
    for (const kind of ['end-early', 'error-in-stream', 'reset-after', 'malformed'] as const) {
      for (const [model, service] of [
        ['claude', 'anthropic'],
        ['gemini', 'vertex'],
      ] as const) {
        plane.clouds.faults.set({ service, kind, afterEvents: 2, count: 1 })
        const read = async () => {
          const stream = await client.chat.completions.create({
            model,
            stream: true,
            messages: [{ role: 'user', content: 'say a few words to me please' }],
          })
          for await (const _chunk of stream);
        }
        await assert.rejects(read(), `${model} ${kind}`)
      }
    }
  })
})
