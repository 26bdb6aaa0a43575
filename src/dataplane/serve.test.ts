import type { ContextAnswer } from '#contract/context.ts'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { FactError } from './facts/facts.ts'
import type { ItemTable, NamedQuery, QueryEngine } from './facts/facts.ts'
import type { ParamValues } from '#kit/sql-template.ts'
import { startDataPlane } from './serve.ts'
import type { DataPlane } from './serve.ts'
import {
  AUDIENCE,
  collectionOf,
  createMinter,
  createWordEmbedder,
  folderWith,
  ISSUER,
  NOW_EPOCH_MS,
  skipWithoutIndex,
} from './test-agent.ts'

/** What the engine below was asked, by name. */
const asked = new Map<string, ParamValues>()

/** Answers with what it was given; `slow` answers when it is given up, `broken` never. */
const engine: QueryEngine = {
  async run({ name }, values, signal) {
    asked.set(name, values)
    if (name === 'broken') throw new FactError('the warehouse is closed', new Error('s3://secret-bucket'))
    if (name === 'slow') await once(signal, 'abort')
    return {
      columns: ['boat', 'tons'],
      rows: [
        ['Ida', 3],
        ['Ada', null],
        ['Una', 7],
      ],
      notes: [],
    }
  },
  async close() {
    closed += 1
    await Promise.resolve()
  },
}
let closed = 0

const QUERIES: readonly NamedQuery[] = ['orders', 'slow', 'broken'].map((name) => ({
  name,
  title: name,
  sql: 'SELECT',
  params: name === 'orders' ? { harbour: { type: 'text' }, owner: { type: 'text', from: 'tenant' } } : {},
  readers: { roles: [], groups: [] },
  maxRows: 2,
  engine,
}))

const boats: ItemTable = {
  name: 'boats',
  title: 'Boats',
  key: { id: { type: 'text' } },
  attributes: ['id', 'tons'],
  readers: { roles: ['sailor'], groups: [] },
  owner: { attribute: 'owner', from: 'tenant' },
  get: async (keys) =>
    await Promise.resolve(
      keys.map(({ id }) =>
        id === 'none' ? undefined : { id, tons: 3, owner: id === 'theirs' ? 'globex' : 'nordwind' },
      ),
    ),
}

const BOATS = {
  queries: [],
  collections: [],
  items: ['ours', 'theirs', 'none'].map((id) => ({ table: 'boats', key: { id } })),
}
const MAY_ALL = { collections: ['docs', 'sql:orders', 'sql:slow', 'sql:broken', 'items:boats'], roles: ['sailor'] }

const minter = await createMinter()
const faults: unknown[] = []
const factFaults: FactError[] = []
let plane: DataPlane

const answerShape = z.custom<ContextAnswer>(
  (value) => typeof value === 'object' && value !== null && 'passages' in value,
)
const errorShape = z.object({
  error: z.object({ code: z.string(), message: z.string(), param: z.string().optional() }),
})

before(async () => {
  if (skipWithoutIndex !== false) return
  const open = await folderWith({
    'wind.md': '# Wind\n\nThe anemometer measures the wind.\n',
    'people/pay.md': '# Pay\n\nThe salary of a lighthouse keeper is 40,000 crowns.\n',
    'long.txt': Array.from({ length: 40 }, (_, at) =>
      `Buoy ${at} lies in the channel number ${at * 7}. `.repeat(12),
    ).join('\n\n'),
  })
  const closed = await folderWith({ 'board.md': 'The board meets in the lighthouse.' })
  plane = await startDataPlane({
    issuer: ISSUER,
    fetchKeys: async () => await Promise.resolve(minter.jwks),
    dataDir: await folderWith({}),
    collections: [
      collectionOf(open, { rules: [{ documents: 'people/**', roles: ['people'], groups: [] }] }),
      collectionOf(closed, { name: 'board', readers: { roles: [], groups: ['board'] } }),
    ],
    tenants: ['nordwind'],
    maxAnswerBytes: 12_000,
    facts: { queries: new Map(QUERIES.map((query) => [query.name, query])), tables: new Map([['boats', boats]]) },
    now: () => NOW_EPOCH_MS,
    embedder: createWordEmbedder(),
    onFault: (error) => {
      if (error instanceof FactError) factFaults.push(error)
      else faults.push(error)
    },
  })
  await plane.ready
})

