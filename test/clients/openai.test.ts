import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import sharp from 'sharp'
import { withPlane } from '../plane.ts'

const EMAIL = 'jane.doe@example.com'
const TOOL = {
  type: 'function',
  function: {
    name: 'find_invoice',
    description: 'Finds an invoice by its number',
    parameters: { type: 'object', properties: { number: { type: 'string' } }, required: ['number'] },
  },
} as const
/** One white pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mP8/x8AAwMCAO+ip1sAAAAASUVORK5CYII='

/** The types of the client leave it out. */
function storeOf(response: object): unknown {
  return 'store' in response ? response.store : undefined
}

async function withClient(
  run: (client: OpenAI, plane: Parameters<Parameters<typeof withPlane>[1]>[0]) => Promise<void>,
) {
  await withPlane({}, async (plane) => {
    await run(new OpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.key, maxRetries: 0 }), plane)
  })
}

test('responses: an answer, whole and streamed, is the same, and holds the originals', async () => {
  await withClient(async (client, plane) => {
    const ask = { model: 'chat', input: `Write to ${EMAIL}`, instructions: 'Be brief.' }
    const whole = await client.responses.create(ask)
    assert.equal(whole.status, 'completed')
    assert.ok(whole.output_text.includes(EMAIL), whole.output_text)
    assert.ok((whole.usage?.total_tokens ?? 0) > 0)
    const stream = client.responses.stream(ask)
    const types: string[] = []
    const numbers: number[] = []
    for await (const event of stream) {
      types.push(event.type)
      numbers.push(event.sequence_number)
    }
    const final = await stream.finalResponse()
    assert.equal(final.output_text, whole.output_text)
    assert.deepEqual(numbers, numbers.keys().toArray())
    const once = types.filter((type, at) => type !== types[at - 1])
    assert.deepEqual(once, [
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
    assert.ok(!plane.clouds.requests.last('cloud-run').some(({ body }) => body.includes(EMAIL)))
  })
})

test('responses: a tool is called, and its result goes on by `previous_response_id`', async () => {
  await withClient(async (client, plane) => {
    const first = await client.responses.create({
      model: 'chat',
      input: `Find invoice 4711 of ${EMAIL}`,
      tools: [{ type: 'function', ...TOOL.function, strict: false }],
      tool_choice: 'required',
    })
    const call = first.output.find(({ type }) => type === 'function_call')
    assert.ok(call?.type === 'function_call')
    assert.equal(call.name, 'find_invoice')
    JSON.parse(call.arguments)
    assert.equal(storeOf(first), true)
    const second = await client.responses.create({
      model: 'chat',
      previous_response_id: first.id,
      input: [{ type: 'function_call_output', call_id: call.call_id, output: 'paid on Monday' }],
    })
    assert.equal(second.previous_response_id, first.id)
    const sent = JSON.parse(plane.clouds.requests.last('cloud-run').at(-1)?.body ?? '{}') as {
      messages: { role: string }[]
    }
    assert.deepEqual(
      sent.messages.map(({ role }) => role),
      ['user', 'assistant', 'tool'],
    )
  })
})

test('responses: an answer is not kept for another caller, where the caller says so, or where policy says so', async () => {
  await withClient(async (client, plane) => {
    const first = await client.responses.create({ model: 'chat', input: 'hi' })
    const other = new OpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.keyOf('restricted'), maxRetries: 0 })
    const goOn = (asker: OpenAI, id: string) =>
      asker.responses.create({ model: 'chat', input: 'and?', previous_response_id: id }).then(
        () => 'answered',
        (error: unknown) => (error instanceof OpenAI.APIError ? `${error.status} ${error.code} ${error.param}` : ''),
      )
    assert.equal(await goOn(other, first.id), '404 RECALL_UNKNOWN previous_response_id')
    assert.equal(await goOn(client, first.id), 'answered')
    const unkept = await client.responses.create({ model: 'chat', input: 'hi', store: false })
    assert.equal(storeOf(unkept), false)
    assert.equal(await goOn(client, unkept.id), '404 RECALL_UNKNOWN previous_response_id')
  })
})

