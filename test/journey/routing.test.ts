import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Entry } from '#contract/entry.ts'
import { createKey } from '#identity/key.ts'
import { type ConfigDraft, type Plane, ROOT, errorOf, eventually, post, withPlane } from '../plane.ts'

const GPU = 'vllm-us-east4'
const BEDROCK = 'bedrock-us-east-1'
const START_MS = 600
/** A service that sleeps after two seconds and needs 0.6 s to start. */
const SLEEPY = {
  cloudRun: { scaling: { coldStartMs: START_MS, sigma: 0.01, idleMs: 2000, concurrency: 8 } },
}

function routed(routing: object, more: { readonly targets?: readonly string[]; readonly alias?: object } = {}) {
  return (config: ConfigDraft): void => {
    Object.assign(config.targets[GPU] ?? {}, {
      scaling: { idleMs: 2000, coldStartMs: START_MS },
      vllm: { everyMs: 100 },
    })
    config.aliases['chat'] = { targets: more.targets ?? [GPU, BEDROCK], routing, ...more.alias }
  }
}

interface Asked {
  readonly status: number
  readonly ms: number
  readonly entry: Entry
  readonly headers: Headers
  readonly text: string
}

async function ask(plane: Plane, text = 'tell me about rivers', more: object = {}, headers = {}): Promise<Asked> {
  const started = performance.now()
  const body = { model: 'chat', stream: true, messages: [{ role: 'user', content: text }], ...more }
  const answer = await post(plane.url, '/v1/chat/completions', plane.key, JSON.stringify(body), headers)
  const ms = performance.now() - started
  return { ...answer, ms, entry: await plane.entry(answer.headers.get('x-request-id') ?? '') }
}

function pathsAtGpu(plane: Plane): string[] {
  return plane.clouds.requests.last('cloud-run').map(({ target }) => target)
}

test('a cold GPU: the first caller is served elsewhere at once while it starts, and the next one by it', async () => {
  await withPlane({ clouds: SLEEPY, change: routed({ detourAboveMs: 200 }) }, async (plane) => {
    const first = await ask(plane)
    assert.deepEqual([first.status, first.entry.target, first.entry.route?.kind], [200, BEDROCK, 'detour'])
    assert.ok(first.ms < START_MS, `${first.ms} ms`)
    assert.match(first.entry.route?.line ?? '', /^ordered: bedrock-us-east-1 as a detour, .*waking vllm-us-east4/)
    assert.equal(first.entry.crossings.filter(({ layer }) => layer === 'inference').length, 1)
    await sleep(START_MS + 300)
    const second = await ask(plane)
    assert.deepEqual([second.entry.target, second.entry.route?.kind], [GPU, 'first'])
    assert.equal(pathsAtGpu(plane).filter((path) => path === '/health').length, 1, 'woken once')
    const metrics = await (await fetch(`${plane.url}/metrics`)).text()
    assert.match(metrics, /thinplane_route_decisions_total\{alias="chat",kind="detour"\} 1/)
  })
})

test('no detour permitted: callers are held for one wake, and all are served', async () => {
  await withPlane({ clouds: SLEEPY, change: routed({ detourAboveMs: 200 }, { targets: [GPU] }) }, async (plane) => {
    const held = await Promise.all([ask(plane, 'rivers'), ask(plane, 'lakes'), ask(plane, 'seas')])
    for (const { status, ms, entry } of held) {
      assert.deepEqual([status, entry.route?.kind, entry.outcome], [200, 'hold', 'answered'])
      assert.ok(ms > START_MS * 0.8, `${ms} ms`)
    }
    assert.equal(pathsAtGpu(plane).filter((path) => path === '/health').length, 1)
  })
})

test('held no longer than `maxWaitMs`: then 503, with when to come back', async () => {
  const change = routed({ detourAboveMs: 200, maxWaitMs: 100 }, { targets: [GPU] })
  await withPlane({ clouds: SLEEPY, change }, async (plane) => {
    const { status, headers, text, entry, ms } = await ask(plane)
    assert.deepEqual([status, entry.code, headers.get('retry-after')], [503, 'INFER_COLD', '1'])
    assert.equal(errorOf({ status, headers, text }).code, 'INFER_COLD')
    assert.ok(ms < START_MS)
    await sleep(START_MS + 300)
    assert.equal((await ask(plane)).entry.target, GPU)
  })
})

test('a first choice that became slow is raced: the loser is aborted, and both are in the entry and on the bill', async () => {
  await withPlane({ change: routed({ hedge: { percent: 100, minMs: 50 } }) }, async (plane) => {
    for (let request = 0; request < 12; request += 1) await ask(plane, `rivers ${request}`)
    plane.clouds.faults.set({ service: 'cloud-run', kind: 'latency', ms: 3000, path: 'chat' })
    const { entry, ms } = await ask(plane, 'lakes')
    assert.deepEqual([entry.target, entry.route?.kind], [BEDROCK, 'hedge'])
    assert.deepEqual(
      entry.attempts.map(({ target, error, role }) => [target, error, role]),
      [
        [GPU, 'LOST_RACE', undefined],
        [BEDROCK, '', 'hedge'],
      ],
    )
    assert.ok((entry.attempts[0]?.lostMicroUsd ?? 0) > 0)
    assert.ok(ms < 1000, `${ms} ms`)
    const crossings = entry.crossings.filter(({ layer }) => layer === 'inference')
    assert.deepEqual(
      crossings.map(({ error }) => error),
      ['aborted', ''],
    )
    await eventually(
      () => plane.clouds.requests.last('cloud-run').find(({ aborted }) => aborted),
      'the abort at the slow target',
    )
  })
})

