import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Ajv, type ValidateFunction } from 'ajv'
import { at, dataLines, sendJson, withClouds, type Answered } from '#simclouds/client.suite.ts'
import type { SimClouds } from '#simclouds/start.ts'
import { contract } from './contracts.ts'

function validators(context: TestContext): ((name: string) => ValidateFunction) | undefined {
  const openapi = contract(context, 'azure/azure-openai/openai-v1.json')
  if (openapi === undefined) return undefined
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false })
  ajv.addSchema({ $id: 'openai', components: asJsonSchema(at(openapi, 'components')) })
  return (name) => ajv.compile({ $ref: `openai#/components/schemas/${name}` })
}

/** OpenAPI 3.0 says `nullable` where JSON Schema says that null is one of the types. */
function asJsonSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(asJsonSchema)
  if (typeof schema !== 'object' || schema === null) return schema
  const { nullable, ...rest } = Object.fromEntries(
    Object.entries(schema).map(([name, value]: [string, unknown]) => [name, asJsonSchema(value)]),
  )
  return nullable === true ? { anyOf: [rest, { type: 'null' }] } : rest
}

function assertValid(validate: ValidateFunction, value: unknown, what: string): void {
  assert.ok(validate(value), `${what}: ${JSON.stringify(validate.errors?.slice(0, 3))}`)
}

function chat(clouds: SimClouds, body: object): Promise<Answered> {
  return sendJson(`${clouds.urls['cloud-run']}/v1/chat/completions`, body)
}

const tools = [
  {
    type: 'function',
    function: { name: 'send_email', parameters: { type: 'object', properties: { to: { type: 'string' } } } },
  },
]
const HELLO = { model: 'simulated-llama', messages: [{ role: 'user', content: 'hello' }] }
const requests: readonly object[] = [
  HELLO,
  { ...HELLO, max_tokens: 2, temperature: 0, top_p: 0.5, stop: ['x'], seed: 1 },
  { ...HELLO, tools, tool_choice: 'required' },
  {
    ...HELLO,
    tools,
    messages: [
      { role: 'system', content: 'be nice' },
      { role: 'user', content: [{ type: 'text', text: 'send' }] },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'send_email', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'c1', content: 'sent' },
    ],
  },
]

test('sample requests meet the published schema, and bodies do', async (context) => {
  const schema = validators(context)
  if (schema === undefined) return
  await withClouds({}, async (clouds) => {
    for (const body of requests) {
      assertValid(schema('AzureCreateChatCompletionRequest'), body, 'request')
      const answered = await chat(clouds, body)
      assert.equal(answered.status, 200, answered.text)
      assertValid(schema('AzureCreateChatCompletionResponse'), at(answered.text), answered.text)
    }
  })
})

test('every chunk of a stream meets the published schema', async (context) => {
  const schema = validators(context)
  if (schema === undefined) return
  await withClouds({}, async (clouds) => {
    for (const body of requests) {
      const answered = await chat(clouds, { ...body, stream: true, stream_options: { include_usage: true } })
      const lines = dataLines(answered.text)
      assert.equal(lines.at(-1), '[DONE]')
      for (const line of lines.slice(0, -1)) {
        assertValid(schema('AzureCreateChatCompletionStreamResponse'), at(line), line)
      }
    }
  })
})