after(async () => {
  if (skipWithoutIndex !== false) return
  await plane.close()
  assert.deepEqual(faults, [])
})

async function post(body: string | Uint8Array<ArrayBuffer>, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(`${plane.url}/v1/context`, { method: 'POST', body, headers })
  const json: unknown = await response.json()
  return { response, json }
}

async function ask(changes: Readonly<Record<string, unknown>> = {}, claims: Readonly<Record<string, unknown>> = {}) {
  const principal = await minter.mint(claims)
  const defaults = {
    queries: ['What does the anemometer measure?'],
    collections: ['docs'],
    topK: 5,
    maxBytes: 65_536,
    sql: [],
    items: [],
  }
  return await post(JSON.stringify({ ...defaults, principal, ...changes }))
}

async function refusal(asked: ReturnType<typeof post>) {
  const { response, json } = await asked
  return { status: response.status, ...errorShape.parse(json).error }
}

test('an answer has the passage, its source, a receipt and spans', { skip: skipWithoutIndex }, async () => {
  const { response, json } = await ask({}, { jti: 'request-of-receipt' })
  assert.equal(response.status, 200)
  const answer = answerShape.parse(json)
  const [passage] = answer.passages
  assert.ok(passage)
  assert.deepEqual(passage.source, {
    collection: 'docs',
    document: 'wind.md',
    title: 'Wind',
    heading: 'Wind',
    page: 0,
    record: 0,
    lastRecord: 0,
    start: 0,
    end: 41,
  })
  assert.equal(passage.tokens, Math.ceil(passage.text.length / 4))
  const { bytes, ...receipt } = answer.receipt
  assert.deepEqual(receipt, {
    agent: AUDIENCE,
    requestId: 'request-of-receipt',
    subject: 'user-1',
    tenant: 'nordwind',
    reads: answer.passages.map(({ text, source }) => ({
      collection: 'docs',
      document: source.document,
      digest: createHash('sha256').update(text).digest('hex'),
    })),
    atEpochMs: NOW_EPOCH_MS,
    missing: [],
  })
  assert.equal(bytes, Buffer.byteLength(JSON.stringify(answer.passages)))
  assert.deepEqual(answer.spans.map(({ name }) => name).toSorted(), ['embed', 'fulltext', 'fuse', 'vector'])
  assert.deepEqual(answer.missing, [])
})

test(
  'a protected document is given to its readers only, also as the only match',
  { skip: skipWithoutIndex },
  async () => {
    const queries = ['salary lighthouse keeper crowns']
    const documents = async (roles: readonly string[]) =>
      answerShape.parse((await ask({ queries }, { roles })).json).passages.map(({ source }) => source.document)
    assert.deepEqual(await documents([]), [])
    assert.deepEqual(await documents(['people']), ['people/pay.md'])
  },
)

test('a question about nothing gives no passages', { skip: skipWithoutIndex }, async () => {
  const { json } = await ask({ queries: ['Who won the football cup?'] })
  assert.deepEqual(answerShape.parse(json).passages, [])
})

test('an answer keeps to its bytes and says what it left out', { skip: skipWithoutIndex }, async () => {
  const { json } = await ask({ queries: ['buoy channel number'], topK: 20, maxBytes: 6000 })
  const answer = answerShape.parse(json)
  assert.ok(answer.passages.length > 0)
  assert.ok(Buffer.byteLength(JSON.stringify(answer)) <= 6000)
  assert.match(answer.missing.join(), /of the passages found did not fit into 6000 bytes/)
})

