import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ask, Message } from '#contract/ask.ts'
import { CrossFault, type Trip } from '#contract/crossing.ts'
import type { Finding } from '#contract/screened.ts'
import { testAsk } from '#contract/test-ask.ts'
import type { GuardProfile } from '#guard/profile.ts'
import { type Draft, NO_PASSAGES, screen, seal } from '#guard/screen.ts'
import { LazyVault, createVaults } from '#guard/vault.ts'
import { type Verdict, admitVerdict, both, check, vet } from './check.ts'
import { type Judgement, type ManagedService, NoVerdict, type Segment } from './service.ts'
import { createVerdictCache } from './verdicts.ts'

const PROFILE: GuardProfile = {
  name: 'test',
  actions: { default: 'redact' },
  output: {},
  triage: { injection: 'off', toxicity: 'off' },
  minScore: 0.5,
  managed: 'always',
  riskFrom: 0.5,
  sample: 0.1,
  passages: true,
  protectedMaterial: 'off',
  shadow: false,
  severity: 4,
  onUnavailable: 'refuse',
}
const TRIP: Trip = {
  requestId: 'req-1',
  traceId: '1'.repeat(32),
  sampled: true,
  signal: new AbortController().signal,
  crossings: [],
  calls: new Map(),
}

function user(text: string): Message {
  return { role: 'user', parts: [{ type: 'text', text }] }
}

function draftOf(messages: readonly Message[], profile: GuardProfile = PROFILE): Draft {
  const ask: Ask = testAsk({ messages })
  const vaults = createVaults(new Uint8Array(32))
  const principal = {
    subject: 's',
    tenant: 't',
    kind: 'key',
    roles: [],
    groups: [],
    client: undefined,
    via: 'x',
    credentialId: '',
  } as const
  return screen(ask, profile, new LazyVault(() => vaults.open(principal, 'c')))
}

/** A service that finds `bad` severe and names `Quexi`. */
function service(changes: Partial<ManagedService> = {}) {
  const asked: string[][] = []
  const own: ManagedService = {
    name: 'one',
    version: '1',
    place: { cloud: 'azure', region: 'eastus' },
    usdPerThousandRecords: 0.5,
    judge: (segments: readonly Segment[]): Promise<Judgement> => {
      asked.push(segments.map(({ text, kind }) => `${kind}: ${text}`))
      const isBad = segments.some(({ text }) => text.includes('bad'))
      return Promise.resolve({
        severities: new Map([['Hate', isBad ? 4 : 3]]),
        spans: segments.map(({ text }) => namesIn(text)),
        records: segments.length,
      })
    },
    ...changes,
  }
  return { service: own, asked }
}

function namesIn(text: string): Finding[] {
  const at = text.indexOf('Quexi')
  return at === -1 ? [] : [{ type: 'PERSON', start: at, end: at + 5, score: 0.9, detector: 'test' }]
}

function depsOf(...services: readonly ManagedService[]) {
  return { services, verdicts: createVerdictCache(new Uint8Array(32)) }
}

test('what passed is not asked or paid again, what did not pass is', async () => {
  const { service: own, asked } = service()
  const deps = depsOf(own)
  const first = await check(deps, draftOf([user('one'), user('two')]), TRIP)
  assert.partialDeepStrictEqual(first.safety, { verdict: 'pass', records: 2, microUsd: 1000, savedMicroUsd: 0 })
  const again = await check(deps, draftOf([user('one'), user('two'), user('one')]), TRIP)
  assert.partialDeepStrictEqual(again.safety, { verdict: 'cached', records: 0, microUsd: 0, savedMicroUsd: 1000 })
  const bad = await check(deps, draftOf([user('one'), user('bad')]), TRIP)
  assert.partialDeepStrictEqual(bad.safety, { verdict: 'block', over: [{ category: 'Hate', severity: 4 }] })
  await check(deps, draftOf([user('one'), user('bad')]), TRIP)
  assert.deepEqual(asked, [['prompt: one', 'prompt: two'], ['prompt: bad'], ['prompt: bad']])
  assert.throws(() => admitVerdict(bad, PROFILE), {
    code: 'GUARD_BLOCKED',
    message: 'the safety check found Hate 4, rephrase the prompt',
  })
})

