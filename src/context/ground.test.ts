import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type JWK } from 'jose'
import type { Ask } from '#contract/ask.ts'
import { type CrossAnswer, CrossFault, type CrossRequest, type Trip } from '#contract/crossing.ts'
import { Refusal, type RefusalCode } from '#contract/refusal.ts'
import { testAsk } from '#contract/test-ask.ts'
import { asRecord, parseJson } from '#kit/json.ts'
import { type ContextDeps, type GroundQuestion, ground } from './ground.ts'
import { createPassportKey, openPassportOffice } from './passport.ts'

const ANSWER = {
  passages: [],
  rows: [],
  items: [],
  receipt: {
    agent: 'a',
    atEpochMs: 1,
    bytes: 0,
    missing: [],
    reads: [],
    requestId: 'req-1',
    subject: 's',
    tenant: 't',
  },
  missing: [],
  spans: [],
}
const TRIP: Trip = {
  requestId: 'req-1',
  traceId: '1'.repeat(32),
  sampled: true,
  signal: new AbortController().signal,
  crossings: [],
  calls: new Map(),
}

function question(
  text: string,
  collections: readonly string[] = ['docs'],
  changes: Partial<GroundQuestion> = {},
): GroundQuestion {
  const ask: Ask = testAsk({
    alias: 'assistant',
    messages: [
      { role: 'user', parts: [{ type: 'text', text: 'an earlier question' }] },
      { role: 'assistant', parts: [{ type: 'text', text: 'an answer' }] },
      { role: 'user', parts: [{ type: 'text', text }] },
    ],
  })
  return {
    principal: {
      subject: 's',
      tenant: 't',
      kind: 'user',
      roles: ['developer'],
      groups: [],
      client: undefined,
      via: 'x',
      credentialId: '',
    },
    permit: {
      alias: 'assistant',
      collections,
      purpose: '',
      guardProfile: 'balanced',
      jurisdictions: undefined,
      retentionDays: undefined,
      logging: 'standard',
      cache: 'caller',
      policies: [],
    },
    ask,
    topK: 4,
    residency: '',
    sql: [],
    ...changes,
  }
}

let key: JWK | undefined

async function agent(answer: { status: number; body: string } | Error) {
  key ??= await createPassportKey()
  const sent: CrossRequest[] = []
  const deps: ContextDeps = {
    cross: (_trip, request) => {
      sent.push(request)
      if (answer instanceof Error) return Promise.reject(answer)
      return Promise.resolve({ status: answer.status, text: () => Promise.resolve(answer.body) } as CrossAnswer)
    },
    passports: await openPassportOffice(key, 'thinplane-control', Date.now),
    endpoint: 'http://data.test',
    place: { cloud: 'aws', region: 'us-east-1' },
    audience: 'thinplane-data',
    credential: { kind: 'none' },
    timeoutMs: 1000,
    maxBytes: 4096,
  }
  return { deps, sent }
}

test('the one call asks for what the user said last, with a passport and a bound', async () => {
  const { deps, sent } = await agent({ status: 200, body: JSON.stringify(ANSWER) })
  assert.deepEqual((await ground(deps, question(' where? '), TRIP))?.receipt.requestId, 'req-1')
  assert.equal(sent.length, 1)
  const { principal, ...rest } = asRecord(parseJson(sent[0]?.body ?? '')) ?? {}
  assert.deepEqual(rest, {
    queries: ['where?'],
    collections: ['docs'],
    topK: 4,
    maxBytes: 4096,
    deadlineMs: 800,
    sql: [],
    items: [],
  })
  assert.match(String(principal), /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/)
})

test('nothing is asked without a collection or without a question', async () => {
  const { deps, sent } = await agent({ status: 200, body: '' })
  assert.equal(await ground(deps, question('where?', []), TRIP), undefined)
  assert.equal(await ground(deps, question('   '), TRIP), undefined)
  // A passage beside texts to embed would be one more of them.
  const ask = testAsk({ ...question('where?').ask, operation: 'embed' })
  assert.equal(await ground(deps, question('', ['docs'], { ask }), TRIP), undefined)
  assert.equal(sent.length, 0)
})

test('of a long text the beginning is searched for', async () => {
  const { deps, sent } = await agent({ status: 200, body: JSON.stringify(ANSWER) })
  await ground(deps, question(`where${'?'.repeat(5000)}`), TRIP)
  assert.deepEqual(asRecord(parseJson(sent[0]?.body ?? ''))?.['queries'], [`where${'?'.repeat(1995)}`])
})

