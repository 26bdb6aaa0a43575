import assert from 'node:assert/strict'
import { test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { asRecord, parseJson } from '#kit/json.ts'
import { chat, errorOf, eventually, post, withPlane } from '../plane.ts'

const EMAIL = 'jane.doe@example.com'
const CARD = '4111 1111 1111 1111'
/** Put together here, so that no file of this repository holds a key-shaped string. */
const AWS_KEY = `AKIA${'IOSFODNN7EXAMPLE'}`
const PROMPT = `Write to ${EMAIL} about card ${CARD} and key ${AWS_KEY}`

test('the model sees placeholders, the caller sees the originals, and a secret never comes back', async () => {
  await withPlane({}, async (plane) => {
    const client = new OpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.key })
    const stream = await client.chat.completions.create({
      model: 'chat',
      stream: true,
      messages: [{ role: 'user', content: PROMPT }],
    })
    let answer = ''
    for await (const chunk of stream) answer += chunk.choices[0]?.delta.content ?? ''
    const [seen] = plane.clouds.requests.last('cloud-run')
    assert.ok(seen)
    for (const value of [EMAIL, CARD, AWS_KEY]) assert.ok(!seen.body.includes(value), `the model saw ${value}`)
    assert.match(seen.body, /<EMAIL_ADDRESS_\d{5}> about card <CREDIT_CARD_\d{5}> and key <SECRET_\d{5}>/)
    assert.ok(answer.includes(EMAIL) && answer.includes(CARD), answer)
    assert.ok(!answer.includes(AWS_KEY))
    // The managed check is another cloud: it sees no more than the model.
    assert.ok(
      !plane.clouds.requests.last('content-safety').some(({ body }) => body.includes(EMAIL) || body.includes(AWS_KEY)),
    )
  })
})

test('a caller under the strict profile is refused for a credential, and no cloud is asked', async () => {
  await withPlane({}, async (plane) => {
    const answer = await post(plane.url, '/v1/chat/completions', plane.keyOf('restricted'), chat(PROMPT))
    assert.equal(answer.status, 400)
    assert.equal(errorOf(answer).code, 'GUARD_BLOCKED')
    assert.match(answer.text, /the prompt holds 1 SECRET, remove it and rotate what was real/)
    assert.equal(plane.clouds.requests.count('cloud-run') + plane.clouds.requests.count('content-safety'), 0)
    const entry = await plane.entry(answer.headers.get('x-request-id') ?? '')
    assert.equal(entry.outcome, 'blocked')
    assert.equal(entry.policy.guardProfile, 'strict')
    assert.deepEqual(
      entry.findings.map(({ type, action, count }) => `${type} ${action} ${count}`),
      ['CREDIT_CARD redact 1', 'EMAIL_ADDRESS redact 1', 'SECRET block 1'],
    )
  })
})

test('the trail holds types and counts, never a value of the prompt or the answer', async () => {
  await withPlane({}, async (plane) => {
    await post(plane.url, '/v1/chat/completions', plane.key, chat(`${PROMPT} zebra-crossing`))
    const trail = await plane.trail()
    for (const value of [EMAIL, CARD, AWS_KEY, 'zebra', plane.key]) assert.ok(!trail.includes(value))
    assert.match(trail, /"type":"EMAIL_ADDRESS"/)
    for (const line of plane.logged) assert.ok(!line.includes(EMAIL))
  })
})

test('a placeholder is the same in every turn of a conversation, and another caller gets another', async () => {
  await withPlane({}, async (plane) => {
    const first = { role: 'user', content: `I am ${EMAIL}` }
    const turn = (messages: object[], key: string) =>
      post(plane.url, '/v1/chat/completions', key, JSON.stringify({ model: 'chat', messages }))
    const seen = () => /<EMAIL_ADDRESS_\d{5}>/.exec(plane.clouds.requests.last('cloud-run').at(-1)?.body ?? '')?.[0]
    await turn([first], plane.key)
    const one = seen()
    await turn([first, { role: 'assistant', content: 'hello' }, { role: 'user', content: 'who am I?' }], plane.key)
    assert.equal(seen(), one)
    await turn([first], plane.keyOf('restricted'))
    assert.notEqual(seen(), one)
    // A history that comes back with the placeholder is understood, too.
    const back = await turn(
      [first, { role: 'assistant', content: 'ok' }, { role: 'user', content: `say ${one ?? ''}` }],
      plane.key,
    )
    assert.match(back.text, /say jane\.doe@example\.com/)
  })
})

