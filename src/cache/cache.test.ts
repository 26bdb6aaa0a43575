import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Ask } from '#contract/ask.ts'
import type { Trip } from '#contract/crossing.ts'
import type { Batch } from '#contract/event.ts'
import type { CacheScope, Permit } from '#contract/permit.ts'
import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import { testAlias } from '#contract/test-alias.ts'
import { testScreened, testTarget } from '#infer/test-asks.ts'
import { type CacheDeps, type CacheRequest, Responses, reuse } from './cache.ts'
import type { BegunAnswer } from './flight.ts'

const TARGET = testTarget({ name: 'a' })
const TEXT: Batch = [{ type: 'text-delta', choice: 0, text: 'hello' }]
const STOP: Batch = [{ type: 'finish', choice: 0, reason: 'stop' }, { type: 'end' }]

interface Caller {
  readonly tenant?: string
  readonly subject?: string
  readonly scope?: CacheScope
  readonly retentionDays?: number
  readonly ask?: Partial<Ask>
  readonly control?: string
  readonly released?: readonly string[]
  readonly signal?: AbortSignal
}

function world(bytes = 1_000_000) {
  let now = 0
  let calls = 0
  const deps: CacheDeps = {
    responses: new Responses(() => now),
    targets: new Map([['a', TARGET]]),
    digest: (tenant, text) => createHmac('sha256', tenant).update(text).digest('hex'),
    bytes,
  }
  const ask = async (
    {
      tenant = 't',
      subject = 'ada',
      scope = 'caller',
      retentionDays,
      ask: changes = {},
      control,
      released = ['a'],
      signal,
    }: Caller,
    answer: (trip: Trip) => Promise<BegunAnswer> = async () => whole(TEXT, STOP),
  ) => {
    const request: CacheRequest = {
      principal: { tenant, subject, kind: 'user' } as Principal,
      alias: testAlias({ targets: ['a'], cache: { seconds: 60 } }),
      permit: { guardProfile: 'balanced', cache: scope, retentionDays } as Permit,
      release: { targets: released, forbidden: [], policies: [] },
      screened: testScreened(changes),
      control,
      trip: { signal: signal ?? new AbortController().signal, crossings: [], calls: new Map() } as unknown as Trip,
    }
    const reused = await reuse(deps, request, (trip) => {
      calls += 1
      return answer(trip)
    })
    const batches: Batch[] = []
    for await (const batch of reused.batches) batches.push(batch)
    return { from: reused.from, batches, ageMs: reused.ageMs }
  }
  return { deps, ask, calls: () => calls, pass: (ms: number) => (now += ms) }
}

function whole(...batches: readonly Batch[]): BegunAnswer {
  return { target: TARGET, dropped: ['seed'], batches: of(batches) }
}

async function* of(batches: readonly Batch[]): AsyncGenerator<Batch> {
  for (const batch of batches) {
    await turn()
    yield batch
  }
}

test('the same caller who asks exactly the same gets the same answer without a call, until it is too old', async () => {
  const { ask, calls, pass } = world()
  assert.equal((await ask({})).from, 'fresh')
  pass(59_000)
  assert.deepEqual(await ask({ ask: { stream: true } }), { from: 'cached', batches: [TEXT, STOP], ageMs: 59_000 })
  pass(1000)
  assert.deepEqual([(await ask({})).from, calls()], ['fresh', 2])
})

test('another text, another caller, another tenant: another answer', async () => {
  const { ask } = world()
  await ask({ scope: 'tenant' })
  for (const other of [
    { ask: { messages: [{ role: 'user' as const, parts: [{ type: 'text' as const, text: 'else' }] }] } },
    { ask: { sampling: { temperature: 1 } } },
    { scope: 'caller' as const },
    { tenant: 'other', scope: 'tenant' as const },
  ])
    assert.equal((await ask({ scope: 'tenant', ...other })).from, 'fresh', JSON.stringify(other))
  assert.equal((await ask({ subject: 'bob', scope: 'tenant' })).from, 'cached', 'policy lets the tenant share')
  await ask({ subject: 'bob' })
  assert.equal((await ask({ subject: 'eve' })).from, 'fresh')
})

test('what policy forbids to keep is not kept, nor what the caller does not want kept', async () => {
  for (const caller of [{ scope: 'none' as const }, { retentionDays: 0 }, { control: 'no-store' }]) {
    const { ask, deps } = world()
    await ask(caller)
    assert.deepEqual([(await ask(caller)).from, deps.responses.kept.bytes], ['fresh', 0], JSON.stringify(caller))
  }
  const { ask } = world()
  await ask({})
  assert.equal((await ask({ control: 'no-cache' })).from, 'fresh')
  assert.equal((await ask({})).from, 'cached')
  assert.equal((await ask({ released: [] })).from, 'fresh', 'its target is not permitted any more')
})

