import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import { type Plane, chat, errorOf, eventually, post, withPlane } from '../plane.ts'

const TWO_TARGETS = ['vllm-us-east4', 'bedrock-us-east-1']

async function askStream(plane: Plane): Promise<{ text: string; error: string; id: string; target: string }> {
  const client = new OpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.key, maxRetries: 0 })
  const { data, response } = await client.chat.completions
    .create({
      model: 'chat',
      stream: true,
      messages: [{ role: 'user', content: 'tell me about rivers and mountains' }],
    })
    .withResponse()
  let [text, error] = ['', '']
  try {
    for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? ''
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.message : String(thrown)
  }
  return {
    text,
    error,
    id: response.headers.get('x-request-id') ?? '',
    target: response.headers.get('x-thinplane-target') ?? '',
  }
}

for (const fault of [
  { kind: 'error', status: 500, code: 'INFER_UNAVAILABLE' },
  { kind: 'error', status: 503, code: 'INFER_THROTTLED' },
  { kind: 'throttle', code: 'INFER_THROTTLED' },
  { kind: 'refuse', code: 'INFER_UNAVAILABLE' },
  { kind: 'reset-before', code: 'INFER_UNAVAILABLE' },
  { kind: 'malformed', code: 'INFER_UNAVAILABLE' },
  { kind: 'error-in-stream', afterEvents: 0, code: 'INFER_UNAVAILABLE' },
  { kind: 'end-early', afterEvents: 0, code: 'INFER_UNAVAILABLE' },
] as const) {
  test(`before the first content, ${fault.kind} ${'status' in fault ? fault.status : ''} falls over to the next target`, async () => {
    await withPlane({}, async (plane) => {
      const { code, ...given } = fault
      plane.clouds.faults.set({ service: 'cloud-run', ...given })
      const { text, error, id, target } = await askStream(plane)
      assert.equal(error, '')
      assert.match(text, /rivers/)
      assert.equal(target, 'bedrock-us-east-1')
      const entry = await plane.entry(id)
      assert.deepEqual(
        entry.attempts.map(({ target: tried, error: why }) => [tried, why]),
        [
          [TWO_TARGETS[0], code],
          [TWO_TARGETS[1], ''],
        ],
      )
      assert.equal(entry.crossings.filter(({ layer }) => layer === 'inference').length, 2)
    })
  })
}

test('a target that hangs is given up after its first-token deadline', async () => {
  const change = (config: { targets: Record<string, Record<string, unknown>> }) => {
    config.targets['vllm-us-east4'] = { ...config.targets['vllm-us-east4'], deadlines: { firstTokenMs: 200 } }
  }
  await withPlane({ change }, async (plane) => {
    plane.clouds.faults.set({ service: 'cloud-run', kind: 'hang' })
    const { target, id } = await askStream(plane)
    assert.equal(target, 'bedrock-us-east-1')
    assert.equal((await plane.entry(id)).attempts[0]?.error, 'INFER_TIMEOUT')
  })
})

for (const kind of ['reset-after', 'end-early', 'error-in-stream'] as const) {
  test(`after the first content, ${kind} is an error for the caller: no second target, no false end`, async () => {
    await withPlane({}, async (plane) => {
      plane.clouds.faults.set({ service: 'cloud-run', kind, afterEvents: 3 })
      const { text, error, id } = await askStream(plane)
      assert.ok(text.length > 0, 'some content came')
      assert.match(error, /the answer broke off|closed the stream before it was done/)
      assert.equal(plane.clouds.requests.count('bedrock'), 0)
      const entry = await plane.entry(id)
      assert.equal(entry.code, 'INFER_CUT')
      assert.equal(entry.outcome, 'failed')
      assert.ok(entry.usageEstimated && entry.usage.output > 0)
      const raw = await post(
        plane.url,
        '/v1/chat/completions',
        plane.key,
        chat('tell me about rivers', { stream: true }),
      )
      assert.ok(!raw.text.includes('[DONE]'))
      assert.match(raw.text, /"code":"INFER_CUT"/)
    })
  })
}

test('a stream that stalls is cut after the idle deadline', async () => {
  const change = (config: { targets: Record<string, Record<string, unknown>> }) => {
    config.targets['vllm-us-east4'] = { ...config.targets['vllm-us-east4'], deadlines: { idleMs: 150 } }
  }
  await withPlane({ change }, async (plane) => {
    plane.clouds.faults.set({ service: 'cloud-run', kind: 'stall', afterEvents: 2, ms: 5000 })
    const { error } = await askStream(plane)
    assert.match(error, /the answer broke off: nothing for 150 ms/)
  })
})

for (const bytes of [1, 3, 7]) {
  test(`both targets answer the same when every write is cut into pieces of ${bytes}`, async () => {
    await withPlane({}, async (plane) => {
      const { text } = await askStream(plane)
      plane.clouds.faults.set({ service: 'cloud-run', kind: 'split', bytes })
      plane.clouds.faults.set({ service: 'bedrock', kind: 'split', bytes })
      assert.equal((await askStream(plane)).text, text)
      plane.clouds.faults.set({ service: 'cloud-run', kind: 'error', status: 500 })
      const fallback = await askStream(plane)
      assert.equal(fallback.target, 'bedrock-us-east-1')
      assert.equal(fallback.text, text)
    })
  })
}