test('values are restored inside the arguments of a tool call, and the arguments stay JSON', async () => {
  await withPlane({}, async (plane) => {
    const client = new OpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.key })
    const stream = await client.chat.completions.create({
      model: 'chat',
      stream: true,
      messages: [{ role: 'user', content: `Send a mail to ${EMAIL}` }],
      tools: [
        {
          type: 'function',
          function: {
            name: 'send_mail',
            parameters: { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] },
          },
        },
      ],
      tool_choice: { type: 'function', function: { name: 'send_mail' } },
    })
    let args = ''
    for await (const chunk of stream)
      for (const call of chunk.choices[0]?.delta.tool_calls ?? []) args += call.function?.arguments ?? ''
    assert.ok(JSON.stringify(JSON.parse(args)).includes(EMAIL), args)
    assert.ok(!(plane.clouds.requests.last('cloud-run')[0]?.body ?? '').includes(EMAIL))
  })
})

test('Anthropic clients work unchanged, streamed and whole', async () => {
  await withPlane({}, async (plane) => {
    const client = new Anthropic({ baseURL: plane.url, apiKey: plane.key })
    const request = {
      model: 'chat',
      max_tokens: 200,
      system: 'Be brief.',
      messages: [{ role: 'user' as const, content: `I am ${EMAIL}` }],
    }
    const whole = await client.messages.create(request)
    assert.equal(whole.stop_reason, 'end_turn')
    assert.ok(whole.content[0]?.type === 'text' && whole.content[0].text.includes(EMAIL))
    const streamed = await client.messages.stream(request).finalMessage()
    assert.deepEqual(streamed.content, whole.content)
    assert.ok(streamed.usage.output_tokens > 0)
  })
})

test('a request makes one call a layer, each written down with places, bytes, time and money', async () => {
  await withPlane({}, async (plane) => {
    const answer = await post(plane.url, '/v1/chat/completions', plane.key, chat('hello'))
    const entry = await plane.entry(answer.headers.get('x-request-id') ?? '')
    assert.deepEqual(
      entry.crossings.map(({ layer, from, to }) => `${layer} ${from} ${to}`),
      ['safety azure:eastus azure:eastus', 'inference azure:eastus gcp:us-east4'],
    )
    for (const crossing of entry.crossings)
      assert.ok(crossing.bytesOut > 100 && crossing.bytesIn > 100 && crossing.ms > 0 && crossing.status === 200)
    assert.ok((entry.crossings[1]?.egressMicroUsd ?? 0) > 0, 'bytes that leave Azure cost money')
    assert.deepEqual(entry.stages.map(({ stage }) => stage).toSorted(), [
      'check',
      'ground',
      'identify',
      'infer',
      'permit',
      'receive',
      'release',
      'screen',
      'seal',
      'stream',
    ])
    assert.equal(entry.target, 'vllm-us-east4')
    assert.ok(entry.usage.output > 0 && entry.cost.modelMicroUsd > 0)
  })
})

test('a history is checked once: the second turn pays for its new message only', async () => {
  await withPlane({}, async (plane) => {
    const messages = [
      { role: 'user', content: 'first question' },
      { role: 'assistant', content: 'first answer' },
      { role: 'user', content: 'second question' },
    ]
    await post(
      plane.url,
      '/v1/chat/completions',
      plane.key,
      JSON.stringify({ model: 'chat', messages: messages.slice(0, 1) }),
    )
    await post(plane.url, '/v1/chat/completions', plane.key, JSON.stringify({ model: 'chat', messages }))
    const asked = plane.clouds.requests.last('content-safety').map(({ body }) => asRecord(parseJson(body))?.['text'])
    assert.deepEqual(asked, ['first question', 'first answer\n\nsecond question'])
  })
})

