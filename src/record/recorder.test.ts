import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import type { Ask } from '#contract/ask.ts'
import type { ContextAnswer } from '#contract/context.ts'
import type { Crossing, Trip } from '#contract/crossing.ts'
import type { Entry } from '#contract/entry.ts'
import type { Batch, Event } from '#contract/event.ts'
import type { LimitUse, Reservation } from '#contract/limit.ts'
import type { Permit } from '#contract/permit.ts'
import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Target } from '#contract/target.ts'
import { hasSortedKeys } from '#kit/canonical-json.ts'
import { asRecord, parseJson } from '#kit/json.ts'
import type { TenantDigests } from './digests.ts'
import type { AuditLog } from './log.ts'
import { entryOf } from './ocsf.ts'
import { type Recorder, openRecord } from './recorder.ts'

const HERE = { cloud: 'azure', region: 'eastus' } as const
const TARGET = {
  name: 'vllm',
  provider: 'openai-compatible',
  model: 'llama',
  place: { cloud: 'gcp', region: 'us-east4' },
  price: { usdPerMillionInput: 1, usdPerMillionCachedInput: 0.1, usdPerMillionOutput: 2, source: 'x' },
} as Target

const ASK = {
  dialect: 'openai-chat',
  alias: 'chat',
  stream: true,
  messages: [{ role: 'user', parts: [{ type: 'text', text: 'a'.repeat(40) }] }],
} as unknown as Ask

const TEXT: Event = { type: 'text-delta', choice: 0, text: 'eight ch' }
const USAGE: Event = { type: 'usage', usage: { cachedRead: 10, cachedWrite: 5, input: 100, output: 20, reasoning: 3 } }
const END: Event = { type: 'end' }

/** Digests that say what they are of. */
const DIGESTS: TenantDigests = {
  of: (tenant, text) => createHash('sha256').update(`${tenant} ${text}`).digest('hex'),
  begin: (tenant) => createHmac('sha256', tenant),
  pending: undefined,
}

interface Stand {
  readonly recorder: Recorder
  readonly trip: Trip
  readonly abort: () => void
  /** What reached the trail. */
  readonly written: readonly object[]
  /** What was told to metrics and traces. */
  readonly told: readonly Entry[]
  readonly bugs: readonly unknown[]
}

function stand(log: Partial<AuditLog> = {}): Stand {
  const written: object[] = []
  const told: Entry[] = []
  const bugs: unknown[] = []
  const gone = new AbortController()
  const trip: Trip = {
    requestId: 'req-1',
    traceId: '1'.repeat(32),
    sampled: true,
    signal: gone.signal,
    crossings: [],
    calls: new Map(),
  }
  const whole: AuditLog = {
    append: (text) => {
      written.push(asRecord(parseJson(text)) ?? {})
      return Promise.resolve({ index: written.length - 1, hash: '' })
    },
    trouble: undefined,
    size: 0,
    mended: '',
    close: () => Promise.resolve(),
    ...log,
  }
  const recorder = openRecord(
    {
      log: whole,
      digests: DIGESTS,
      place: HERE,
      nowEpochMs: () => 1000,
      onEntry: (entry) => told.push(entry),
      onBug: (_, cause) => bugs.push(cause),
    },
    { trip, dialect: 'openai-chat', peer: '192.0.2.7' },
  )
  return { recorder, trip, abort: () => gone.abort(), written, told, bugs }
}

/** An upstream that gives these batches and then ends, or breaks. Counts how often it is told to stop. */
function upstream(batches: readonly Batch[], failure?: unknown) {
  const state = { at: 0, returns: 0 }
  const answer: AsyncIterable<Batch> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        await Promise.resolve()
        const batch = batches[state.at]
        state.at += 1
        if (batch !== undefined) return { done: false, value: batch }
        if (failure !== undefined) throw failure instanceof Error ? failure : new Error('not an error')
        return { done: true, value: undefined }
      },
      return: () => {
        state.returns += 1
        return Promise.resolve({ done: true, value: undefined })
      },
    }),
  }
  return { answer, state }
}

async function drain(batches: AsyncIterable<Batch>): Promise<Event[]> {
  const events: Event[] = []
  for await (const batch of batches) events.push(...batch)
  return events
}

