import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JudgementsError, parseJudgements } from './judgements.ts'

const line = (query: string, relevant: unknown = []) => JSON.stringify({ query, relevant })

test('queries are read with their lines, defaults and alternatives', () => {
  const text = `\n${line('one', [{ document: 'a.md' }])}\r\n${JSON.stringify({
    query: ' two ',
    kind: 'typo',
    relevant: [{ document: ['b.md', 'c.md'], contains: 'x', grade: 1 }],
  })}\n${line('none')}\n`
  assert.deepEqual(parseJudgements(text), [
    { line: 2, query: 'one', kind: '', relevant: [{ documents: ['a.md'], grade: 3 }] },
    { line: 3, query: 'two', kind: 'typo', relevant: [{ documents: ['b.md', 'c.md'], contains: 'x', grade: 1 }] },
    { line: 4, query: 'none', kind: '', relevant: [] },
  ])
})

test('all wrong lines are named at once, with what to write', () => {
  const text = [
    line('fine'),
    '{"query": ',
    line('x', [{ document: 'a', grade: 4 }]),
    line('fine'),
    '{"relevant":[]}',
  ].join('\n')
  assert.throws(
    () => parseJudgements(text),
    (error) => {
      assert.ok(error instanceof JudgementsError)
      assert.equal(error.problems.length, 4)
      assert.match(error.problems[0] ?? '', /^line 2 is not JSON, write `\{"query": "…", "relevant": /)
      assert.match(error.problems[1] ?? '', /^line 3 is not understood at `relevant\.0\.grade`, write /)
      assert.equal(error.problems[2], 'line 4 asks what line 1 asks, keep one of them')
      assert.match(error.problems[3] ?? '', /^line 5 is not understood at `query`, write /)
      return true
    },
  )
})

test('unknown fields are refused: a misspelt grade must not count as the default', () => {
  assert.throws(() => parseJudgements(line('x', [{ document: 'a', grad: 1 }])), /line 1 is not understood/)
})

test('an empty file is no evaluation set, and a wrong file is not listed to its end', () => {
  assert.throws(() => parseJudgements('\n'), /^JudgementsError: the file holds no query, write /)
  assert.throws(
    () => parseJudgements('x\n'.repeat(30)),
    (error) => error instanceof JudgementsError && error.problems.at(-1) === 'and 10 more lines are wrong',
  )
})