test('embeddings: numbers and Base64 are the same vectors, in the order of the texts; an address never leaves', async () => {
  await withClient(async (client, plane) => {
    const input = [`mail to ${EMAIL}`, 'red apples', 'red apples']
    const given = await client.embeddings.create({ model: 'embeddings', input, encoding_format: 'float' })
    // The client asks for Base64 by itself where no format is named.
    const packed = await client.embeddings.create({ model: 'embeddings', input })
    assert.deepEqual(
      given.data.map(({ index }) => index),
      [0, 1, 2],
    )
    for (const [at, { embedding }] of given.data.entries()) {
      assert.equal(embedding.length, 256)
      assert.deepEqual(
        embedding.map((value) => value.toFixed(6)),
        packed.data[at]?.embedding.map((value) => value.toFixed(6)),
      )
    }
    assert.deepEqual(given.data[1]?.embedding, given.data[2]?.embedding)
    assert.notDeepEqual(given.data[0]?.embedding, given.data[1]?.embedding)
    assert.ok(given.usage.prompt_tokens > 0)
    const [seen] = plane.clouds.requests.last('cloud-run')
    assert.ok(!seen?.body.includes(EMAIL) && seen?.body.includes('[EMAIL_ADDRESS]'))
    const short = await client.embeddings.create({ model: 'embeddings', input: 'a', dimensions: 8 })
    assert.equal(short.data[0]?.embedding.length, 8)
  })
})

test('embeddings: requests that meet go to the target together, and each gets its own vectors', async () => {
  await withClient(async (client, plane) => {
    const words = Array.from({ length: 40 }, (_, at) => `word${at}`)
    const alone = await client.embeddings.create({ model: 'embeddings', input: words, encoding_format: 'float' })
    const before = plane.clouds.requests.count('cloud-run')
    plane.clouds.faults.set({ service: 'cloud-run', kind: 'latency', ms: 100 })
    const together = await Promise.all(
      words.map((word) => client.embeddings.create({ model: 'embeddings', input: word, encoding_format: 'float' })),
    )
    for (const [at, { data }] of together.entries()) assert.deepEqual(data[0]?.embedding, alone.data[at]?.embedding)
    const calls = plane.clouds.requests.count('cloud-run') - before
    assert.ok(calls <= 8, `${calls} calls for ${words.length} requests`)
  })
})

test('chat: several answers, log-probabilities and an image arrive, streamed and whole', async () => {
  await withClient(async (client) => {
    const ask = {
      model: 'chat',
      n: 2,
      logprobs: true,
      top_logprobs: 2,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is on it?' },
            { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } },
          ],
        },
      ],
    } satisfies OpenAI.ChatCompletionCreateParams
    const whole = await client.chat.completions.create(ask)
    assert.equal(whole.choices.length, 2)
    for (const { message, logprobs } of whole.choices) {
      assert.equal(logprobs?.content?.map(({ token }) => token).join(''), message.content)
      assert.equal(logprobs?.content?.[0]?.top_logprobs.length, 2)
    }
    const texts = new Map<number, string>()
    const tokens = new Map<number, string>()
    const roles = new Map<number, string | undefined>()
    for await (const { choices } of await client.chat.completions.create({ ...ask, stream: true })) {
      for (const { index, delta, logprobs } of choices) {
        if (!roles.has(index)) roles.set(index, delta.role)
        texts.set(index, (texts.get(index) ?? '') + (delta.content ?? ''))
        for (const { token } of logprobs?.content ?? []) tokens.set(index, (tokens.get(index) ?? '') + token)
      }
    }
    assert.deepEqual(
      roles,
      new Map([
        [0, 'assistant'],
        [1, 'assistant'],
      ]),
    )
    assert.deepEqual(
      [...texts.values()],
      whole.choices.map(({ message }) => message.content),
    )
    assert.deepEqual(tokens, texts)
  })
})