/** As JSON holds it: without members that are undefined. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

function onlyEntry({ written, told }: Stand): Entry {
  assert.equal(written.length, 1)
  // What stands in the trail reads back as what metrics and traces were told, and stands in canonical order.
  assert.ok(hasSortedKeys(written[0]))
  assert.deepEqual(plain(entryOf(JSON.stringify(written[0]))), plain(told[0]))
  const [entry] = told
  assert.ok(entry)
  return entry
}

test('read to the end: one entry, answered, with what the upstream counted', async () => {
  const own = stand()
  own.recorder.asked(ASK)
  own.recorder.served(TARGET)
  const { answer, state } = upstream([[{ type: 'start', id: '', model: '' }], [TEXT], [USAGE, END]])
  assert.equal((await drain(own.recorder.follow(answer))).length, 4)
  const entry = onlyEntry(own)
  assert.deepEqual(
    [entry.outcome, entry.status, entry.code, entry.target, entry.alias],
    ['answered', 200, '', 'vllm', 'chat'],
  )
  assert.deepEqual([entry.usage, entry.usageEstimated], [USAGE.type === 'usage' ? USAGE.usage : undefined, false])
  assert.deepEqual(entry.cost, { egressMicroUsd: 0, modelMicroUsd: 105 + 1 + 46 })
  assert.ok(entry.firstContentMs >= 0)
  assert.deepEqual(
    entry.stages.map(({ stage, place }) => [stage, place]),
    [['stream', 'gcp:us-east4']],
  )
  assert.equal(state.returns, 0)
})

test('the entry is on the disk before the end is given out', async () => {
  let release = (): void => undefined
  const durable = new Promise<void>((resolve) => {
    release = resolve
  })
  const own = stand({ append: () => durable.then(() => ({ index: 0, hash: '' })) })
  const iterator = own.recorder.follow(upstream([[END]]).answer)[Symbol.asyncIterator]()
  let isOut = false
  const last = iterator.next().then((step) => {
    isOut = true
    return step
  })
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(isOut, false)
  release()
  assert.deepEqual(await last, { done: false, value: [END] })
})

test('left after the first piece: one entry, abandoned, and the upstream is told', async () => {
  const own = stand()
  own.recorder.asked(ASK)
  own.recorder.served(TARGET)
  const { answer, state } = upstream([[TEXT], [TEXT], [END]])
  for await (const batch of own.recorder.follow(answer)) {
    assert.deepEqual(batch, [TEXT])
    break
  }
  const entry = onlyEntry(own)
  assert.deepEqual([entry.outcome, entry.status, entry.code], ['abandoned', 499, 'CALLER_GONE'])
  assert.deepEqual(
    [entry.usage, entry.usageEstimated],
    [{ cachedRead: 0, cachedWrite: 0, input: 10, output: 2, reasoning: 0 }, true],
  )
  assert.equal(state.returns, 1)
})

test('left before the first piece: one entry, abandoned, without content', async () => {
  const own = stand()
  const { answer, state } = upstream([[TEXT], [END]])
  await own.recorder.follow(answer)[Symbol.asyncIterator]().return?.()
  const entry = onlyEntry(own)
  assert.deepEqual([entry.outcome, entry.firstContentMs, entry.stages.length], ['abandoned', -1, 1])
  assert.deepEqual([state.at, state.returns], [0, 1])
})

test('left twice, or after the end: still one entry', async () => {
  for (const reads of [0, 1, 2]) {
    const own = stand()
    const iterator = own.recorder.follow(upstream([[TEXT], [END]]).answer)[Symbol.asyncIterator]()
    for (let read = 0; read < reads; read += 1) await iterator.next()
    await iterator.return?.()
    await iterator.return?.()
    assert.equal(onlyEntry(own).outcome, reads === 2 ? 'answered' : 'abandoned')
  }
})

test('an upstream that does not want to stop loses no entry', async () => {
  const own = stand()
  const answer: AsyncIterable<Batch> = {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ done: false, value: [TEXT] }),
      return: () => Promise.reject(new Error('no')),
    }),
  }
  await own.recorder
    .follow(answer)
    [Symbol.asyncIterator]()
    .return?.()
    .catch(() => undefined)
  assert.equal(onlyEntry(own).outcome, 'abandoned')
})

const breaks: readonly (readonly [
  what: string,
  failure: unknown,
  code: string,
  status: number,
  outcome: string,
  bugs: number,
])[] = [
  ['broke off', new Refusal('INFER_CUT', 'the answer broke off'), 'INFER_CUT', 502, 'failed', 0],
  ['ended without an end', undefined, 'INFER_CUT', 502, 'failed', 0],
  ['met a fault of ours', new TypeError('x is undefined'), 'INTERNAL', 500, 'failed', 1],
]

for (const [what, failure, code, status, outcome, bugs] of breaks) {
  test(`an answer that ${what}: one entry, and the caller gets the refusal`, async () => {
    const own = stand()
    own.recorder.served(TARGET)
    const iterator = own.recorder.follow(upstream([[TEXT]], failure).answer)[Symbol.asyncIterator]()
    await iterator.next()
    await assert.rejects(async () => iterator.next(), { name: 'Refusal', code })
    await iterator.return?.()
    const entry = onlyEntry(own)
    assert.deepEqual([entry.outcome, entry.status, entry.code], [outcome, status, code])
    assert.equal(own.bugs.length, bugs)
    assert.equal(entry.stages.filter(({ stage }) => stage === 'stream').length, 1)
  })
}

test('whatever breaks when the caller has left is the caller having left', async () => {
  const own = stand()
  const iterator = own.recorder.follow(upstream([[TEXT]], new Error('reset')).answer)[Symbol.asyncIterator]()
  await iterator.next()
  own.abort()
  await assert.rejects(async () => iterator.next(), {
    code: 'CALLER_GONE',
    message: 'the caller closed the connection before the end',
  })
  assert.equal(onlyEntry(own).outcome, 'abandoned')
  assert.deepEqual(own.bugs, [])
})

const outcomes: readonly (readonly [refusal: Refusal, outcome: string])[] = [
  [new Refusal('GUARD_BLOCKED', 'x'), 'blocked'],
  [new Refusal('POLICY_DENIED', 'x'), 'denied'],
  [new Refusal('CONTEXT_FORBIDDEN', 'x'), 'denied'],
  [new Refusal('WIRE_MALFORMED', 'x'), 'refused'],
  [new Refusal('IDENTITY_MISSING', 'x'), 'refused'],
  [new Refusal('INFER_THROTTLED', 'x'), 'refused'],
  [new Refusal('GUARD_UNAVAILABLE', 'x'), 'failed'],
  [new Refusal('CALLER_GONE', 'x'), 'abandoned'],
]

test('a request that is refused before anything is served leaves one entry, whatever the reason', async () => {
  for (const [refusal, outcome] of outcomes) {
    const own = stand()
    assert.equal(await own.recorder.refuse(refusal), refusal)
    assert.equal(await own.recorder.refuse(refusal), refusal)
    const entry = onlyEntry(own)
    assert.deepEqual(
      [entry.outcome, entry.status, entry.code, entry.target, entry.usage.input],
      [outcome, refusal.status, refusal.code, '', 0],
    )
  }
})

test('nothing is served when the trail can not be written', async () => {
  const before = {
    name: 'Refusal',
    code: 'RECORD_UNAVAILABLE',
    message: 'the audit trail can not be written, so nothing is served',
    retryAfterS: 5,
  }
  assert.throws(() => stand({ trouble: 'disk full' }), before)
  const message = 'the audit trail can not be written, so the answer is not given out'
  const own = stand({ append: () => Promise.reject(new Error('ENOSPC')) })
  const iterator = own.recorder.follow(upstream([[TEXT], [END]]).answer)[Symbol.asyncIterator]()
  await iterator.next()
  await assert.rejects(async () => iterator.next(), { code: 'RECORD_UNAVAILABLE', message })
  const refused = stand({ append: () => Promise.reject(new Error('ENOSPC')) })
  const refusal = await refused.recorder.refuse(new Refusal('POLICY_DENIED', 'x'))
  assert.deepEqual([refusal.code, refusal.message, refused.told.length], ['RECORD_UNAVAILABLE', message, 0])
})

test('stages are timed also when they throw, at the place that is known when they end', async () => {
  const own = stand()
  let place: string | undefined
  await own.recorder.stage('identify', () => 7)
  await assert.rejects(
    own.recorder.stage(
      'infer',
      () => {
        place = 'gcp:us-east4'
        throw new Error('no')
      },
      () => place,
    ),
    { message: 'no' },
  )
  assert.deepEqual(
    own.recorder.stages.map(({ stage, place: where }) => [stage, where]),
    [
      ['identify', 'azure:eastus'],
      ['infer', 'gcp:us-east4'],
    ],
  )
  assert.match(
    own.recorder.serverTiming(),
    /^identify;dur=[\d.]+;desc="azure:eastus", infer;dur=[\d.]+;desc="gcp:us-east4"$/,
  )
})

test('crossings stand in the entry as they were at its end, and their egress is added up', async () => {
  const own = stand()
  own.trip.crossings.push(
    { egressMicroUsd: 0.1005, layer: 'data' } as Crossing,
    { egressMicroUsd: 0.2, layer: 'inference' } as Crossing,
  )
  await own.recorder.refuse(new Refusal('INFER_TIMEOUT', 'x'))
  for (const crossing of own.trip.crossings) crossing.egressMicroUsd = 9
  const entry = onlyEntry(own)
  assert.deepEqual(
    entry.crossings.map(({ egressMicroUsd }) => egressMicroUsd),
    [0.1005, 0.2],
  )
  assert.ok(Math.abs(entry.cost.egressMicroUsd - 0.301) < 0.001)
})

test('the lag is the stage that took longest', async () => {
  const own = stand()
  await own.recorder.stage('permit', () => undefined)
  await own.recorder.stage(
    'ground',
    () => new Promise((resolve) => setTimeout(resolve, 15)),
    () => 'aws:us-east-1',
  )
  await own.recorder.refuse(new Refusal('INFER_TIMEOUT', 'x'))
  const { lag } = onlyEntry(own)
  assert.deepEqual([lag.stage, lag.place], ['ground', 'aws:us-east-1'])
  assert.ok(lag.ms >= 14)
})

const ADA: Principal = {
  subject: 'ada@oid',
  tenant: 'contoso',
  kind: 'user',
  roles: ['developer'],
  groups: Array.from({ length: 51 }, (_, at) => `group-${String(at)}`),
  client: 'client-1',
  via: 'entra',
  credentialId: 'uti-1',
}

function permitWith(changes: Partial<Permit>): Permit {
  return {
    alias: 'chat',
    collections: ['docs'],
    purpose: 'support',
    policies: ['p'],
    guardProfile: 'balanced',
    jurisdictions: ['EU'],
    retentionDays: 30,
    logging: 'standard',
    cache: 'caller',
    ...changes,
  }
}

const RECEIPT = {
  agent: 'data',
  atEpochMs: 1,
  bytes: 0,
  reads: [],
  requestId: 'req-1',
  subject: ADA.subject,
  tenant: ADA.tenant,
}

async function answered(own: Stand, permit: Permit): Promise<Entry> {
  own.recorder.identified(ADA)
  own.recorder.bodySeen('the whole body')
  own.recorder.asked(ASK)
  own.recorder.permitted(permit)
  own.trip.crossings.push({ egressMicroUsd: 0, layer: 'data' } as Crossing)
  own.recorder.grounded({ receipt: RECEIPT, spans: [] } as unknown as ContextAnswer)
  own.recorder.released({ targets: ['vllm'], forbidden: [{ target: 'us', policies: ['x'] }], policies: ['r'] })
  own.recorder.served(TARGET)
  await drain(own.recorder.follow(upstream([[TEXT], [TEXT, USAGE, END]]).answer))
  return onlyEntry(own)
}

test('an entry says who asked, what policy answered, and gives digests of what was said', async () => {
  const entry = await answered(stand(), permitWith({}))
  assert.deepEqual(entry.principal, {
    agent: undefined,
    client: 'client-1',
    credentialId: 'uti-1',
    groupCount: 51,
    groups: ADA.groups.slice(0, 50),
    kind: 'user',
    roles: ['developer'],
    subject: 'ada@oid',
    tenant: 'contoso',
    via: 'entra',
  })
  assert.deepEqual(entry.policy, {
    collections: ['docs'],
    forbidden: ['us'],
    guardProfile: 'balanced',
    jurisdictions: ['EU'],
    logging: 'standard',
    policies: ['p', 'r'],
    purpose: 'support',
    retentionDays: 30,
  })
  assert.deepEqual(entry.digests, {
    prompt: DIGESTS.of('contoso', 'the whole body'),
    answer: createHmac('sha256', 'contoso').update('eight cheight ch').digest('hex'),
  })
  assert.deepEqual([entry.provider, entry.model, entry.peer], ['openai-compatible', 'llama', '192.0.2.7'])
})

test('a pseudonymous entry names nobody, and the same caller the same way', async () => {
  const [first, second] = [stand(), stand()]
  const one = await answered(first, permitWith({ logging: 'pseudonymous' }))
  const two = await answered(second, permitWith({ logging: 'pseudonymous' }))
  const text = JSON.stringify(first.written)
  for (const name of ['ada@oid', 'client-1', 'uti-1', '192.0.2.7']) assert.ok(!text.includes(name), name)
  assert.match(one.principal?.subject ?? '', /^p-[0-9a-f]{32}$/)
  assert.equal(one.principal?.subject, two.principal?.subject)
  assert.notEqual(one.principal?.subject, one.principal?.client)
  assert.equal(one.receipt?.subject, one.principal?.subject)
  assert.deepEqual(one.principal?.roles, ['developer'])
})

test('a refusal of policy names the policies that refused', async () => {
  const own = stand()
  own.recorder.identified(ADA)
  own.recorder.asked(ASK)
  await own.recorder.refuse(new Refusal('POLICY_DENIED', 'no', { policies: ['residency'] }))
  const entry = onlyEntry(own)
  assert.deepEqual([entry.outcome, entry.policy.policies], ['denied', ['residency']])
})

test('an entry that would be longer than the log takes lists fewer roles and passages, and is written', async () => {
  const own = stand()
  own.recorder.identified({
    ...ADA,
    roles: Array.from({ length: 900 }, (_, at) => `role-${'x'.repeat(20)}-${String(at)}`),
  })
  own.recorder.asked(ASK)
  own.recorder.permitted(permitWith({}))
  const reads = Array.from({ length: 300 }, () => ({
    collection: 'docs',
    document: 'd'.repeat(400),
    digest: '0'.repeat(64),
  }))
  own.trip.crossings.push({ egressMicroUsd: 0, layer: 'data' } as Crossing)
  own.recorder.grounded({ receipt: { ...RECEIPT, reads }, spans: [] } as unknown as ContextAnswer)
  await own.recorder.refuse(new Refusal('INFER_TIMEOUT', 'x'))
  const written = entryOf(JSON.stringify(own.written[0]))
  assert.ok(Buffer.byteLength(JSON.stringify(own.written[0])) <= 65_535)
  assert.deepEqual([written?.principal?.roles.length, written?.receipt?.reads.length], [50, 50])
})

/** A reservation that says how it was settled. */
function reservation() {
  const settled: (LimitUse | undefined)[] = []
  const made: Reservation = {
    rates: { requests: undefined, tokens: undefined },
    settle: (used) => {
      settled.push(used)
      const amounts = { microUsd: 1, requests: 1, tokens: 1 }
      return { reserved: amounts, rules: ['r'], settled: amounts }
    },
  }
  return { made, settled }
}

