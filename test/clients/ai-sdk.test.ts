import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { type LanguageModel, Output, embedMany, generateText, isStepCount, jsonSchema, streamText, tool } from 'ai'
import { type Plane, withPlane } from '../plane.ts'

const EMAIL = 'jane.doe@example.com'

/** Each provider of the SDK speaks one dialect. */
const models: readonly (readonly [dialect: string, model: (plane: Plane, alias?: string) => LanguageModel])[] = [
  ['responses', ({ url, key }, alias = 'chat') => createOpenAI({ baseURL: `${url}/v1`, apiKey: key }).responses(alias)],
  [
    'chat completions',
    ({ url, key }, alias = 'chat') => createOpenAI({ baseURL: `${url}/v1`, apiKey: key }).chat(alias),
  ],
  [
    'OpenAI-compatible chat completions',
    ({ url, key }, alias = 'chat') =>
      createOpenAICompatible({ name: 'thinplane', baseURL: `${url}/v1`, apiKey: key, includeUsage: true })(alias),
  ],
  ['messages', ({ url, key }, alias = 'chat') => createAnthropic({ baseURL: `${url}/v1`, apiKey: key })(alias)],
]

for (const [dialect, model] of models) {
  test(`AI SDK over ${dialect}: text, a stream, and a tool in a loop`, async () => {
    await withPlane({}, async (plane) => {
      const whole = await generateText({ model: model(plane), prompt: `Write to ${EMAIL}`, maxRetries: 0 })
      assert.ok(whole.text.includes(EMAIL), whole.text)
      const streamed = streamText({ model: model(plane), prompt: `Write to ${EMAIL}`, maxRetries: 0 })
      let text = ''
      for await (const piece of streamed.textStream) text += piece
      assert.equal(text, whole.text)
      assert.ok(((await streamed.usage).totalTokens ?? 0) > 0)
      const asked: unknown[] = []
      const looped = await generateText({
        model: model(plane),
        prompt: `Use find_invoice for ${EMAIL}`,
        maxRetries: 0,
        stopWhen: isStepCount(2),
        tools: {
          find_invoice: tool({
            description: 'Finds an invoice',
            inputSchema: jsonSchema({ type: 'object', properties: { query: { type: 'string' } }, required: ['query'] }),
            execute: (input) => {
              asked.push(input)
              return 'paid on Monday'
            },
          }),
        },
        prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? 'required' : 'auto' }),
      })
      assert.equal(asked.length, 1)
      assert.ok(looped.text.includes('paid on Monday'), looped.text)
      assert.ok(!plane.clouds.requests.last('cloud-run').some(({ body }) => body.includes(EMAIL)))
    })
  })
}

for (const [dialect, model] of models) {
  for (const alias of ['claude', 'gemini']) {
    test(`AI SDK over ${dialect}, two tools in a loop at ${alias}, which checks the proofs that it gave`, async () => {
      await withPlane({}, async (plane) => {
        const find = tool({
          description: 'Finds an invoice',
          inputSchema: jsonSchema({ type: 'object', properties: { query: { type: 'string' } }, required: ['query'] }),
          execute: () => 'paid on Monday',
        })
        const looped = await generateText({
          model: model(plane, alias),
          prompt: `Use find_invoice for ${EMAIL}`,
          maxRetries: 0,
          maxOutputTokens: 4000,
          stopWhen: isStepCount(3),
          prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? 'required' : 'auto' }),
          tools: { find_invoice: find },
        })
        assert.ok(looped.text.includes('paid on Monday'), looped.text)
        for (const cloud of ['anthropic', 'vertex'] as const)
          assert.ok(!plane.clouds.requests.last(cloud).some(({ body }) => body.includes(EMAIL)))
      })
    })
  }
}

test('AI SDK: an answer after a schema, and embeddings', async () => {
  await withPlane({}, async (plane) => {
    const provider = createOpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.key })
    const { output } = await generateText({
      model: provider.responses('chat'),
      prompt: `Who is ${EMAIL}?`,
      maxRetries: 0,
      output: Output.object({
        schema: jsonSchema<{ answer: string }>({
          type: 'object',
          properties: { answer: { type: 'string' } },
          required: ['answer'],
          additionalProperties: false,
        }),
      }),
    })
    assert.equal(typeof output.answer, 'string')
    const { embeddings } = await embedMany({
      model: provider.embedding('embeddings'),
      values: ['a', 'b'],
      maxRetries: 0,
    })
    assert.deepEqual(
      embeddings.map(({ length }) => length),
      [256, 256],
    )
  })
})