test('an answer keeps to the bytes of the agent and the tokens of the caller', { skip: skipWithoutIndex }, async () => {
  const queries = ['buoy channel number']
  const most = answerShape.parse((await ask({ queries, topK: 20 })).json)
  assert.match(most.missing.join(), /of the passages found did not fit into 12000 bytes/)
  const maxTokens = 700
  const few = answerShape.parse((await ask({ queries, topK: 20, maxTokens })).json)
  const tokens = few.passages.reduce((sum, passage) => sum + passage.tokens, 0)
  assert.ok(few.passages.length < most.passages.length)
  assert.ok(few.passages.length === 1 || tokens <= maxTokens)
})

test(
  'more requests at once than it can serve are refused, and the next is served',
  { skip: skipWithoutIndex },
  async () => {
    const body = { queries: [], collections: [], sql: [{ name: 'slow' }], deadlineMs: 1500 }
    const answers = await Promise.all(Array.from({ length: 66 }, async () => await ask(body, MAY_ALL)))
    const refused = answers.filter(({ response }) => response.status !== 200)
    assert.deepEqual(
      refused.map(({ response, json }) => [
        response.status,
        response.headers.get('retry-after'),
        errorShape.parse(json).error.message,
      ]),
      [1, 2].map(() => [503, '1', 'more than 64 requests are open']),
    )
    assert.equal((await ask()).response.status, 200)
  },
)

test('rows and items come in the same answer, with their reads', { skip: skipWithoutIndex }, async () => {
  const sql = [{ name: 'orders', params: { harbour: "Kiel'; DROP TABLE boats --" } }]
  const { response, json } = await ask({ sql, items: BOATS.items }, MAY_ALL)
  assert.equal(response.status, 200)
  const answer = answerShape.parse(json)
  assert.equal(answer.passages[0]?.source.document, 'wind.md')
  assert.deepEqual(answer.rows, [
    {
      name: 'orders',
      columns: ['boat', 'tons'],
      rows: [
        ['Ida', 3],
        ['Ada', null],
      ],
    },
  ])
  // Values reach the engine as they are, and the tenant is the caller's own.
  assert.deepEqual(asked.get('orders'), { harbour: "Kiel'; DROP TABLE boats --", owner: 'nordwind' })
  assert.deepEqual(answer.items, [{ table: 'boats', item: { id: 'ours', tons: 3 } }])
  assert.deepEqual(answer.missing, [
    'query `orders`: the first 2 rows are there, it has more',
    'table `boats`: 2 of the items are not there',
  ])
  const reads = answer.receipt.reads.slice(answer.passages.length)
  assert.deepEqual(
    reads.map(({ collection, digest }) => [collection, digest]),
    [
      ['sql:orders', createHash('sha256').update(JSON.stringify(answer.rows[0]?.rows)).digest('hex')],
      ['items:boats', createHash('sha256').update(JSON.stringify(answer.items[0]?.item)).digest('hex')],
    ],
  )
  assert.doesNotMatch(JSON.stringify(reads), /Kiel|ours/)
  const names = answer.spans.map(({ name }) => name)
  assert.ok(names.includes('sql orders') && names.includes('items boats'))
})

test('what is late or broken is missing, and the rest is there in time', { skip: skipWithoutIndex }, async () => {
  const sql = [{ name: 'slow' }, { name: 'broken' }]
  const startedMs = performance.now()
  const { json } = await ask({ sql, deadlineMs: 800 }, MAY_ALL)
  const ms = performance.now() - startedMs
  assert.ok(ms < 1200, `${ms} ms`)
  const answer = answerShape.parse(json)
  assert.equal(answer.passages[0]?.source.document, 'wind.md')
  assert.deepEqual(answer.rows, [])
  assert.deepEqual(answer.missing.toSorted(), [
    'the query `broken` can not be read: the warehouse is closed',
    'the query `slow` was not answered within 780 ms',
  ])
  // The cause is for whoever runs the agent.
  assert.deepEqual(
    factFaults.map(({ message, cause }) => [message, String(cause)]),
    [['the warehouse is closed', 'Error: s3://secret-bucket']],
  )
})

