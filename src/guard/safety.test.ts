import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ask } from '#contract/ask.ts'
import { type CrossAnswer, CrossFault, type CrossRequest, type Trip } from '#contract/crossing.ts'
import { Refusal } from '#contract/refusal.ts'
import { asRecord, asText, parseJson } from '#kit/json.ts'
import type { GuardProfile } from './profile.ts'
import { type SafetyDeps, check, createPassedMessages, piecesOf } from './safety.ts'
import type { Draft } from './screen.ts'
import { LazyVault, createVaults } from './vault.ts'

const SAFE = {
  categoriesAnalysis: ['Hate', 'SelfHarm', 'Sexual', 'Violence'].map((category) => ({ category, severity: 0 })),
}
const PROFILE: GuardProfile = {
  name: 'test',
  actions: {},
  minScore: 0.5,
  managed: 'always',
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

function draft(texts: readonly string[], profile = PROFILE): Draft {
  const ask: Ask = {
    dialect: 'openai-chat',
    alias: 'chat',
    stream: false,
    messages: texts.map((text) => ({ role: 'user', parts: [{ type: 'text', text }] })),
    tools: [],
    toolChoice: undefined,
    sampling: {},
    includeUsage: false,
    ground: undefined,
    conversation: undefined,
    purpose: undefined,
    rest: {},
  }
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
  return { ask, found: [], profile, vault: new LazyVault(() => vaults.open(principal, 'c')), blocking: [] }
}

/** A service that answers each text as told. */
function service(answer: (text: string) => { status?: number; body: string } | Error) {
  const asked: string[] = []
  const cross = (_trip: Trip, request: CrossRequest): Promise<CrossAnswer> => {
    const text = asText(asRecord(parseJson(request.body ?? ''))?.['text']) ?? ''
    asked.push(text)
    const given = answer(text)
    if (given instanceof Error) return Promise.reject(given)
    const crossing = {
      atEpochMs: 0,
      bytesIn: 0,
      bytesOut: 0,
      egressMicroUsd: 0,
      error: '',
      firstByteMs: 0,
      from: '',
      host: '',
      layer: 'safety',
      ms: 0,
      spanId: '',
      status: 200,
      to: '',
    } as const
    return Promise.resolve({
      status: given.status ?? 200,
      headers: {},
      body: { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }) },
      text: () => Promise.resolve(given.body),
      setIdleMs: () => undefined,
      cancel: () => undefined,
      crossing,
    })
  }
  const deps: SafetyDeps = {
    cross,
    endpoint: 'http://safety.test',
    place: { cloud: 'azure', region: 'eastus' },
    credential: { kind: 'none' },
    timeoutMs: 100,
    passed: createPassedMessages(new Uint8Array(32)),
  }
  return { deps, asked }
}

const UNSAFE_ANSWERS: readonly (readonly [string, { status?: number; body: string } | Error])[] = [
  ['429', { status: 429, body: '{}' }],
  ['500', { status: 500, body: '{}' }],
  ['a body that is no JSON', { body: '<html>' }],
  ['an error inside a 200', { body: '{"error":{"code":"ServerBusy"}}' }],
  [
    'a missing severity',
    { body: JSON.stringify({ categoriesAnalysis: [...SAFE.categoriesAnalysis.slice(1), { category: 'Hate' }] }) },
  ],
  ['a missing category', { body: JSON.stringify({ categoriesAnalysis: SAFE.categoriesAnalysis.slice(1) }) }],
  [
    'a severity beyond the scale',
    { body: JSON.stringify({ categoriesAnalysis: [{ category: 'Hate', severity: 99 }] }) },
  ],
  ['no answer', new CrossFault('timeout-first-byte', 'no answer after 100 ms')],
]

for (const [what, answer] of UNSAFE_ANSWERS) {
  test(`${what} is no verdict: refused by default, and said so where the profile lets it pass`, async () => {
    const { deps } = service(() => answer)
    await assert.rejects(
      check(deps, draft(['hello']), TRIP),
      (error: unknown) =>
        error instanceof Refusal &&
        error.code === 'GUARD_UNAVAILABLE' &&
        error.message === 'the managed check gave no verdict, so nothing was sent to a model',
    )
    const verdict = await check(deps, draft(['hello'], { ...PROFILE, onUnavailable: 'pass' }), TRIP)
    assert.deepEqual(verdict, { mode: 'always', over: [], verdict: 'unavailable' })
  })
}

test('what passed is not asked again, what did not pass is', async () => {
  const bad = {
    categoriesAnalysis: SAFE.categoriesAnalysis.map((one) => ({ ...one, severity: one.category === 'Hate' ? 4 : 3 })),
  }
  const { deps, asked } = service((text) => ({ body: JSON.stringify(text.includes('bad') ? bad : SAFE) }))
  assert.equal((await check(deps, draft(['one']), TRIP)).verdict, 'pass')
  assert.equal((await check(deps, draft(['one']), TRIP)).verdict, 'cached')
  assert.deepEqual(await check(deps, draft(['one', 'bad']), TRIP), {
    mode: 'always',
    over: [{ category: 'Hate', severity: 4 }],
    verdict: 'block',
  })
  await check(deps, draft(['one', 'bad']), TRIP)
  assert.deepEqual(asked, ['one', 'bad', 'bad'])
})

test('a text beyond the limit goes in overlapping pieces, each within it, and too many are refused', async () => {
  const long = '😀'.repeat(24_000)
  const pieces = piecesOf(long)
  assert.ok(pieces.every((piece) => Array.from(piece).length <= 10_000 && piece.isWellFormed()))
  assert.equal(pieces.length, 3)
  const marker = `${'a'.repeat(9_990)}MARKER-IN-THE-SEAM${'b'.repeat(9_000)}`
  assert.ok(piecesOf(marker).some((piece) => piece.includes('MARKER-IN-THE-SEAM')))
  const { deps, asked } = service((text) => ({
    body: JSON.stringify(
      text.includes('zzz')
        ? { categoriesAnalysis: SAFE.categoriesAnalysis.map((one) => ({ ...one, severity: 6 })) }
        : SAFE,
    ),
  }))
  assert.equal((await check(deps, draft([`${'word '.repeat(5000)}zzz`]), TRIP)).verdict, 'block')
  assert.equal(asked.length, 3)
  await assert.rejects(
    check(deps, draft(['x'.repeat(200_000)]), TRIP),
    (error: unknown) => error instanceof Refusal && error.code === 'WIRE_TOO_LARGE',
  )
})
