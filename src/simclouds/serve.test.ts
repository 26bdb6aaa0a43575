import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { test } from 'node:test'
import { at, dataLines, eventually, send, sendJson, textAt, withClouds, type Answered } from './client.suite.ts'
import type { Fault } from './faults.ts'
import type { SimClouds } from './start.ts'

const TEXT = 'one two three four five'

function chat(clouds: SimClouds, stream = true): Promise<Answered> {
  return sendJson(`${clouds.urls['cloud-run']}/v1/chat/completions`, {
    model: 'simulated-llama',
    stream,
    messages: [{ role: 'user', content: TEXT }],
  })
}

function contentOf(answered: Answered): string {
  return dataLines(answered.text)
    .filter((line) => line.startsWith('{"id":"chatcmpl') && line.endsWith('}'))
    .map((line) => textAt(line, 'choices', 0, 'delta', 'content'))
    .join('')
}

async function withFault(
  fault: Omit<Fault, 'service'>,
  body: (answered: Answered, tookMs: number, clouds: SimClouds) => void | Promise<void>,
  stream = true,
): Promise<void> {
  await withClouds({}, async (clouds) => {
    clouds.faults.set({ service: 'cloud-run', count: 1, ...fault })
    const startMs = performance.now()
    const answered = await chat(clouds, stream)
    await body(answered, performance.now() - startMs, clouds)
    assert.equal(contentOf(await chat(clouds)), `You said: ${TEXT}`, 'the next request is well')
  })
}

test('a stream that nothing happens to arrives whole', async () => {
  await withClouds({}, async (clouds) => {
    const answered = await chat(clouds)
    assert.equal(contentOf(answered), `You said: ${TEXT}`)
    assert.equal(answered.headers['x-thinplane-simulated'], 'true')
    assert.equal(dataLines(answered.text).at(-1), '[DONE]')
    const [logged] = clouds.requests.last('cloud-run')
    assert.deepEqual(
      { status: logged?.status, finished: logged?.finished, aborted: logged?.aborted, fault: logged?.fault },
      { status: 200, finished: true, aborted: false, fault: '' },
    )
    assert.equal(at(logged?.body, 'messages', 0, 'content'), TEXT)
  })
})

test('throttle answers 429 with Retry-After in the words of the vendor', () =>
  withFault({ kind: 'throttle', retryAfterS: 7 }, (answered) => {
    assert.equal(answered.status, 429)
    assert.equal(answered.headers['retry-after'], '7')
    assert.match(answered.text, /Rate exceeded/)
  }))

test('error answers 500 as vLLM does and 503 as the front does', async () => {
  await withFault({ kind: 'error' }, (answered) => {
    assert.equal(answered.status, 500)
    assert.equal(at(answered.text, 'error', 'code'), 500)
    assert.equal(at(answered.text, 'error', 'type'), 'InternalServerError')
  })
  await withFault({ kind: 'error', status: 503 }, (answered) => {
    assert.equal(answered.status, 503)
    assert.match(answered.text, /^<html>/)
  })
})

test('latency holds the request', () =>
  withFault({ kind: 'latency', ms: 80 }, (_answered, tookMs) => assert.ok(tookMs >= 80, `${tookMs} ms`)))

test('refuse closes the connection before anything is read, also one that is open already', async () => {
  await withFault({ kind: 'refuse' }, (answered, _tookMs, clouds) => {
    assert.match(answered.error, /ECONNRESET|socket hang up/)
    assert.equal(clouds.requests.count('cloud-run'), 0)
  })
  await withClouds({}, async (clouds) => {
    const agent = new Agent({ keepAlive: true })
    const url = `${clouds.urls['cloud-run']}/health`
    assert.equal((await send(url, undefined, {}, agent)).status, 200)
    clouds.faults.set({ service: 'cloud-run', kind: 'refuse' })
    assert.match((await send(url, undefined, {}, agent)).error, /ECONNRESET|socket hang up/)
    assert.equal(clouds.requests.count('cloud-run'), 1)
    agent.destroy()
  })
})

test('reset-before resets without a byte', () =>
  withFault({ kind: 'reset-before' }, (answered, _tookMs, clouds) => {
    assert.equal(answered.status, 0)
    assert.match(answered.error, /ECONNRESET|socket hang up/)
    assert.equal(clouds.requests.last('cloud-run')[0]?.aborted, false)
  }))

test('reset-after resets after so many pieces of content', () =>
  withFault({ kind: 'reset-after', afterEvents: 2 }, (answered) => {
    assert.equal(answered.status, 200)
    assert.equal(answered.error, 'ECONNRESET')
    assert.equal(contentOf(answered), 'You said:')
  }))

test('reset-after 0 sends the beginning but no content', () =>
  withFault({ kind: 'reset-after', afterEvents: 0 }, (answered) => {
    assert.equal(answered.error, 'ECONNRESET')
    assert.equal(dataLines(answered.text).length, 1)
    assert.equal(contentOf(answered), '')
  }))

test('end-early ends cleanly without the final marker', () =>
  withFault({ kind: 'end-early', afterEvents: 3 }, (answered) => {
    assert.equal(answered.error, '')
    assert.equal(contentOf(answered), 'You said: one')
    assert.doesNotMatch(answered.text, /DONE|"finish_reason":"stop"/)
  }))

test('stall pauses in mid-stream and goes on', () =>
  withFault({ kind: 'stall', afterEvents: 1, ms: 90 }, (answered, tookMs) => {
    assert.ok(tookMs >= 90, `${tookMs} ms`)
    assert.equal(contentOf(answered), `You said: ${TEXT}`)
  }))

