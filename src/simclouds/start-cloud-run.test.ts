import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { at, dataLines, eventually, send, sendJson, textAt, withClouds } from './client.suite.ts'
import { type RunningCloudRun, startCloudRun, type StartCloudRunOptions } from './start-cloud-run.ts'

/** Starts take 50 ms and instances are kept for 200, both of the wall: a thousand times as fast as it says. */
const SCALED: StartCloudRunOptions = {
  timeScale: 1000,
  scaling: { coldStartMs: 50_000, sigma: 0, idleMs: 200_000, concurrency: 4 },
}
const ENGINE = { overheadMs: 0, prefillMsPerToken: 0, tokenMs: 0, jitter: 0 }
const DOCUMENT = 'The invoice is due within thirty days. '.repeat(40)

async function withCloudRun(options: StartCloudRunOptions, body: (service: RunningCloudRun) => Promise<void>) {
  const service = await startCloudRun(options)
  try {
    await body(service)
  } finally {
    await service.close()
  }
}

const said = (content: string) => ({ model: 'simulated-llama', messages: [{ role: 'user', content }] })
const ask = (service: RunningCloudRun, body: unknown) => sendJson(`${service.url}/v1/chat/completions`, body)

test('a service sleeps, is woken by a look at its metrics as by any other request, and goes to sleep again', () =>
  withCloudRun(SCALED, async (service) => {
    assert.equal(service.stats().front?.state, 'asleep')
    const startMs = performance.now()
    assert.equal((await send(`${service.url}/metrics`, undefined)).status, 200)
    assert.ok(performance.now() - startMs >= 49, 'held while it started')
    assert.equal(service.stats().front?.state, 'ready')
    assert.equal((await ask(service, said('hello'))).status, 200)
    await eventually(() => service.stats().front?.state === 'asleep')
    assert.ok(performance.now() - startMs >= 249)
    assert.equal(service.stats().front?.starts, 1)
    assert.equal(service.requests.count('cloud-run'), 2)
  }))

test('who is not let in wakes nobody', () =>
  withCloudRun({ ...SCALED, bearer: 'token' }, async (service) => {
    assert.equal((await send(`${service.url}/health`, undefined)).status, 403)
    assert.equal(service.stats().front?.starts, 0)
    const invoked = await startCloudRun({ ...SCALED, idToken: { invokers: ['a@b.c'] } })
    assert.equal((await send(`${invoked.url}/health`, undefined)).status, 403)
    assert.equal(invoked.stats().front?.starts, 0)
    await invoked.close()
  }))

test('who waits too long gets the front’s own page with 429, and a start that fails its page with 503', async () => {
  const slow = { ...SCALED, scaling: { coldStartMs: 1_000, sigma: 0, concurrency: 1 } }
  await withCloudRun({ ...slow, tokenMs: 30 }, async (service) => {
    const long = ask(service, said('a b c d e f g h i j k l m n o p q r s t u v w x y z'))
    await eventually(() => service.stats().front?.inFlight === 1)
    const refused = await ask(service, said('hello'))
    assert.equal(refused.status, 429)
    assert.match(refused.text, /^<html>.*Rate exceeded\./)
    assert.equal((await long).status, 200)
  })
  await withCloudRun({ ...SCALED, scaling: { ...SCALED.scaling, coldStartFailures: 1 } }, async (service) => {
    const failed = await ask(service, said('hello'))
    assert.equal(failed.status, 503)
    assert.match(failed.text, /^<html>/)
  })
})

test('a client that leaves while it is held is taken out of the queue, and the start goes on', () =>
  withCloudRun(SCALED, async (service) => {
    const held = request(`${service.url}/health`)
    held.on('error', () => {})
    held.end()
    await eventually(() => service.stats().front?.waiting === 1)
    held.destroy()
    await eventually(() => service.stats().front?.left === 1)
    await eventually(() => service.stats().front?.state === 'ready')
    assert.equal(service.stats().front?.inFlight, 0)
  }))

test('an answer says how much of its prompt was found, in a stream and at once, and nothing when nothing was', () =>
  withCloudRun({ engine: ENGINE }, async (service) => {
    const first = await ask(service, said(`${DOCUMENT}When?`))
    assert.equal(at(first.text, 'usage', 'prompt_tokens_details'), undefined)
    const again = await ask(service, said(`${DOCUMENT}Who?`))
    const found = Number(at(again.text, 'usage', 'prompt_tokens_details', 'cached_tokens'))
    assert.equal(found, Math.floor((`<|user|>${DOCUMENT}`.length + 1) / 64) * 16)
    assert.ok(found < Number(at(again.text, 'usage', 'prompt_tokens')))
    const streamed = await ask(service, {
      ...said(`${DOCUMENT}Why?`),
      stream: true,
      stream_options: { include_usage: true },
    })
    const usage = dataLines(streamed.text).at(-2)
    assert.equal(at(usage, 'usage', 'prompt_tokens_details', 'cached_tokens'), found)
    const { text } = await send(`${service.url}/metrics`, undefined)
    assert.match(text, new RegExp(`vllm:prefix_cache_hits_total\\{[^}]*\\} ${2 * found}\\n`))
    assert.match(text, /vllm:cache_config_info\{[^}]*num_gpu_blocks="2000"\} 1/)
    const queried = Number(/vllm:prefix_cache_queries_total\{[^}]*\} (\d+)/.exec(text)?.[1])
    assert.equal(queried, Number(/vllm:prompt_tokens_total\{[^}]*\} (\d+)/.exec(text)?.[1]))
  }))