test('answers that are cut, filtered or too long are not kept', async () => {
  const length: Batch = [{ type: 'finish', choice: 0, reason: 'length' }, { type: 'end' }]
  const filtered: Batch = [{ type: 'finish', choice: 0, reason: 'content-filter' }, { type: 'end' }]
  for (const answer of [whole(TEXT, length), whole(TEXT, filtered), whole(TEXT)]) {
    const { ask } = world()
    await ask({}, async () => answer)
    assert.equal((await ask({})).from, 'fresh')
  }
  const { ask, deps } = world(5000)
  await ask({}, async () => whole([{ type: 'text-delta', choice: 0, text: 'x'.repeat(400) }], STOP))
  assert.equal(deps.responses.kept.bytes, 0)
})

test('room is bounded: the one that was not used for longest gives way', async () => {
  const { ask, deps } = world(6000)
  const asking = (text: string) => ({
    ask: { messages: [{ role: 'user' as const, parts: [{ type: 'text' as const, text }] }] },
  })
  for (let at = 0; at < 40; at += 1) {
    await ask(asking(`q${at}`))
    await ask(asking('often'))
  }
  assert.ok(deps.responses.kept.bytes <= 6000)
  assert.equal((await ask(asking('often'))).from, 'cached')
  assert.equal((await ask(asking('q0'))).from, 'fresh')
})

test('two who ask the same at once share one call, and each reads the whole answer', async () => {
  const { ask, calls } = world()
  const [one, two] = await Promise.all([ask({}), ask({})])
  assert.deepEqual([one?.from, two?.from, calls()], ['fresh', 'shared', 1])
  assert.deepEqual(one?.batches, two?.batches)
})

test('whoever began it may leave: the call goes on for the others, and ends when nobody reads', async () => {
  const { ask, deps } = world()
  const gone = new AbortController()
  let signal: AbortSignal | undefined
  const gate = Promise.withResolvers<void>()
  const slow = async (trip: Trip): Promise<BegunAnswer> => {
    signal = trip.signal
    await gate.promise
    return whole(TEXT, STOP)
  }
  const leader = ask({ signal: gone.signal }, slow)
  const follower = ask({})
  await turn()
  gone.abort(new Error('left'))
  await assert.rejects(leader, /left/)
  assert.equal(signal?.aborted, false)
  gate.resolve()
  assert.deepEqual((await follower).batches, [TEXT, STOP])

  const alone = new AbortController()
  const lonely = ask({ ask: { alias: 'other' }, signal: alone.signal }, (trip) => {
    signal = trip.signal
    return new Promise(() => undefined)
  })
  await turn()
  alone.abort(new Error('left'))
  await assert.rejects(lonely, /left/)
  assert.deepEqual([signal?.aborted, deps.responses.flights.size], [true, 0])
})

test('a failure is everybody’s who waited, and nobody’s who comes after', async () => {
  const { ask } = world()
  const down = async (): Promise<BegunAnswer> => {
    await turn()
    throw new Refusal('INFER_UNAVAILABLE', 'target is down')
  }
  const both = await Promise.allSettled([ask({}, down), ask({}, down)])
  assert.ok(both.every(({ status }) => status === 'rejected'))
  assert.equal((await ask({})).from, 'fresh')
})

test('an answer that breaks off breaks off for all, and is not kept', async () => {
  const { ask } = world()
  const broken = async (): Promise<BegunAnswer> => ({
    ...whole(),
    batches: (async function* cut() {
      yield TEXT
      await turn()
      throw new Refusal('INFER_CUT', 'the answer broke off')
    })(),
  })
  const both = await Promise.allSettled([ask({}, broken), ask({}, broken)])
  assert.ok(both.every(({ status }) => status === 'rejected'))
  assert.equal((await ask({})).from, 'fresh')
})

test('where the target answers as the caller, nothing is shared', async () => {
  const { deps, ask } = world()
  const credential = { kind: 'token', isPersonal: true, source: { token: () => ({ reveal: () => '' }) } } as const
  const personal = { ...deps, targets: new Map([['a', { ...TARGET, credential }]]) }
  Object.assign(deps, personal)
  await ask({})
  assert.equal((await ask({})).from, 'fresh')
})