test('each wrong passport, collection and permission has its code', { skip: skipWithoutIndex }, async () => {
  const iat = NOW_EPOCH_MS / 1000
  const stranger = await createMinter()
  const principal = await minter.mint()
  assert.equal((await ask({ principal })).response.status, 200)
  const rows: readonly [ReturnType<typeof post>, number, string, RegExp][] = [
    [ask({ principal }), 401, 'IDENTITY_INVALID', /used before/],
    [ask({}, { iat: iat - 100, exp: iat - 40 }), 401, 'IDENTITY_EXPIRED', /expired/],
    [ask({ principal: await stranger.mint() }), 401, 'IDENTITY_INVALID', /not a valid token/],
    [ask({ principal: '' }), 401, 'IDENTITY_MISSING', /no passport/],
    [ask({ collections: ['nothing'] }), 404, 'CONTEXT_UNKNOWN', /this agent has `docs`, `board`/],
    [ask({ collections: ['board'] }), 403, 'CONTEXT_FORBIDDEN', /passport does not name/],
    [
      ask({ collections: ['docs', 'board'] }, { collections: ['docs', 'board'] }),
      403,
      'CONTEXT_FORBIDDEN',
      /no role or group/,
    ],
    [ask({ sql: [{ name: 'n' }] }), 404, 'CONTEXT_UNKNOWN', /this agent has `orders`, `slow`, `broken`/],
    [ask({ items: [{ table: 'n', key: {} }] }), 404, 'CONTEXT_UNKNOWN', /this agent has `boats`/],
    [ask({ sql: [{ name: 'orders' }] }), 403, 'CONTEXT_FORBIDDEN', /passport does not name the query `orders`/],
    [ask(BOATS), 403, 'CONTEXT_FORBIDDEN', /passport does not name the table `boats`/],
    [ask(BOATS, { collections: ['docs', 'items:boats'], roles: [] }), 403, 'CONTEXT_FORBIDDEN', /no role or group/],
    [ask({ sql: [{ name: 'orders' }] }, MAY_ALL), 400, 'WIRE_MALFORMED', /`sql\[0\].params.harbour` is missing/],
    [
      ask({ sql: [{ name: 'orders', params: { harbour: 'x', owner: 'globex' } }] }, MAY_ALL),
      400,
      'WIRE_MALFORMED',
      /`sql\[0\].params.owner` is not one of its parameters: harbour/,
    ],
    [ask({}, { tenant: 'globex' }), 403, 'CONTEXT_FORBIDDEN', /of a tenant that this agent does not serve/],
    [post('{'), 400, 'WIRE_MALFORMED', /not JSON/],
    [post(new Uint8Array([0xff, 0xff])), 400, 'WIRE_MALFORMED', /not UTF-8/],
    [post('x'.repeat(300_000)), 413, 'WIRE_TOO_LARGE', /262144/],
    [post('{}', { 'content-encoding': 'gzip' }), 400, 'WIRE_UNSUPPORTED', /compressed/],
  ]
  for (const [asked, status, code, message] of rows) {
    const got = await refusal(asked)
    assert.deepEqual([got.status, got.code], [status, code])
    assert.match(got.message, message)
  }
})

test('a group opens its collection, and one answer draws on several', { skip: skipWithoutIndex }, async () => {
  const claims = { collections: ['docs', 'board'], groups: ['board'] }
  const queries = ['anemometer measures wind', 'board meets lighthouse']
  const { json } = await ask({ queries, collections: ['docs', 'board'] }, claims)
  const found = answerShape.parse(json).passages.map(({ source }) => `${source.collection}/${source.document}`)
  assert.deepEqual(found.toSorted(), ['board/board.md', 'docs/wind.md'])
})

