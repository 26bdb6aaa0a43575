import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { duckdbEngine } from '#dataplane/facts/duckdb.ts'
import type { NamedQuery } from '#dataplane/facts/facts.ts'
import { glueTable } from '#dataplane/facts/glue-table.ts'
import type { GlueTableOptions } from '#dataplane/facts/glue-table.ts'
import { awsWorld, BUCKET } from './aws-world.ts'
import type { AwsWorld } from './aws-world.ts'

const skip = await import('@duckdb/node-api').then(
  () => false as const,
  () => 'DuckDB is not installed',
)

async function lake(t: TestContext, changes: Partial<GlueTableOptions> = {}) {
  const world = await awsWorld(t)
  const { catalogue } = world.sim
  catalogue.createDatabase('sales')
  const key = { name: 'year', type: 'string' }
  catalogue.createTable('sales', 'orders', {
    location: `s3://${BUCKET}/orders/`,
    format: 'parquet',
    columns: [
      { name: 'id', type: 'bigint' },
      { name: 'total', type: 'double' },
    ],
    partitionKeys: [key],
  })
  catalogue.createTable('sales', 'boats', {
    location: `s3://${BUCKET}/boats`,
    format: 'csv',
    headerLines: 1,
    columns: [
      { name: 'name', type: 'string' },
      { name: 'tons', type: 'int' },
    ],
  })
  put(world, '2025', 1, [1, 2])
  put(world, '2026', 1, [3])
  world.put('boats/a.csv', 'name,tons\n"Ida, the old",7\nAda,\n')
  world.put('boats/_SUCCESS', 'x')
  const clock = { now: 0 }
  const common = { database: 'sales', maxBytes: 1e6, refreshMs: 60_000, now: () => clock.now, ...changes }
  const tableOf = (table: string) => glueTable(world.aws, { table, ...common, cache: join(world.folder, table) })
  const engine = duckdbEngine({ tables: { orders: tableOf('orders'), boats: tableOf('boats') } })
  t.after(async () => await engine.close())
  const run = async (sql: string) => {
    const query: NamedQuery = {
      name: 'q',
      title: '',
      sql,
      params: {},
      readers: { roles: [], groups: [] },
      maxRows: 50,
      engine,
    }
    return (await engine.run(query, {}, new AbortController().signal)).rows
  }
  return { world, clock, run }
}

function put(world: AwsWorld, year: string, part: number, ids: readonly number[]): void {
  const bytes = parquetWriteBuffer({
    columnData: [
      { name: 'id', data: ids.map(BigInt), type: 'INT64' },
      { name: 'total', data: ids.map((id) => id / 2), type: 'DOUBLE' },
    ],
  })
  world.put(`orders/year=${year}/${part}.parquet`, new Uint8Array(bytes))
}

const ALL = 'SELECT id, total, year FROM orders ORDER BY id'

test('tables of the catalog are read with their partitions and types, hidden files aside', { skip }, async (t) => {
  const { run } = await lake(t)
  assert.deepEqual(await run(ALL), [
    [1, 0.5, '2025'],
    [2, 1, '2025'],
    [3, 1.5, '2026'],
  ])
  assert.deepEqual(await run('SELECT name, tons FROM boats ORDER BY name'), [
    ['Ada', null],
    ['Ida, the old', 7],
  ])
})

test('what is new is seen after a while, what is gone as well, and nothing is fetched twice', { skip }, async (t) => {
  const { world, clock, run } = await lake(t)
  await run(ALL)
  const gets = () => world.sim.requests.last('s3').filter(({ target }) => target.includes('.parquet')).length
  const before = gets()
  put(world, '2026', 2, [9])
  world.remove('orders/year=2025/1.parquet')
  assert.equal((await run(ALL)).length, 3)
  assert.equal(gets(), before)
  clock.now += 61_000
  assert.deepEqual(
    (await run(ALL)).map(([id]) => id),
    [3, 9],
  )
  assert.equal(gets(), before + 1)
})

test('partitions can be chosen, a table may be empty, and one that is too large is refused', { skip }, async (t) => {
  const chosen = await lake(t, { partitions: "year = '2026'" })
  assert.deepEqual(await chosen.run('SELECT id FROM orders'), [[3]])
  const empty = await lake(t, { partitions: "year = '1999'" })
  assert.deepEqual(await empty.run('SELECT id FROM orders'), [])
  const large = await lake(t, { maxBytes: 10 })
  await assert.rejects(large.run('SELECT id FROM orders'), {
    name: 'FactError',
    message: /narrow `partitions`, or ask Athena/,
  })
})

test(
  'a catalog without the table, and files that are not what it says, are faults of the query',
  { skip },
  async (t) => {
    const { world, run } = await lake(t, { database: 'nothing' })
    await assert.rejects(run('SELECT 1'), { name: 'FactError', message: /can not be read \(EntityNotFoundException\)/ })
    const broken = await lake(t)
    broken.world.put('orders/year=2026/1.parquet', 'no parquet')
    await assert.rejects(broken.run(ALL), { name: 'FactError', message: /`orders` are not what the catalog says/ })
    assert.equal(world.faults.length, 0)
  },
)
