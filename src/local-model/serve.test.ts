import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import OpenAI from 'openai'
import { type Engine, type GenerateRequest, PromptTooLong } from './engine.ts'
import { startLocalModel } from './serve.ts'

type Generate = Engine['generate']

/** Says its words one after the other, a turn of the event loop apart. */
function saying(words: readonly string[]): Generate {
  return async (_request, onText, signal) => {
    let completionTokens = 0
    for (const word of words) {
      await new Promise((resolve) => setImmediate(resolve))
      if (signal.aborted) return { finish: 'left', promptTokens: 5, completionTokens }
      onText(word)
      completionTokens += 1
    }
    return { finish: 'stop', promptTokens: 5, completionTokens }
  }
}

async function serving(
  context: TestContext,
  generate: Generate,
  maxWaiting?: number,
): Promise<{ readonly url: string; readonly client: OpenAI }> {
  const engine: Engine = { model: 'tiny', contextTokens: 64, generate, close: () => Promise.resolve() }
  const served = await startLocalModel({ engine, maxWaiting })
  context.after(() => served.close())
  const { url } = served
  return { url, client: new OpenAI({ apiKey: 'none', baseURL: `${url}/v1`, maxRetries: 0 }) }
}

const messages = [{ role: 'user' as const, content: 'hello' }]

test('the official client gets a whole answer with real token counts', async (context) => {
  const asked: GenerateRequest[] = []
  const { client } = await serving(context, (request, onText, signal) => {
    asked.push(request)
    return saying(['Good', ' day'])(request, onText, signal)
  })
  const answer = await client.chat.completions.create({ model: 'tiny', messages, temperature: 0, max_tokens: 9 })
  assert.equal(answer.choices[0]?.message.content, 'Good day')
  assert.equal(answer.choices[0]?.finish_reason, 'stop')
  assert.deepEqual(answer.usage, { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 })
  assert.equal(asked[0]?.maxTokens, 9)
  assert.equal(asked[0]?.temperature, 0)
})

test('the official client gets a stream that ends with usage', async (context) => {
  const { client } = await serving(context, saying(['Good', ' day', '!']))
  const stream = await client.chat.completions.create({
    model: 'tiny',
    messages,
    stream: true,
    stream_options: { include_usage: true },
  })
  const pieces: string[] = []
  let total: number | undefined
  for await (const chunk of stream) {
    pieces.push(chunk.choices[0]?.delta.content ?? '')
    total = chunk.usage?.total_tokens ?? total
  }
  assert.equal(pieces.join(''), 'Good day!')
  assert.equal(total, 8)
})

test('a prompt over the context is a 400 that says how long it may be, also for a stream', async (context) => {
  const { url } = await serving(context, () => Promise.reject(new PromptTooLong(100, 64, 16)))
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'tiny', messages, stream: true }),
  })
  assert.equal(answer.status, 400)
  assert.match(
    await answer.text(),
    /the prompt has 100 tokens and this model reads 64 with its answer: send at most 48/,
  )
})

test('a full line is a 429 with Retry-After', async (context) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { url, client } = await serving(
    context,
    async (request, onText, signal) => {
      await promise
      return saying(['ok'])(request, onText, signal)
    },
    1,
  )
  const first = client.chat.completions.create({ model: 'tiny', messages })
  const second = client.chat.completions.create({ model: 'tiny', messages })
  await new Promise((wait) => setTimeout(wait, 50))
  const third = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'tiny', messages }),
  })
  assert.equal(third.status, 429)
  assert.equal(third.headers.get('retry-after'), '5')
  resolve()
  assert.equal((await first).choices[0]?.message.content, 'ok')
  assert.equal((await second).choices[0]?.message.content, 'ok')
})

test('generating stops when the caller leaves', async (context) => {
  const stopped = Promise.withResolvers<void>()
  const { client } = await serving(context, async (_request, onText, signal) => {
    onText('one')
    if (!signal.aborted) await once(signal, 'abort')
    stopped.resolve()
    return { finish: 'left', promptTokens: 5, completionTokens: 1 }
  })
  const stream = await client.chat.completions.create({ model: 'tiny', messages, stream: true })
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content === 'one') break
  await stopped.promise
})

test('a fault of the engine is a 500 before the first text and an error event after it', async (context) => {
  const faults: unknown[] = []
  const served = await startLocalModel({
    engine: {
      model: 'tiny',
      contextTokens: 64,
      generate: (request, onText) => {
        if (request.temperature > 0) onText('half')
        return Promise.reject(new Error('out of memory'))
      },
      close: () => Promise.resolve(),
    },
    onFault: (error) => faults.push(error),
  })
  context.after(() => served.close())
  const post = (body: object) =>
    fetch(`${served.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: 'tiny', messages, stream: true, ...body }),
    })
  const before = await post({ temperature: 0 })
  assert.equal(before.status, 500)
  assert.doesNotMatch(await before.text(), /out of memory/)
  const after = await post({ temperature: 1 })
  assert.equal(after.status, 200)
  assert.match(await after.text(), /"error":\{"message":"the model failed.*\n\n$/)
  assert.equal(faults.length, 2)
})

test('lists its model, says that it is well, and knows no other path', async (context) => {
  const { url, client } = await serving(context, saying([]))
  const models = await client.models.list()
  assert.deepEqual(
    models.data.map(({ id }) => id),
    ['tiny'],
  )
  assert.deepEqual(await (await fetch(`${url}/health`)).json(), { status: 'ok' })
  assert.equal((await fetch(`${url}/v1/embeddings`)).status, 404)
  assert.equal((await fetch(`${url}/v1/chat/completions`)).status, 405)
})