test('metrics are read while a server is in use, and never while it may sleep', async () => {
  await withPlane({ clouds: SLEEPY, change: routed({ detourAboveMs: 200 }) }, async (plane) => {
    await sleep(500)
    assert.deepEqual(pathsAtGpu(plane), [], 'nobody has used it')
    await ask(plane)
    await sleep(START_MS + 300)
    await ask(plane)
    await eventually(() => pathsAtGpu(plane).find((path) => path === '/metrics'), 'a reading')
  })
})

test('vLLM gets a salt for each tenant, whatever the caller sends', async () => {
  await withPlane({ change: routed({}) }, async (plane) => {
    await ask(plane)
    await ask(plane, 'lakes', { cache_salt: 'mine' })
    const salts = plane.clouds.requests
      .last('cloud-run')
      .filter(({ target }) => target.includes('chat'))
      .map(({ body }) => (JSON.parse(body) as { cache_salt: string }).cache_salt)
    assert.match(salts[0] ?? '', /^[0-9a-f]{32}$/)
    assert.deepEqual([salts.length, new Set(salts).size], [2, 1])
  })
})

test('the same question again: the kept answer, free of charge, and the entry says so', async () => {
  await withPlane({ change: routed({}, { alias: { cache: { seconds: 60 } } }) }, async (plane) => {
    const mail = 'write to ada@contoso.example about rivers'
    const first = await ask(plane, mail)
    const again = await ask(plane, mail)
    assert.deepEqual(
      [first, again].map(({ headers }) => headers.get('x-thinplane-cache')),
      ['fresh', 'cached; age=0'],
    )
    const [before, after] = [first, again].map(({ text }) => text.match(/"content":"[^"]*"/g)?.join(''))
    assert.equal(after, before)
    assert.match(again.text, /ada@contoso\.example/, 'put back from the caller’s own vault')
    const { route, cost, attempts, crossings, usage } = again.entry
    assert.deepEqual([route?.kind, cost.modelMicroUsd, attempts.length], ['cached', 0, 0])
    assert.ok((cost.savedMicroUsd ?? 0) > 0 && usage.output > 0)
    assert.equal(crossings.filter(({ layer }) => layer === 'inference').length, 0)
    const other = await ask(plane, mail, {}, { 'cache-control': 'no-cache' })
    assert.equal(other.headers.get('x-thinplane-cache'), 'fresh')
    const restricted = await post(
      plane.url,
      '/v1/chat/completions',
      plane.keyOf('restricted'),
      JSON.stringify({ model: 'chat', stream: true, messages: [{ role: 'user', content: mail }] }),
    )
    assert.equal(restricted.headers.get('x-thinplane-cache'), 'fresh', 'kept for the caller alone')
  })
})

const run = promisify(execFile)

test('`thinplane targets` shows what the router knows, and `thinplane warm` keeps a target awake', async () => {
  // Asked again after at most 3.4 s, which leaves a slow machine time before it would fall asleep.
  const clouds = { cloudRun: { scaling: { ...SLEEPY.cloudRun.scaling, idleMs: 6000 } } }
  const change = (config: ConfigDraft): void => {
    routed({ detourAboveMs: 200 })(config)
    Object.assign(config.targets[GPU] ?? {}, { scaling: { idleMs: 4000, coldStartMs: START_MS } })
  }
  await withPlane({ clouds, change }, async (plane) => {
    const admin = createKey({ tenant: 'test', subject: 'ops', roles: ['admin'] })
    await plane.addKey(admin)
    await sleep(700)
    const thinplane = (key: string, ...args: string[]) =>
      run(process.execPath, [join(ROOT, 'thinplane.mjs'), ...args, '--url', plane.url], {
        env: { ...process.env, THINPLANE_KEY: key },
      })
    const before = await thinplane(plane.key, 'targets')
    assert.match(before.stdout, /vllm-us-east4 {3}ok .*\n.*assumed/)
    assert.match(before.stdout, /warmth +cold, cold with probability 0\.99.*not seen yet.*assumed/)
    assert.match(before.stdout, /chat +ordered: bedrock-us-east-1 as a detour/)
    await assert.rejects(thinplane(plane.key, 'warm', GPU), /needs the role admin/)
    await assert.rejects(thinplane(admin.key, 'warm', BEDROCK), /does not sleep/)
    await assert.rejects(thinplane(admin.key, 'warm', 'gone'), /there is no target `gone`/)
    const warmed = await thinplane(admin.key, 'warm', GPU, '--minutes', '1')
    assert.match(warmed.stdout, /^vllm-us-east4 {3}warm, .*kept awake for \d+ s/)
    await sleep(8000)
    const later = JSON.parse((await thinplane(plane.key, 'targets', '--json')).stdout) as {
      targets: { name: string; warmth?: { state: string; startsSeen: number } }[]
    }
    const view = later.targets.find(({ name }) => name === GPU)?.warmth
    assert.deepEqual([view?.state, view?.startsSeen], ['warm', 1], 'longer than it stays awake by itself')
    assert.match(await plane.trail(), /"action":"warmed".*"kind":"target"/)
  })
})