test('split sends every byte, in small pieces', () =>
  withFault({ kind: 'split', bytes: 3 }, (answered) => {
    assert.equal(contentOf(answered), `You said: ${TEXT}`)
    assert.ok(answered.pieces.every((piece) => piece.length <= 3))
  }))

test('coalesce sends all frames at once', () =>
  withFault({ kind: 'coalesce' }, (answered) => {
    assert.equal(answered.pieces.length, 1)
    assert.equal(contentOf(answered), `You said: ${TEXT}`)
  }))

test('malformed puts a broken frame into a stream and cuts a body', async () => {
  await withFault({ kind: 'malformed', afterEvents: 1 }, (answered) => {
    const broken = dataLines(answered.text).filter((line) => line !== '[DONE]' && !line.endsWith('}'))
    assert.equal(broken.length, 1)
  })
  await withFault(
    { kind: 'malformed' },
    (answered) => {
      assert.equal(answered.status, 200)
      assert.equal(answered.error, '')
      assert.throws(() => at(answered.text), SyntaxError)
    },
    false,
  )
})

test('error-in-stream ends a stream as vLLM does, and turns a body into an error', async () => {
  await withFault({ kind: 'error-in-stream', afterEvents: 1 }, (answered) => {
    const lines = dataLines(answered.text)
    assert.equal(at(lines.at(-2) ?? '', 'error', 'code'), 500)
    assert.equal(lines.at(-1), '[DONE]')
    assert.equal(contentOf(answered), 'You')
  })
  await withFault({ kind: 'error-in-stream', status: 503 }, (answered) => assert.equal(answered.status, 503), false)
})

test('a body can be reset, ended early, stalled and split too', async () => {
  await withFault({ kind: 'reset-after' }, (answered) => assert.equal(answered.error, 'ECONNRESET'), false)
  await withFault({ kind: 'end-early' }, (answered) => assert.throws(() => at(answered.text), SyntaxError), false)
  await withFault({ kind: 'stall', ms: 60 }, (_answered, tookMs) => assert.ok(tookMs >= 60), false)
  await withFault(
    { kind: 'split', bytes: 1 },
    (answered) => assert.equal(at(answered.text, 'object'), 'chat.completion'),
    false,
  )
})

test('hang never answers, and the client who leaves is noticed', async () => {
  await withClouds({}, async (clouds) => {
    clouds.faults.set({ service: 'cloud-run', kind: 'hang' })
    const leave = new AbortController()
    const outgoing = request(`${clouds.urls['cloud-run']}/health`, { agent: false, signal: leave.signal })
    outgoing.on('error', () => {})
    outgoing.end()
    await eventually(() => clouds.requests.count('cloud-run') === 1)
    const before = Date.now()
    leave.abort()
    await eventually(() => clouds.requests.last('cloud-run')[0]?.aborted === true)
    const [logged] = clouds.requests.last('cloud-run')
    assert.ok((logged?.abortedAtEpochMs ?? 0) >= before)
    assert.equal(logged?.status, 0)
  })
})

test('a client who leaves in mid-stream stops the model', async () => {
  await withClouds({ cloudRun: { tokenMs: 20 } }, async (clouds) => {
    const leave = new AbortController()
    const body = { model: 'simulated-llama', stream: true, messages: [{ role: 'user', content: TEXT.repeat(50) }] }
    const response = await fetch(`${clouds.urls['cloud-run']}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: leave.signal,
    })
    await response.body?.getReader().read()
    leave.abort()
    await eventually(() => clouds.requests.last('cloud-run')[0]?.aborted === true)
    const metrics = await send(`${clouds.urls['cloud-run']}/metrics`, undefined)
    assert.match(metrics.text, /vllm:num_requests_running\{[^}]*\} 0/)
  })
})

test('each request takes the round trip of the table, the first of a connection one more', async () => {
  await withClouds(
    { latencyScale: 1, places: { 'cloud-run': { cloud: 'gcp', region: 'us-central1' } } },
    async (clouds) => {
      const agent = new Agent({ keepAlive: true })
      const took: number[] = []
      for (let round = 0; round < 3; round += 1) {
        const startMs = performance.now()
        await send(`${clouds.urls['cloud-run']}/health`, undefined, {}, agent)
        took.push(performance.now() - startMs)
      }
      agent.destroy()
      const [first = 0, second = 0, third = 0] = took
      assert.ok(first >= 70.8, `${first} ms`)
      assert.ok(Math.min(second, third) >= 35.4 && Math.min(second, third) < 60, `${second} and ${third} ms`)
    },
  )
})

test('a place that is in no table is refused at the start', async () => {
  await assert.rejects(
    withClouds({ latencyScale: 1, from: { cloud: 'azure', region: 'atlantis' } }, async () => {}),
    {
      name: 'RangeError',
      message: /azure:atlantis/,
    },
  )
})

test('only the last requests are kept, all are counted', async () => {
  await withClouds({ logSize: 2 }, async (clouds) => {
    for (let round = 0; round < 3; round += 1) await send(`${clouds.urls['cloud-run']}/health?${round}`, undefined)
    assert.equal(clouds.requests.count('cloud-run'), 3)
    assert.deepEqual(
      clouds.requests.last('cloud-run').map(({ target }) => target),
      ['/health?1', '/health?2'],
    )
  })
})