test('a caller who has gone is not told that the data plane failed', async () => {
  const gone = new CrossFault('aborted', 'the caller has gone')
  const { deps } = await agent(gone)
  await assert.rejects(ground(deps, question('where?'), TRIP), gone)
})

test('queries and items are asked in the same call, and their rows become passages that are still to be screened', async () => {
  const rows = [
    {
      name: 'orders',
      columns: ['boat', 'tons'],
      rows: [
        ['Ida', 3],
        ['Una', null],
      ],
    },
  ]
  const items = [{ table: 'boats', item: { id: 'b-1', tags: ['x', 'y'] } }]
  const { deps, sent } = await agent({ status: 200, body: JSON.stringify({ ...ANSWER, rows, items }) })
  const asked = testAsk({
    messages: [],
    ground: {
      collections: ['sql:mine', 'items:boats'],
      topK: undefined,
      sql: [{ name: 'mine', params: { a: 1 } }],
      items: [{ table: 'boats', key: { id: 'b-1' } }],
    },
  })
  const own = { ask: asked, sql: [{ name: 'orders', params: {} }] }
  const found = await ground(deps, question('', ['docs', 'sql:orders', 'sql:mine', 'items:boats'], own), TRIP)
  const { principal, ...rest } = asRecord(parseJson(sent[0]?.body ?? '')) ?? {}
  assert.equal(typeof principal, 'string')
  // Nothing was said, so nothing is searched for.
  assert.deepEqual(rest, {
    queries: [],
    collections: [],
    topK: 4,
    maxBytes: 4096,
    deadlineMs: 800,
    sql: [
      { name: 'mine', params: { a: 1 } },
      { name: 'orders', params: {} },
    ],
    items: [{ table: 'boats', key: { id: 'b-1' } }],
  })
  assert.deepEqual(
    found?.passages.map(({ text, source, screened }) => [source.document, source.record, text, screened.rules]),
    [
      ['sql:orders', 1, 'boat: Ida; tons: 3\nboat: Una', ''],
      ['items:boats', 1, 'id: b-1; tags: ["x","y"]', ''],
    ],
  )
})

const REFUSED: readonly (readonly [string, { status: number; body: string } | Error, RefusalCode, string])[] = [
  [
    'a permission that is missing',
    { status: 403, body: '{"error":{"code":"CONTEXT_FORBIDDEN","message":"not yours"}}' },
    'CONTEXT_FORBIDDEN',
    'not yours',
  ],
  [
    'a collection that is not there',
    { status: 404, body: '{"error":{"code":"CONTEXT_UNKNOWN","message":"no such"}}' },
    'CONTEXT_UNKNOWN',
    'no such',
  ],
  [
    'a passport that is not accepted',
    { status: 401, body: '{"error":{"code":"IDENTITY_INVALID","message":"x"}}' },
    'CONTEXT_UNAVAILABLE',
    'the data plane answered 401',
  ],
  [
    'a value of a query that is missing',
    {
      status: 400,
      body: '{"error":{"code":"WIRE_MALFORMED","message":"`sql[0].params.a` is missing","param":"sql[0].params.a"}}',
    },
    'WIRE_MALFORMED',
    '`thinplane.ground`: `sql[0].params.a` is missing',
  ],
  [
    'a malformed request of our own',
    { status: 400, body: '{"error":{"code":"WIRE_MALFORMED","message":"x","param":"topK"}}' },
    'CONTEXT_UNAVAILABLE',
    'the data plane answered 400',
  ],
  ['an error page', { status: 502, body: '<html>' }, 'CONTEXT_UNAVAILABLE', 'the data plane answered 502'],
  [
    'garbage',
    { status: 200, body: '{"passages":7}' },
    'CONTEXT_UNAVAILABLE',
    'the data plane answered in a form that is not known',
  ],
  ['no answer', new CrossFault('connect', 'no connection'), 'CONTEXT_UNAVAILABLE', 'the data plane gave no answer'],
]

for (const [what, answer, code, message] of REFUSED) {
  test(`${what} is ${code}`, async () => {
    const { deps } = await agent(answer)
    await assert.rejects(ground(deps, question('where?'), TRIP), (error: unknown) => {
      assert.ok(error instanceof Refusal)
      assert.deepEqual([error.code, error.message], [code, message])
      return true
    })
  })
}

test('a collection without a data plane is said to be that', async () => {
  await assert.rejects(
    ground(undefined, question('where?'), TRIP),
    /no data plane is configured, so collections can not be read/,
  )
})
