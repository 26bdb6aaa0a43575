import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDataSources } from '#bin/data-sources.ts'
import { loadConfig } from '#config/load.ts'
import { startDataPlane } from '#dataplane/serve.ts'
import { freePort } from '#bin/free-port.ts'
import { asRecord, asText, asList, parseJson } from '#kit/json.ts'
import { errorOf, post, withPlane } from '../plane.ts'
import type { Plane } from '../plane.ts'

const skip = await Promise.all([import('@duckdb/node-api'), import('@lancedb/lancedb')]).then(
  () => false as const,
  () => 'the data plane’s packages are not installed',
)

const ORDERS = `id,tenant,customer,email,tons
1,test,Ida Lindqvist,ida.lindqvist@example.com,30
2,test,Ida Lindqvist,ida.lindqvist@example.com,12
3,globex,Ida Lindqvist,ida.lindqvist@globex.example,99
`

/** A control plane and an agent whose query reads a file of orders. */
async function withFacts(run: (plane: Plane) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-facts-'))
  await writeFile(join(folder, 'orders.csv'), ORDERS)
  const port = await freePort(0)
  try {
    await withPlane(
      {
        change: (config) => {
          config['context'] = { endpoint: `http://127.0.0.1:${port}` }
          config['dataPlane'] = {
            port,
            jwksUrl: 'http://127.0.0.1:9/.well-known/jwks.json',
            data: join(folder, 'data-plane'),
            queries: {
              orders: {
                sql: 'SELECT id, customer, email, tons FROM orders WHERE customer = :customer AND tenant = :tenant',
                params: { customer: {}, tenant: { from: 'tenant' } },
                duckdb: { tables: { orders: { path: join(folder, 'orders.csv') } } },
              },
            },
          }
          for (const alias of Object.values(config.aliases)) alias['collections'] = []
        },
      },
      async (plane) => {
        const loaded = await loadConfig(plane.file)
        assert.ok(loaded.config.dataPlane)
        const faults: unknown[] = []
        const { dataDir, collections, facts, engine, embedder } = openDataSources(
          { ...loaded, dataPlane: loaded.config.dataPlane },
          process.env,
          (error) => faults.push(error),
        )
        const agent = await startDataPlane({
          port,
          issuer: loaded.config.dataPlane.issuer,
          fetchKeys: async () => await (await fetch(`${plane.url}/.well-known/jwks.json`)).json(),
          dataDir,
          collections,
          facts,
          engine,
          embedder,
          onFault: (error) => faults.push(error),
        })
        try {
          await agent.ready
          await run(plane)
          assert.deepEqual(faults, [])
        } finally {
          await agent.close()
        }
      },
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const body = (sql: unknown) =>
  JSON.stringify({
    model: 'chat',
    messages: [{ role: 'user', content: 'How many tons did she order, and under which address?' }],
    thinplane: { ground: { sql } },
  })

test(
  'rows ground an answer: the model sees placeholders, the caller the values, the entry what was read',
  { skip },
  async () => {
    await withFacts(async (plane) => {
      const asked = body([{ name: 'orders', params: { customer: 'Ida Lindqvist' } }])
      const answer = await post(plane.url, '/v1/chat/completions', plane.key, asked)
      assert.equal(answer.status, 200, answer.text)
      const seen = plane.clouds.requests.last('cloud-run').at(-1)?.body ?? ''
      // The row of another tenant is not there, and no address is.
      assert.match(seen, /source: sql:orders \(records 1 to 2\)/)
      assert.match(seen, /tons: 30.*tons: 12/)
      assert.doesNotMatch(seen, /tons: 99|@example\.com|globex/)
      const choice = asRecord(asList(asRecord(parseJson(answer.text))?.['choices'])[0])
      assert.match(asText(asRecord(choice?.['message'])?.['content']) ?? '', /ida\.lindqvist@example\.com/)
      const entry = await plane.entry(answer.headers.get('x-request-id') ?? '')
      assert.deepEqual(entry.policy.collections, ['sql:orders'])
      assert.equal(entry.crossings.filter(({ layer }) => layer === 'data').length, 1)
      const reads = entry.receipt?.reads ?? []
      assert.deepEqual(
        reads.map(({ collection, digest }) => [collection, digest.length]),
        [['sql:orders', 64]],
      )
      assert.doesNotMatch(JSON.stringify(entry), /Lindqvist/)
    })
  },
)

test('the admin API says what the data plane holds, and says so when it does not answer', { skip }, async () => {
  const list = async ({ url, key }: Plane) =>
    await fetch(`${url}/admin/v1/collections`, { headers: { authorization: `Bearer ${key}` } })
  await withFacts(async (plane) => {
    const answer = await list(plane)
    assert.equal(answer.status, 200)
    const listing = asRecord(await answer.json())
    assert.deepEqual([listing?.['collections'], listing?.['queries']], [[], [{ name: 'orders', title: '' }]])
  })
  await withPlane({}, async (plane) => assert.equal((await list(plane)).status, 503))
})

test('a query that is not there, a value that is missing, and a secret among the values', { skip }, async () => {
  await withFacts(async (plane) => {
    const ask = async (sql: unknown) => {
      const answer = await post(plane.url, '/v1/chat/completions', plane.key, body(sql))
      return [answer.status, errorOf(answer).code, errorOf(answer).message] as const
    }
    const [unknown, missing, secret] = [
      await ask([{ name: 'nothing' }]),
      await ask([{ name: 'orders' }]),
      await ask([{ name: 'orders', params: { customer: `AKIA${'IOSFODNN7EXAMPLE'}` } }]),
    ]
    assert.deepEqual(unknown, [
      404,
      'CONTEXT_UNKNOWN',
      'there is no collection `sql:nothing`, choose one of `sql:orders`',
    ])
    assert.deepEqual(missing.slice(0, 2), [400, 'WIRE_MALFORMED'])
    assert.match(missing[2], /`sql\[0\].params.customer` is missing/)
    assert.deepEqual(secret.slice(0, 2), [400, 'GUARD_BLOCKED'])
  })
})