test('what limits hold is settled with what the entry says, and stands in it', async () => {
  const own = stand()
  const { made, settled } = reservation()
  own.recorder.asked(ASK)
  own.recorder.reserved(made)
  own.recorder.served(TARGET)
  own.recorder.attempts.push({ error: '', ms: 1, target: 'vllm' })
  await drain(own.recorder.follow(upstream([[TEXT], [USAGE, END]]).answer))
  assert.deepEqual(settled[0], { isCounted: true, tokens: 138, outputTokens: 23, microUsd: 152, isEstimated: false })
  assert.deepEqual(onlyEntry(own).limits?.rules, ['r'])
})

test('what limits hold is settled also when the caller leaves, when nothing was asked, and when the trail can not be written', async () => {
  const left = stand()
  const one = reservation()
  left.recorder.asked(ASK)
  left.recorder.reserved(one.made)
  left.recorder.served(TARGET)
  left.recorder.attempts.push({ error: '', ms: 1, target: 'vllm' })
  for await (const _ of left.recorder.follow(upstream([[TEXT], [TEXT]]).answer)) break
  assert.deepEqual([one.settled[0]?.isCounted, one.settled[0]?.isEstimated, one.settled[0]?.tokens], [true, true, 12])

  const refused = stand()
  const two = reservation()
  refused.recorder.reserved(two.made)
  await refused.recorder.refuse(new Refusal('GUARD_BLOCKED', 'no'))
  assert.deepEqual([two.settled[0]?.isCounted, two.settled[0]?.tokens], [false, 0])

  const full = stand({ append: () => Promise.reject(new Error('disk full')) })
  const three = reservation()
  full.recorder.reserved(three.made)
  assert.equal((await full.recorder.refuse(new Error('a bug'))).code, 'RECORD_UNAVAILABLE')
  assert.equal(three.settled[0]?.isCounted, false)
})

test('what limits hold is settled when the entry itself can not be made', async () => {
  const own = stand()
  const { made, settled } = reservation()
  own.recorder.reserved(made)
  Object.defineProperty(own.trip, 'crossings', { value: undefined })
  await own.recorder.refuse(new Error('a bug'))
  assert.deepEqual(settled, [undefined])
})
