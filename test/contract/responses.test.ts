import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Ajv, type ValidateFunction } from 'ajv'
import { at } from '#simclouds/client.suite.ts'
import { asRecord, parseJson } from '#kit/json.ts'
import { post, withPlane } from '../plane.ts'
import { contract } from './contracts.ts'

/** Events that clients are told, checked one by one against the schema that their type names. */
function validators(context: TestContext): ((type: string) => ValidateFunction | undefined) | undefined {
  const openapi = contract(context, 'azure/azure-openai/openai-v1.json')
  if (openapi === undefined) return undefined
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false })
  ajv.addSchema({ $id: 'openai', components: asJsonSchema(at(openapi, 'components')) })
  const mapping = asRecord(
    at(openapi, 'components', 'schemas', 'OpenAI.ResponseStreamEvent', 'discriminator', 'mapping'),
  )
  return (type) => {
    const ref = mapping?.[type]
    return typeof ref === 'string' ? ajv.compile({ $ref: `openai${ref}` }) : undefined
  }
}

/**
 * OpenAPI 3.0 says `nullable` where JSON Schema says that null is one of the types. `obfuscation` is padding against
 * those who measure lengths of encrypted pieces; clients ignore it and may ask for none.
 */
function asJsonSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(asJsonSchema).filter((item) => item !== 'obfuscation')
  if (typeof schema !== 'object' || schema === null) return schema
  const { nullable, ...rest } = Object.fromEntries(
    Object.entries(schema).map(([name, value]: [string, unknown]) => [name, asJsonSchema(value)]),
  )
  return nullable === true ? { anyOf: [rest, { type: 'null' }] } : rest
}

const tools = [
  { type: 'function', name: 'send_email', parameters: { type: 'object', properties: { to: { type: 'string' } } } },
]
const requests: readonly object[] = [
  { input: 'hello' },
  { input: 'hello', tools, tool_choice: 'required' },
  { input: 'hello', max_output_tokens: 2, temperature: 0.5, top_p: 0.5 },
  { input: 'hello', reasoning: { effort: 'low' }, metadata: { a: 'b' } },
  { input: 'hello', text: { format: { type: 'json_schema', name: 'out', schema: { type: 'object' }, strict: true } } },
]

test('every event of a Responses stream, and the answer in its last one, is as the schema says', async (context) => {
  const validatorOf = validators(context)
  if (validatorOf === undefined) return
  await withPlane({}, async (plane) => {
    const types = new Set<string>()
    for (const request of requests) {
      const answer = await post(
        plane.url,
        '/v1/responses',
        plane.key,
        JSON.stringify({ model: 'chat', stream: true, ...request }),
      )
      assert.equal(answer.status, 200, answer.text)
      for (const line of answer.text.split('\n')) {
        if (!line.startsWith('data: ')) continue
        const event = asRecord(parseJson(line.slice('data: '.length)))
        const type = String(event?.['type'])
        const validate = validatorOf(type)
        assert.ok(validate, `there is no event ${type}`)
        assert.ok(validate(event), `${type}: ${JSON.stringify(validate.errors?.slice(0, 3))}`)
        types.add(type)
      }
    }
    for (const type of ['response.completed', 'response.incomplete', 'response.function_call_arguments.done'])
      assert.ok(types.has(type), type)
  })
})