test('headers say which request, which target, where the time went, and carry the trace on', async () => {
  await withPlane({}, async (plane) => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    const answer = await post(plane.url, '/v1/chat/completions', plane.key, chat('hello'), {
      traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
    })
    assert.match(answer.headers.get('x-request-id') ?? '', /^req-[0-9a-f]{28}$/)
    assert.equal(answer.headers.get('x-thinplane-target'), 'vllm-us-east4')
    assert.match(
      answer.headers.get('server-timing') ?? '',
      /identify;dur=[\d.]+;desc="azure:eastus".*infer;dur=[\d.]+;desc="gcp:us-east4"/,
    )
    assert.match(answer.headers.get('traceparent') ?? '', new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`))
    const seen = plane.clouds.requests.last('cloud-run')[0]?.headers ?? {}
    assert.match(seen['traceparent'] ?? '', new RegExp(`^00-${traceId}-`))
    assert.equal(seen['x-thinplane-traceparent'], seen['traceparent'])
  })
})

test('tokens of the directory are accepted, and each way to be wrong has its own sentence', async () => {
  await withPlane({}, async (plane) => {
    const ask = async (token: string) => {
      const answer = await post(plane.url, '/v1/chat/completions', token, chat('hello'))
      return `${answer.status} ${errorOf(answer).message || 'ok'}`
    }
    assert.equal(await ask(await plane.clouds.mintToken({ roles: ['developer'] })), '200 ok')
    assert.equal(await ask(await plane.clouds.mintToken({ roles: ['developer'], version: 1 })), '200 ok')
    assert.match(
      await ask(await plane.clouds.mintToken({ roles: ['nobody'] })),
      /^403 model `chat` is not permitted: no policy permits it to a caller with the roles `nobody`$/,
    )
    assert.match(
      await ask(await plane.clouds.mintToken({ audience: 'someone-else' })),
      /^401 the token is for audience `someone-else`, request one for/,
    )
    assert.match(
      await ask(await plane.clouds.mintToken({ lifetimeS: 60, skewMs: -3_600_000 })),
      /^401 the token has expired, request a new one$/,
    )
    assert.match(
      await ask(await plane.clouds.mintToken({ foreignKey: true })),
      /^401 (?:the signature of the token is wrong|issuer `simulated-entra` has no signing key)/,
    )
    assert.match(await ask('nonsense'), /^401 the credential is neither a key/)
    // Signing keys roll over in the middle of the day: nobody notices.
    await plane.clouds.rotateKeys()
    assert.equal(await ask(await plane.clouds.mintToken({ roles: ['developer'] })), '200 ok')
  })
})

test('models are listed with what stands behind them, and a stand-in says that it is one', async () => {
  await withPlane({}, async (plane) => {
    const client = new OpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.key })
    const models = await client.models.list()
    assert.deepEqual(
      models.data.map(({ id }) => id),
      ['chat', 'embeddings', 'assistant', 'claude', 'gemini', 'gemini-embeddings'],
    )
    assert.match(JSON.stringify(models.data[0]), /"simulated":true/)
    const without = await fetch(`${plane.url}/v1/models`)
    assert.equal(without.status, 401)
  })
})

test('metrics count what was recorded', async () => {
  await withPlane({}, async (plane) => {
    await post(plane.url, '/v1/chat/completions', plane.key, chat(PROMPT))
    await post(plane.url, '/v1/chat/completions', plane.key, '{')
    const text = await (await fetch(`${plane.url}/metrics`)).text()
    assert.match(text, /thinplane_requests_total\{alias="chat",target="vllm-us-east4",outcome="answered",code=""\} 1/)
    assert.match(text, /thinplane_requests_total\{alias="",target="",outcome="refused",code="WIRE_MALFORMED"\} 1/)
    assert.match(text, /thinplane_guard_findings_total\{type="SECRET",action="redact",where="prompt"\} 1/)
  })
})

test('a new key, a new policy and a broken configuration are taken or refused while requests go on', async () => {
  const { readFile, writeFile } = await import('node:fs/promises')
  await withPlane({}, async (plane) => {
    const good = await readFile(plane.file, 'utf8')
    await writeFile(plane.file, good.replace('chat:', 'talk:'))
    await eventually(
      () =>
        plane.logged.some((line) => line.includes('configuration reloaded') && line.includes('aliases.talk'))
          ? true
          : undefined,
      'the reload',
    )
    assert.equal(
      (await post(plane.url, '/v1/chat/completions', plane.key, chat('hello', { model: 'talk' }))).status,
      200,
    )
    await writeFile(plane.file, 'aliases: [')
    await eventually(
      () => (plane.logged.some((line) => line.includes('the last good one stays')) ? true : undefined),
      'the refusal',
    )
    assert.equal(
      (await post(plane.url, '/v1/chat/completions', plane.key, chat('hello', { model: 'talk' }))).status,
      200,
    )
  })
})
