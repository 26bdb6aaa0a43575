import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { folderWith } from '#dataplane/test-agent.ts'
import { duckdbEngine } from './duckdb.ts'
import { FactError } from './facts.ts'
import type { NamedQuery } from './facts.ts'
import type { ParamValues } from '#kit/sql-template.ts'
import type { ParamSpec } from './params.ts'

const skip = await import('@duckdb/node-api').then(
  () => false as const,
  () => 'DuckDB is not installed',
)

const folder = await folderWith({
  'orders/a.csv': "id,customer,total,day,big\n1,acme,9.5,2026-01-02,9007199254740993\n2,O'Hara,7,2026-02-03,2\n",
  'orders/b.csv': 'id,customer,total,day,big\n3,acme,1.25,2026-03-04,3\n',
  'boats.jsonl': '{"name":"Ida","tags":["a","b"]}\n{"name":"Ada","tags":null}\n',
  'secret.csv': 'a\nhidden\n',
})
const engine = duckdbEngine({ tables: { orders: join(folder, 'orders/*.csv'), boats: join(folder, 'boats.jsonl') } })
after(async () => await engine.close())

function query(sql: string, params: Readonly<Record<string, ParamSpec>> = {}): NamedQuery {
  return { name: 'q', title: '', sql, params, readers: { roles: [], groups: [] }, maxRows: 2, engine }
}

const run = async (
  sql: string,
  values: ParamValues = {},
  params: Readonly<Record<string, ParamSpec>> = {},
  signal = new AbortController().signal,
) => await engine.run(query(sql, params), values, signal)

test('a query finds rows of its files, with values of every type', { skip }, async () => {
  const params: Readonly<Record<string, ParamSpec>> = { who: { type: 'texts' }, since: { type: 'date' } }
  const sql = 'SELECT id, customer, total, day, big FROM orders WHERE customer IN (:who) AND day >= :since ORDER BY id'
  assert.deepEqual(await run(sql, { who: ['acme'], since: '2026-01-01' }, params), {
    columns: ['id', 'customer', 'total', 'day', 'big'],
    rows: [
      [1, 'acme', 9.5, '2026-01-02', '9007199254740993'],
      [3, 'acme', 1.25, '2026-03-04', 3],
    ],
    notes: [],
  })
  assert.deepEqual((await run('SELECT id FROM orders WHERE customer IN (:who)', { who: [] }, params)).rows, [])
  assert.deepEqual((await run('SELECT tags FROM boats ORDER BY name')).rows, [[null], ['["a","b"]']])
})

test('a value is a value, whatever it says', { skip }, async () => {
  const params: Readonly<Record<string, ParamSpec>> = { who: { type: 'text' } }
  const sql = 'SELECT id FROM orders WHERE customer = :who'
  assert.deepEqual((await run(sql, { who: "O'Hara" }, params)).rows, [[2]])
  assert.deepEqual((await run(sql, { who: "x' OR '1'='1" }, params)).rows, [])
})

test('nothing but the files of the tables can be read, and rows are bounded', { skip, timeout: 20_000 }, async () => {
  for (const sql of [
    `SELECT * FROM read_csv('${join(folder, 'orders/../../../etc/passwd')}')`,
    "SELECT * FROM read_text('/etc/hostname')",
    "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
    "SELECT * FROM glob('/*')",
  ]) {
    await assert.rejects(run(sql), FactError, sql)
  }
  // One more than wanted, so that the answer can say that there are more.
  assert.equal((await run('SELECT id FROM orders')).rows.length, 3)
  // Of which no more are read than that.
  assert.equal((await run('SELECT * FROM range(100000000000)')).rows.length, 3)
})

test('a query that nobody waits for is interrupted', { skip, timeout: 20_000 }, async () => {
  const gone = new AbortController()
  setTimeout(() => gone.abort(new Error('gone')), 200)
  const endless = 'SELECT count(*) FROM range(1000000000) a, range(1000) b WHERE a.range * b.range = 7'
  await assert.rejects(run(endless, {}, {}, gone.signal), /gone/)
})

test('files that are not there are a fault of the query, and only of it', { skip }, async () => {
  const lost = duckdbEngine({ tables: { a: join(folder, 'none/*.parquet') } })
  await assert.rejects(
    lost.run({ ...query('SELECT 1'), engine: lost }, {}, new AbortController().signal),
    /the files of the table `a` can not be read/,
  )
  await lost.close()
})

test('files that come later are found then', { skip }, async () => {
  const later = await folderWith({})
  const late = duckdbEngine({ tables: { a: join(later, 'a.csv') } })
  const ask = async () =>
    await late.run({ ...query('SELECT x FROM a'), engine: late }, {}, new AbortController().signal)
  await assert.rejects(ask(), FactError)
  await writeFile(join(later, 'a.csv'), 'x\n7\n')
  assert.deepEqual((await ask()).rows, [[7]])
  await late.close()
})