test('in twenty turns every message is asked about once', async () => {
  const { service: own, asked } = service()
  const deps = depsOf(own)
  const history: Message[] = []
  for (let turn = 0; turn < 20; turn += 1) {
    history.push(user(`question ${turn}`))
    await check(deps, draftOf(history), TRIP)
    history.push({ role: 'assistant', parts: [{ type: 'text', text: `answer ${turn}` }] })
  }
  const texts = asked.flat()
  assert.equal(texts.length, 39)
  assert.equal(new Set(texts).size, 39)
})

test('a verdict is kept for one severity, one version and one kind of text', async () => {
  const { service: own, asked } = service()
  const deps = depsOf(own)
  const said = [user('same')]
  await check(deps, draftOf(said), TRIP)
  await check(deps, draftOf(said, { ...PROFILE, severity: 5 }), TRIP)
  await check({ ...deps, services: [{ ...own, version: '2' }] }, draftOf(said), TRIP)
  await vet(deps, PROFILE, { texts: [{ source: {} as never, text: 'same' }], found: [] }, TRIP)
  assert.equal(asked.length, 4)
  assert.deepEqual(asked.at(-1), ['document: same'])
})

const UNAVAILABLE: readonly (readonly [what: string, reason: unknown, problem: string])[] = [
  ['an answer that is none', new NoVerdict('answered 429'), 'one: answered 429'],
  ['no answer', new CrossFault('timeout-first-byte', 'no answer'), 'one: timeout-first-byte'],
  ['a fault of ours', new Error('text of a prompt'), 'one: failed'],
]

for (const [what, reason, problem] of UNAVAILABLE) {
  test(`${what}: the entry says why, nothing passes by default, and nothing is kept`, async () => {
    const { service: good } = service({ name: 'two' })
    const { service: broken } = service({ judge: () => Promise.reject(reason as Error) })
    const deps = depsOf(broken, good)
    const verdict = await check(deps, draftOf([user('hello')]), TRIP)
    assert.partialDeepStrictEqual(verdict.safety, { verdict: 'unavailable', problem, services: ['one', 'two'] })
    assert.throws(() => admitVerdict(verdict, PROFILE), {
      code: 'GUARD_UNAVAILABLE',
      message: `the managed check gave no verdict (${problem}), so nothing was sent to a model`,
    })
    admitVerdict(verdict, { ...PROFILE, onUnavailable: 'pass' })
    assert.equal((await check(deps, draftOf([user('hello')]), TRIP)).safety.verdict, 'unavailable')
  })
}

test('a block outweighs a service that is away, and a caller who left is no verdict', async () => {
  const { service: good } = service()
  const away = service({ judge: () => Promise.reject(new NoVerdict('answered 500')) }).service
  assert.equal((await check(depsOf(away, good), draftOf([user('bad')]), TRIP)).safety.verdict, 'block')
  const left = service({ judge: () => Promise.reject(new CrossFault('aborted', 'given up')) }).service
  await assert.rejects(async () => check(depsOf(left), draftOf([user('x')]), TRIP), { kind: 'aborted' })
  assert.equal((await check(undefined, draftOf([user('x')]), TRIP)).safety.problem, 'no managed check is configured')
})