test('chat: what a target does not get is named, and what it can not do is refused by name', async () => {
  await withPlane(
    { change: ({ aliases }) => (aliases['chat'] = { targets: ['bedrock-us-east-1'] }) },
    async (plane) => {
      const client = new OpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.key, maxRetries: 0 })
      const messages = [{ role: 'user', content: 'hi' }] as const
      const { response } = await client.chat.completions
        .create({ model: 'chat', messages: [...messages], seed: 1, presence_penalty: 1, metadata: { a: 'b' } })
        .withResponse()
      assert.equal(response.headers.get('x-thinplane-dropped'), 'seed, presence_penalty, metadata')
      // More often than a breaker lets a target fail.
      for (let times = 0; times < 10; times += 1) {
        await assert.rejects(
          client.chat.completions.create({ model: 'chat', messages: [...messages], n: 2 }),
          (error) => {
            assert.ok(error instanceof OpenAI.APIError)
            assert.equal(`${error.status} ${error.code} ${error.param}`, '400 INFER_UNSUPPORTED n')
            return true
          },
        )
      }
      const answer = await client.chat.completions.create({ model: 'chat', messages: [...messages] })
      assert.ok(answer.choices[0]?.message.content, 'the breaker took a refusal for a fault')
    },
  )
})

test('chat: an image that is too large is made smaller, the entry says what that saved, and `strict` lets none out', async () => {
  await withClient(async (client, plane) => {
    const big = await sharp({ create: { width: 3000, height: 1500, channels: 3, background: '#7a9' } })
      .png({ compressionLevel: 0 })
      .toBuffer()
    const url = `data:image/png;base64,${big.toString('base64')}`
    const ask = {
      model: 'chat',
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
    } satisfies OpenAI.ChatCompletionCreateParamsNonStreaming
    const small = await sharp(big).resize(2000, 1000).png().toBuffer()
    const fitting = {
      ...ask,
      messages: [
        {
          role: 'user' as const,
          content: [
            { type: 'image_url' as const, image_url: { url: `data:image/png;base64,${small.toString('base64')}` } },
          ],
        },
      ],
    }
    const { response } = await client.chat.completions.create(fitting).withResponse()
    const { images, findings } = await plane.entry(response.headers.get('x-request-id') ?? '')
    assert.ok(images !== undefined && images.shrunk === 1 && images.bytesIn === small.length)
    assert.ok(plane.clouds.requests.last('cloud-run').at(-1)?.body.includes('data:image/webp;base64,'))
    assert.ok(findings.some(({ type, action, count }) => type === 'IMAGE' && action === 'flag' && count === 1))
    const strict = new OpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.keyOf('restricted'), maxRetries: 0 })
    await assert.rejects(strict.chat.completions.create(fitting), (error) => {
      assert.ok(error instanceof OpenAI.APIError)
      assert.equal(`${error.status} ${error.code}`, '400 GUARD_BLOCKED')
      return true
    })
    // Over the limit of a body it does not come so far: the refusal says which limit.
    await assert.rejects(client.chat.completions.create(ask), (error) => {
      assert.ok(error instanceof OpenAI.APIError)
      assert.equal(`${error.status} ${error.code}`, '413 WIRE_TOO_LARGE')
      return true
    })
  })
})

test('embeddings asked of a model that talks are refused by name, and nobody loses the model for it', async () => {
  await withPlane(
    {
      change: ({ aliases }) => {
        // Grounded: nothing is fetched for a text that is to be embedded.
        aliases['grounded'] = { targets: ['embeddings-us-east4'], collections: ['docs'] }
        aliases['chat'] = { targets: ['claude-anthropic'] }
        aliases['talk'] = { targets: ['vllm-us-east4'] }
      },
    },
    async (plane) => {
      const client = new OpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.key, maxRetries: 0 })
      const codeOf = (model: string) =>
        client.embeddings.create({ model, input: 'a' }).then(
          () => 'answered',
          (error: unknown) => (error instanceof OpenAI.APIError ? `${error.status} ${error.code}` : String(error)),
        )
      for (let times = 0; times < 8; times += 1) {
        assert.equal(await codeOf('talk'), '400 INFER_UNSUPPORTED')
        assert.equal(await codeOf('chat'), '400 INFER_UNSUPPORTED')
      }
      const messages = [{ role: 'user', content: 'hi' }] as const
      for (const model of ['talk', 'chat'])
        assert.ok((await client.chat.completions.create({ model, messages: [...messages] })).choices[0])
      assert.equal(await codeOf('grounded'), 'answered')
      // The other way round: a talk with a model that makes vectors.
      for (let times = 0; times < 8; times += 1)
        await assert.rejects(client.chat.completions.create({ model: 'embeddings', messages: [...messages] }))
      assert.equal(await codeOf('embeddings'), 'answered')
    },
  )
})