test('answers are compressed as the client can take them', { skip: skipWithoutIndex }, async () => {
  const encodingFor = async (accepted: string) => {
    const body = JSON.stringify({
      queries: ['buoy channel'],
      collections: ['docs'],
      topK: 9,
      maxBytes: 65_536,
      principal: await minter.mint(),
    })
    const { promise, resolve } = Promise.withResolvers<string | undefined>()
    const sent = httpRequest(
      `${plane.url}/v1/context`,
      { method: 'POST', headers: { 'accept-encoding': accepted } },
      (response) => {
        resolve(response.headers['content-encoding'])
        response.resume()
      },
    )
    sent.end(body)
    return await promise
  }
  assert.equal(await encodingFor('gzip, deflate, br'), 'br')
  assert.equal(await encodingFor('br;q=0, gzip'), 'gzip')
  assert.equal(await encodingFor('identity'), undefined)
})

test('health, the list of collections and unknown paths', { skip: skipWithoutIndex }, async () => {
  assert.equal((await fetch(`${plane.url}/livez`)).status, 200)
  assert.equal((await fetch(`${plane.url}/readyz`)).status, 200)
  const listed = await (await fetch(`${plane.url}/v1/collections`)).text()
  assert.match(
    listed,
    /"name":"docs","title":"Documents","source":"folder [^"]+","documents":3,"passages":\d+,"failed":0,"deleted":0,"state":"current"/,
  )
  assert.doesNotMatch(listed, /anemometer/)
  const unknown = await fetch(`${plane.url}/v2/context`)
  assert.equal(unknown.status, 404)
  assert.equal(errorShape.parse(await unknown.json()).error.code, 'WIRE_NOT_FOUND')
})

test('callers who go away or talk nonsense leave the agent well', { skip: skipWithoutIndex }, async () => {
  const { port } = new URL(plane.url)
  const answers = [
    'POST /v1/context HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"que',
    'nonsense\r\n\r\n',
    `GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
  ].map(async (bytes, at) => {
    const { promise, resolve } = Promise.withResolvers<string>()
    let text = ''
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.write(bytes)
      if (at === 0) setTimeout(() => socket.destroy(), 20)
    })
    socket.on('data', (data) => (text += data.toString()))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text))
    return await promise
  })
  const [, nonsense, headers] = await Promise.all(answers)
  assert.match(nonsense ?? '', /^HTTP\/1\.1 400 .*WIRE_MALFORMED/s)
  assert.match(headers ?? '', /^HTTP\/1\.1 413 .*WIRE_TOO_LARGE/s)
  assert.equal((await ask()).response.status, 200)
})

test('an agent that can not load says why, and closes', { skip: skipWithoutIndex }, async () => {
  const lost = await startDataPlane({
    issuer: ISSUER,
    fetchKeys: async () => await Promise.resolve(minter.jwks),
    dataDir: await folderWith({}),
    collections: [collectionOf('/nowhere/at/all')],
    facts: { queries: new Map(QUERIES.map((query) => [query.name, query])), tables: new Map() },
    embedder: createWordEmbedder(),
  })
  await assert.rejects(lost.ready, /ENOENT/)
  const readiness = await fetch(`${lost.url}/readyz`)
  assert.equal(readiness.status, 503)
  assert.match(await readiness.text(), /"reason":"the index can not be loaded: ENOENT/)
  const asked = await fetch(`${lost.url}/v1/context`, { method: 'POST', body: '{}' })
  assert.deepEqual([asked.status, errorShape.parse(await asked.json()).error.code], [503, 'CONTEXT_UNAVAILABLE'])
  await lost.close()
  // Three queries, one engine.
  assert.equal(closed, 1)
})
