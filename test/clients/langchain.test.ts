import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HumanMessage, ToolMessage } from '@langchain/core/messages'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { withPlane } from '../plane.ts'

const EMAIL = 'jane.doe@example.com'

for (const useResponsesApi of [false, true]) {
  test(`LangChain over ${useResponsesApi ? 'responses' : 'chat completions'}: text, a stream, a tool and its result`, async () => {
    await withPlane({}, async (plane) => {
      const model = new ChatOpenAI({
        model: 'chat',
        apiKey: plane.key,
        maxRetries: 0,
        useResponsesApi,
        configuration: { baseURL: `${plane.url}/v1` },
      })
      const whole = await model.invoke(`Write to ${EMAIL}`)
      assert.ok(whole.text.includes(EMAIL), whole.text)
      let text = ''
      for await (const chunk of await model.stream(`Write to ${EMAIL}`)) text += chunk.text
      assert.equal(text, whole.text)
      const bound = model.bindTools(
        [
          {
            type: 'function',
            function: {
              name: 'find_invoice',
              description: 'Finds an invoice',
              parameters: { type: 'object', properties: { query: { type: 'string' } } },
            },
          },
        ],
        { tool_choice: 'required' },
      )
      const asked = new HumanMessage('Use find_invoice to find the invoice')
      const called = await bound.invoke([asked])
      const [call] = called.tool_calls ?? []
      assert.equal(call?.name, 'find_invoice')
      const result = new ToolMessage({ content: 'paid on Monday', tool_call_id: call.id ?? '' })
      const answered = await model.invoke([asked, called, result])
      assert.ok(answered.text.length > 0)
    })
  })
}

test('LangChain: embeddings', async () => {
  await withPlane({}, async (plane) => {
    const embeddings = new OpenAIEmbeddings({
      model: 'embeddings',
      apiKey: plane.key,
      configuration: { baseURL: `${plane.url}/v1` },
    })
    const vectors = await embeddings.embedDocuments(['a', 'b'])
    assert.deepEqual(
      vectors.map(({ length }) => length),
      [256, 256],
    )
  })
})