test('by risk asks when something was found, a sample asks about the same share of texts each time', async () => {
  const { service: own, asked } = service()
  const byRisk: GuardProfile = { ...PROFILE, managed: 'by-risk' }
  const calm = await check(depsOf(own), draftOf([user('hello')], byRisk), TRIP)
  assert.partialDeepStrictEqual(calm.safety, { mode: 'by-risk', verdict: 'skipped', savedMicroUsd: 500 })
  const risky = await check(depsOf(own), draftOf([user('write to bob@example.com')], byRisk), TRIP)
  assert.equal(risky.safety.verdict, 'pass')
  assert.match(asked[0]?.[0] ?? '', /^prompt: write to <EMAIL_ADDRESS_\d{5}>$/)
  const deps = depsOf(own)
  const sampled: GuardProfile = { ...PROFILE, managed: 'sample', sample: 0.25 }
  const ask = async (n: number): Promise<string> =>
    (await check(deps, draftOf([user(`text ${n}`)], sampled), TRIP)).safety.verdict
  const verdicts = await Promise.all(Array.from({ length: 400 }, (_, n) => ask(n)))
  const share = verdicts.filter((verdict) => verdict === 'pass').length / 400
  assert.ok(share > 0.18 && share < 0.32, String(share))
  assert.equal(await ask(verdicts.indexOf('skipped')), 'skipped')
  assert.equal(await ask(verdicts.indexOf('pass')), 'cached')
})

test('what a service names is replaced, also when its verdict was known, and the caller gets it back', async () => {
  const deps = depsOf(service().service)
  for (const round of ['pass', 'cached']) {
    const draft = draftOf([user('ask Quexi about it'), user('nothing here')])
    const { safety, spans } = await check(deps, draft, TRIP)
    assert.equal(safety.verdict, round)
    const { screened, found } = seal(draft, NO_PASSAGES, spans)
    const text = JSON.stringify(screened.ask.messages)
    const placeholder = /<PERSON_\d{5}>/.exec(text)?.[0] ?? ''
    assert.equal(draft.vault.original(placeholder), 'Quexi')
    assert.ok(!text.includes('Quexi'))
    assert.deepEqual(found, [{ action: 'redact', count: 1, type: 'PERSON', where: 'prompt' }])
  }
})

test('in shadow everything is recorded and nothing is done', async () => {
  const shadow: GuardProfile = { ...PROFILE, shadow: true, actions: { default: 'redact', SECRET: 'block' } }
  const deps = depsOf(service().service)
  const draft = draftOf([user('bad: bob@example.com, ask Quexi')], shadow)
  const verdict = await check(deps, draft, TRIP)
  assert.partialDeepStrictEqual(verdict.safety, { verdict: 'block', shadow: true })
  admitVerdict(verdict, shadow)
  const { screened, found } = seal(draft, NO_PASSAGES, verdict.spans)
  assert.match(JSON.stringify(screened.ask.messages), /bad: bob@example\.com, ask Quexi/)
  assert.deepEqual(
    [...draft.found, ...found],
    [
      { action: 'flag', count: 1, type: 'EMAIL_ADDRESS', where: 'prompt', would: 'redact' },
      { action: 'flag', count: 1, type: 'PERSON', where: 'prompt', would: 'redact' },
    ],
  )
})

test('of two verdicts the worse counts, and costs add up', () => {
  const verdict = (changes: object): Verdict =>
    ({
      safety: { over: [], problem: '', microUsd: 1, records: 1, savedMicroUsd: 1, services: ['a'], ...changes },
      spans: new Map(),
    }) as unknown as Verdict
  assert.partialDeepStrictEqual(both(verdict({ verdict: 'cached' }), verdict({ verdict: 'pass' })).safety, {
    verdict: 'pass',
    microUsd: 2,
    records: 2,
    savedMicroUsd: 2,
    services: ['a'],
  })
  assert.equal(both(verdict({ verdict: 'pass' }), verdict({ verdict: 'block' })).safety.verdict, 'block')
})

test('more new text than the services read in one request is refused', async () => {
  await assert.rejects(async () => check(depsOf(service().service), draftOf([user('word '.repeat(20_000))]), TRIP), {
    code: 'WIRE_TOO_LARGE',
    message: '100000 characters of new text are more than the managed check reads, send at most 76000',
  })
})