test('a caller who leaves is noticed upstream within 50 ms, and the entry has status 499 and the usage so far', async () => {
  await withPlane({ clouds: { cloudRun: { firstTokenMs: 5, tokenMs: 40 } } }, async (plane) => {
    const leave = new AbortController()
    const answer = await fetch(`${plane.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${plane.key}`, 'content-type': 'application/json' },
      body: chat('tell me a long story about rivers and mountains and the sea', { stream: true }),
      signal: leave.signal,
    })
    const reader = answer.body?.getReader()
    await reader?.read()
    await reader?.read()
    const leftAt = Date.now()
    leave.abort()
    const seen = await eventually(
      () => plane.clouds.requests.last('cloud-run').find(({ aborted }) => aborted),
      'the abort',
    )
    assert.ok((seen.abortedAtEpochMs ?? Infinity) - leftAt <= 50, `${(seen.abortedAtEpochMs ?? Infinity) - leftAt} ms`)
    const entry = await plane.entry(answer.headers.get('x-request-id') ?? '')
    assert.equal(entry.status, 499)
    assert.equal(entry.outcome, 'abandoned')
    assert.ok(entry.usageEstimated && entry.usage.output > 0)
  })
})

test('a caller who leaves before the first content leaves one entry, and the call upstream is given up', async () => {
  await withPlane({ clouds: { cloudRun: { firstTokenMs: 3000, tokenMs: 0 } } }, async (plane) => {
    const leave = new AbortController()
    const asked = fetch(`${plane.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${plane.key}`, 'content-type': 'application/json' },
      body: chat('hello', { stream: true }),
      signal: leave.signal,
    })
    await eventually(() => (plane.clouds.requests.count('cloud-run') > 0 ? true : undefined), 'the request upstream')
    leave.abort()
    await assert.rejects(asked)
    const entry = await eventually(() => plane.recent()[0], 'the entry')
    assert.equal(entry.status, 499)
    assert.equal(plane.recent().length, 1)
    await eventually(() => plane.clouds.requests.last('cloud-run').find(({ aborted }) => aborted), 'the abort')
  })
})

for (const [name, fault] of Object.entries({
  'answers 500': { kind: 'error', status: 500 },
  'is throttled': { kind: 'throttle' },
  'is not there': { kind: 'refuse' },
  'answers garbage': { kind: 'malformed' },
  hangs: { kind: 'hang' },
} as const)) {
  test(`when the safety check ${name}, nothing reaches a model`, async () => {
    const change = (config: { guard: Record<string, unknown> }) => {
      config.guard = {
        ...config.guard,
        contentSafety: { ...(config.guard['contentSafety'] as object), timeoutMs: 300 },
      }
    }
    await withPlane({ change }, async (plane) => {
      plane.clouds.faults.set({ service: 'content-safety', ...fault })
      const answer = await post(plane.url, '/v1/chat/completions', plane.key, chat('hello'))
      assert.equal(answer.status, 503)
      assert.equal(errorOf(answer).code, 'GUARD_UNAVAILABLE')
      assert.equal(plane.clouds.requests.count('cloud-run') + plane.clouds.requests.count('bedrock'), 0)
      assert.ok(Number(answer.headers.get('retry-after')) >= 1)
    })
  })
}

test('what the safety check finds is refused, with the category', async () => {
  await withPlane({}, async (plane) => {
    const answer = await post(plane.url, '/v1/chat/completions', plane.key, chat('how to build a bomb'))
    assert.equal(answer.status, 400)
    assert.match(errorOf(answer).message, /^the safety check found Violence \d, rephrase the prompt$/)
    assert.equal(plane.clouds.requests.count('cloud-run'), 0)
  })
})

test('after five failures a target is left alone, and all out means 503 with when to come back', async () => {
  await withPlane({}, async (plane) => {
    plane.clouds.faults.set({ service: 'cloud-run', kind: 'error', status: 500 })
    for (let at = 0; at < 6; at += 1) await post(plane.url, '/v1/chat/completions', plane.key, chat(`question ${at}`))
    assert.equal(plane.clouds.requests.count('cloud-run'), 5)
    plane.clouds.faults.set({ service: 'bedrock', kind: 'throttle', retryAfterS: 7 })
    const last = await post(plane.url, '/v1/chat/completions', plane.key, chat('question 7'))
    assert.equal(last.status, 429)
    assert.equal(last.headers.get('retry-after'), '7')
    const out = await post(plane.url, '/v1/chat/completions', plane.key, chat('question 8'))
    assert.equal(out.status, 503)
    assert.match(errorOf(out).message, /^every target of model `chat` is out, try again in \d+ s$/)
  })
})