test('another cache_salt, another image and other tools find nothing; a bad salt is refused', () =>
  withCloudRun({ engine: ENGINE }, async (service) => {
    const cached = async (body: object) =>
      at((await ask(service, body)).text, 'usage', 'prompt_tokens_details', 'cached_tokens')
    const body = said(`${DOCUMENT}When?`)
    assert.equal(await cached({ ...body, cache_salt: 'a' }), undefined)
    assert.equal(await cached({ ...body, cache_salt: 'b' }), undefined)
    assert.equal(await cached(body), undefined)
    assert.ok(Number(await cached({ ...body, cache_salt: 'a' })) > 300)
    const tools = [{ type: 'function', function: { name: 'send_email' } }]
    assert.equal(await cached({ ...body, tools }), undefined)
    const picture = (data: string) => ({
      ...said(''),
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image_url', image_url: { url: `data:image/png;base64,${data}` } },
            { type: 'text', text: DOCUMENT },
          ],
        },
      ],
    })
    assert.equal(await cached(picture('AAAA')), undefined)
    assert.equal(await cached(picture('BBBB')), undefined)
    assert.ok(Number(await cached(picture('AAAA'))) > 300)
    for (const salt of ['', 5, 'x'.repeat(1025)]) {
      const refused = await ask(service, { ...body, cache_salt: salt })
      assert.deepEqual([refused.status, at(refused.text, 'error', 'param')], [400, 'cache_salt'])
    }
    assert.equal((await ask(service, { ...body, cache_salt: 'x'.repeat(1024) })).status, 200)
  }))

test('the cache and the counters are lost with the instance', () =>
  withCloudRun({ ...SCALED, engine: ENGINE }, async (service) => {
    await ask(service, said(`${DOCUMENT}When?`))
    const warm = await ask(service, said(`${DOCUMENT}When?`))
    assert.ok(Number(at(warm.text, 'usage', 'prompt_tokens_details', 'cached_tokens')) > 300)
    await eventually(() => service.stats().front?.state === 'asleep')
    assert.deepEqual(service.stats().engines, [])
    const cold = await ask(service, said(`${DOCUMENT}When?`))
    assert.equal(at(cold.text, 'usage', 'prompt_tokens_details'), undefined)
    assert.equal(service.stats().engines[0]?.hitTokens, 0)
  }))

test('a body takes the engine’s time too, and a caller that leaves frees its place', () =>
  withCloudRun({ engine: { ...ENGINE, overheadMs: 40, tokenMs: 20, maxNumSeqs: 1 } }, async (service) => {
    const startMs = performance.now()
    // Three pieces: `You`, ` said:`, ` hello`.
    assert.equal((await ask(service, said('hello'))).status, 200)
    assert.ok(performance.now() - startMs >= 40 + 2 * 20 - 2)
    const held = request(`${service.url}/v1/chat/completions`, { method: 'POST' })
    held.on('error', () => {})
    held.end(JSON.stringify(said('word '.repeat(200))))
    await eventually(() => service.stats().engines[0]?.running === 1)
    held.destroy()
    await eventually(() => service.stats().engines[0]?.running === 0)
  }))

test('what the cache could never hold is refused, streamed or not', () =>
  withCloudRun({ engine: { ...ENGINE, numGpuBlocks: 8 } }, async (service) => {
    for (const stream of [false, true]) {
      const refused = await ask(service, { ...said(DOCUMENT), stream })
      assert.equal(refused.status, 400)
      assert.match(textAt(refused.text, 'error', 'message'), /maximum context length is 128 tokens/)
    }
    assert.equal(at((await send(`${service.url}/v1/models`, undefined)).text, 'data', 0, 'max_model_len'), 128)
    assert.equal((await ask(service, said('hello'))).status, 200)
  }))

test('faults are set for one service of a pool alone', async () => {
  const [first, second] = [await startCloudRun(), await startCloudRun()]
  first.faults.set({ service: 'cloud-run', kind: 'throttle' })
  const statuses = [(await ask(first, said('hello'))).status, (await ask(second, said('hello'))).status]
  await Promise.all([first.close(), second.close()])
  assert.deepEqual(statuses, [429, 200])
})

test('the switchboard shows how the service scales', () =>
  withClouds({ cloudRun: { ...SCALED, engine: ENGINE } }, async (clouds) => {
    const front = async () => {
      const { services } = JSON.parse((await send(clouds.switchboardUrl, undefined)).text) as {
        services: { name: string; state?: unknown }[]
      }
      return services.find(({ name }) => name === 'cloud-run')?.state
    }
    assert.equal(at(await front(), 'front', 'state'), 'asleep')
    await send(`${clouds.urls['cloud-run']}/health`, undefined)
    assert.equal(at(await front(), 'front', 'starts'), 1)
    assert.equal(at(await front(), 'engines', 0, 'running'), 0)
  }))
