import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSql, renderSql } from './sql-template.ts'

const render = (sql: string, values: Parameters<typeof renderSql>[1]) =>
  renderSql(parseSql(sql), values, (_, position) => `$${position}`)

test('parameters are bound, also several times and as lists; quotes, comments and casts are left alone', () => {
  const sql = `SELECT ':no', "a:b", x::int -- :neither
    FROM t WHERE a = :a AND b IN (:list) /* :nor */ AND c = :a;`
  const { text, values } = render(sql, { a: "O'Hara", list: ['x', 'y'] })
  assert.match(text, /^SELECT ':no', "a:b", x::int\s+FROM t WHERE a = \$1 AND b IN \(\$2, \$3\)\s+AND c = \$4$/)
  assert.deepEqual(
    values.map(({ param, value }) => [param, value]),
    [
      ['a', "O'Hara"],
      ['list', 'x'],
      ['list', 'y'],
      ['a', "O'Hara"],
    ],
  )
  assert.equal(render('SELECT 1 WHERE a IN (:list)', { list: [] }).text, 'SELECT 1 WHERE a IN (NULL)')
})

const refused: readonly [string, RegExp][] = [
  ['DELETE FROM t', /must only read, and it says `delete`/],
  ['SELECT 1; SELECT 2', /one statement/],
  ['WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a', /says `insert`/],
  ["SELECT 'open", /a quote in it is not closed/],
  ['SELECT * FROM t WHERE a = ?', /write `:name`/],
  ['VALUES (1)', /must begin with SELECT or WITH/],
  ['', /must begin with SELECT or WITH/],
  ['-- SELECT 1', /must begin with SELECT or WITH/],
  ["SELECT * FROM t; ATTACH 'x'", /one statement/],
]

for (const [sql, message] of refused) {
  test(`a query that can not be one: ${sql}`, () => assert.throws(() => parseSql(sql), { name: 'SqlError', message }))
}

test('what only looks like a statement that writes is a name or a text', () => {
  assert.deepEqual(parseSql(`SELECT "set", 'drop table' AS updated_at FROM "delete" WHERE a = :a`).params, ['a'])
})
