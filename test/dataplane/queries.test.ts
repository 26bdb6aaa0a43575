/** The same named queries on both engines, over the same files. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { openAws } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { athenaEngine } from '#dataplane/facts/athena.ts'
import { duckdbEngine } from '#dataplane/facts/duckdb.ts'
import { FactError } from '#dataplane/facts/facts.ts'
import type { Cell, NamedQuery, QueryEngine } from '#dataplane/facts/facts.ts'
import type { ParamSpec } from '#dataplane/facts/params.ts'
import type { ParamValues } from '#kit/sql-template.ts'
import { startAws } from '#simclouds/start-aws.ts'
import type { RunningAws } from '#simclouds/start-aws.ts'

const BUOYS = `SELECT * FROM (VALUES
  (1, 'Ida', DATE '2026-01-02', 9.5::DOUBLE, 19.90::DECIMAL(10,2), TIMESTAMP '2026-01-02 03:04:05', true, 9007199254740993, 3::SMALLINT),
  (2, 'O''Hara "ü"', DATE '2026-02-03', 0.30000000000000004::DOUBLE, -0.05::DECIMAL(10,2), TIMESTAMP '2026-02-03 10:00:00.25', false, -7, 7::SMALLINT),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, '', DATE '1999-12-31', 1e21::DOUBLE, 12345678.90::DECIMAL(10,2), TIMESTAMP '1999-12-31 23:59:59.999', true, 0, -1::SMALLINT),
  (5, 'a%b_c\\d?', DATE '2026-03-04', 'NaN'::DOUBLE, 0::DECIMAL(10,2), TIMESTAMP '2026-03-04 00:00:00', false, 4, 0::SMALLINT)
) AS t(id, name, day, depth, price, seen, lit, big, small)`

const VISITS = ['{"buoy":1,"who":"kim"}', '{"buoy":1,"who":"bo"}', '{"buoy":2,"who":null}', '{"buoy":9,"who":"x"}']

let folder: string
let sim: RunningAws
let aws: Aws
let engines: Readonly<Record<string, QueryEngine>>

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'queries-'))
  await writeParquet(join(folder, 'buoys.parquet'))
  await writeFile(join(folder, 'visits.jsonl'), `${VISITS.join('\n')}\n`)
  sim = await startAws()
  const { accessKeyId, secretAccessKey, region, urls } = sim
  aws = openAws({ region, keys: { accessKeyId, secretAccessKey }, endpoints: urls })
  await fillLake()
  engines = {
    athena: athenaEngine(aws, {
      workgroup: 'primary',
      catalog: 'AwsDataCatalog',
      database: 'sea',
      reuseMinutes: 0,
      maxScannedBytes: 1e9,
    }),
    duckdb: duckdbEngine({
      tables: { buoys: join(folder, 'buoys.parquet'), visits: join(folder, 'visits.jsonl') },
    }),
  }
})

after(async () => {
  for (const engine of Object.values(engines)) await engine.close()
  aws.close()
  await sim.close()
  await rm(folder, { recursive: true, force: true })
})

async function writeParquet(path: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  await connection.run(`COPY (${BUOYS}) TO '${path}'`)
  connection.closeSync()
  instance.closeSync()
}

async function fillLake(): Promise<void> {
  const bucket = sim.s3.createBucket('lake')
  for (const [key, file] of [
    ['buoys/1.parquet', 'buoys.parquet'],
    ['visits/1.jsonl', 'visits.jsonl'],
  ] as const) {
    const bytes = await readFile(join(folder, file))
    const content = {
      size: bytes.length,
      read: (from: number, to: number) => bytes.subarray(from, to),
      isGenerated: false,
    }
    bucket.put(key, { content, etag: '"1"', headers: {}, checksum: undefined, lock: undefined })
  }
  sim.catalogue.createDatabase('sea')
  sim.catalogue.createTable('sea', 'buoys', {
    location: 's3://lake/buoys/',
    format: 'parquet',
    columns: Object.entries({
      id: 'int',
      name: 'string',
      day: 'date',
      depth: 'double',
      price: 'decimal(10,2)',
      seen: 'timestamp',
      lit: 'boolean',
      big: 'bigint',
      small: 'smallint',
    }).map(([name, type]) => ({ name, type })),
  })
  sim.catalogue.createTable('sea', 'visits', {
    location: 's3://lake/visits/',
    format: 'json',
    columns: [
      { name: 'buoy', type: 'int' },
      { name: 'who', type: 'string' },
    ],
  })
}

interface Shared {
  readonly what: string
  readonly sql: string
  readonly params?: Readonly<Record<string, ParamSpec>>
  readonly values?: ParamValues
  readonly maxRows?: number
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
}

const byName = (name: string, id: number | undefined): Shared => ({
  what: `a text that says ${JSON.stringify(name)}`,
  sql: 'SELECT id FROM buoys WHERE name = :name',
  params: { name: { type: 'text' } },
  values: { name },
  columns: ['id'],
  rows: id === undefined ? [] : [[id]],
})

const SHARED: readonly Shared[] = [
  {
    what: 'values of every type, NULL and numbers that JSON would lose',
    sql: 'SELECT id, name, day, depth, price, seen, lit, big, small FROM buoys ORDER BY id',
    columns: ['id', 'name', 'day', 'depth', 'price', 'seen', 'lit', 'big', 'small'],
    rows: [
      [1, 'Ida', '2026-01-02', 9.5, 19.9, '2026-01-02 03:04:05', true, '9007199254740993', 3],
      [2, 'O\'Hara "ü"', '2026-02-03', 0.30000000000000004, -0.05, '2026-02-03 10:00:00.25', false, -7, 7],
      [3, null, null, null, null, null, null, null, null],
      [4, '', '1999-12-31', 1e21, 12345678.9, '1999-12-31 23:59:59.999', true, 0, -1],
      [5, 'a%b_c\\d?', '2026-03-04', 'NaN', 0, '2026-03-04 00:00:00', false, 4, 0],
    ],
  },
  {
    what: 'a join, groups and sums',
    sql: `SELECT b.name AS name, count(*) AS visits, count(v.who) AS named, sum(b.big) AS total, 7 / 2 AS half,
          avg(b.small) AS mean FROM buoys b JOIN visits v ON v.buoy = b.id GROUP BY b.name ORDER BY b.name`,
    columns: ['name', 'visits', 'named', 'total', 'half', 'mean'],
    rows: [
      ['Ida', 2, 2, '18014398509481986', 3, 3],
      ['O\'Hara "ü"', 1, 0, -7, 3, 7],
    ],
  },
  byName('Ida', 1),
  byName('O\'Hara "ü"', 2),
  byName("' OR '1'='1", undefined),
  byName("Ida'; DROP TABLE buoys --", undefined),
  byName('', 4),
  byName('a%b_c\\d?', 5),
  byName('NULL', undefined),
  {
    what: 'dates, times, numbers and booleans',
    sql: `SELECT id FROM buoys WHERE day >= :since AND seen < :before AND depth > :depth AND price < :price
          AND lit = :lit AND big >= :big ORDER BY id`,
    params: {
      since: { type: 'date' },
      before: { type: 'timestamp' },
      depth: { type: 'number' },
      price: { type: 'number' },
      lit: { type: 'boolean' },
      big: { type: 'integer' },
    },
    values: { since: '2026-01-01', before: '2026-11-25 10:30', depth: 0.5, price: 19.95, lit: true, big: -3 },
    columns: ['id'],
    rows: [[1]],
  },
  {
    what: 'numbers with exponents',
    sql: 'SELECT id FROM buoys WHERE depth >= :large AND depth > :small AND depth < 1e22 AND id = 4',
    params: { large: { type: 'number' }, small: { type: 'number' } },
    values: { large: 1e21, small: -2.5e-9 },
    columns: ['id'],
    rows: [[4]],
  },
  {
    what: 'a list',
    sql: 'SELECT id FROM buoys WHERE name IN (:names) ORDER BY id DESC',
    params: { names: { type: 'texts' } },
    values: { names: ['Ida', 'O\'Hara "ü"', 'nobody'] },
    columns: ['id'],
    rows: [[2], [1]],
  },
  {
    what: 'an empty list finds nothing',
    sql: 'SELECT id FROM buoys WHERE name IN (:names)',
    params: { names: { type: 'texts' } },
    values: { names: [] },
    columns: ['id'],
    rows: [],
  },
  {
    what: 'a parameter twice, and question marks and colons that are none',
    sql: "SELECT id, 'a ? :name' AS note FROM buoys WHERE (name = :name OR name = :name) -- :name ?\n",
    params: { name: { type: 'text' } },
    values: { name: 'Ida' },
    columns: ['id', 'note'],
    rows: [[1, 'a ? :name']],
  },
  {
    what: 'one row more than wanted, to see that there are more',
    sql: 'SELECT id FROM buoys ORDER BY id',
    maxRows: 2,
    columns: ['id'],
    rows: [[1], [2], [3]],
  },
  { what: 'no rows', sql: 'SELECT id, name FROM buoys WHERE id > 5', columns: ['id', 'name'], rows: [] },
]

function queryOf(
  engine: QueryEngine,
  { sql, params = {}, maxRows = 50 }: Pick<Shared, 'sql' | 'params' | 'maxRows'>,
): NamedQuery {
  return { name: 'q', title: '', sql, params, readers: { roles: [], groups: [] }, maxRows, engine }
}

for (const name of ['athena', 'duckdb']) {
  for (const shared of SHARED) {
    test(`${name}: ${shared.what}`, { timeout: 30_000 }, async () => {
      const engine = engines[name] ?? assert.fail()
      const result = await engine.run(queryOf(engine, shared), shared.values ?? {}, new AbortController().signal)
      assert.deepEqual(result, { columns: shared.columns, rows: shared.rows, notes: [] })
    })
  }

  test(`${name}: a thousand rows and one more`, { timeout: 30_000 }, async () => {
    const engine = engines[name] ?? assert.fail()
    const cross = Array.from({ length: 5 }, (_, at) => `buoys b${at}`).join(' CROSS JOIN ')
    const query = queryOf(engine, { sql: `SELECT b0.id AS id FROM ${cross}`, maxRows: 1000 })
    const { rows } = await engine.run(query, {}, new AbortController().signal)
    assert.equal(rows.length, 1001)
    assert.ok(rows.every(([id]) => typeof id === 'number'))
  })

  test(`${name}: a query that can not be run is a fault that repeats no value`, { timeout: 30_000 }, async () => {
    const engine = engines[name] ?? assert.fail()
    const query = queryOf(engine, {
      sql: 'SELECT CAST(:name AS integer) AS n FROM buoys',
      params: { name: { type: 'text' } },
    })
    await assert.rejects(
      engine.run(query, { name: 'secret-4711' }, new AbortController().signal),
      (error) => error instanceof FactError && !error.message.includes('4711'),
    )
  })
}
