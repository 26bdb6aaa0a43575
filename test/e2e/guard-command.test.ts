import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

const FOLDER = mkdtempSync(join(tmpdir(), 'guard-'))
after(() => rmSync(FOLDER, { recursive: true }))

const PASSWORD = 'kqzv7xwprt'

interface Line {
  readonly id: string
  readonly findings: readonly { readonly type: string; readonly start: number; readonly action: string }[]
  readonly redacted: string
}

function guard(args: readonly string[], input = ''): { status: number | null; lines: Line[]; errors: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['src/bin/thinplane.ts', 'guard', ...args], {
    input,
    encoding: 'utf8',
  })
  const lines = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
  return { status, lines, errors: stderr }
}

test('folders are scanned file by file; what is not text, and what others wrote, is passed over', () => {
  mkdirSync(join(FOLDER, 'deep'), { recursive: true })
  mkdirSync(join(FOLDER, 'node_modules'), { recursive: true })
  writeFileSync(join(FOLDER, 'deep/app.env'), `DB_PASSWORD=${PASSWORD}\n`)
  writeFileSync(join(FOLDER, 'plain.md'), 'nothing here\n')
  writeFileSync(join(FOLDER, 'picture.bin'), Buffer.from([1, 0, 2]))
  writeFileSync(join(FOLDER, 'node_modules/x.js'), `password = "${PASSWORD}"`)
  const { status, lines, errors } = guard([FOLDER, '--profile', 'strict'])
  assert.equal(status, 0)
  assert.deepEqual(
    lines.map(({ id }) => id.split('/').at(-1)),
    ['app.env', 'plain.md'],
  )
  assert.deepEqual(
    lines[0]?.findings.map(({ type, start, action }) => [type, start, action]),
    [['SECRET', 12, 'block']],
  )
  assert.equal(lines[0]?.redacted.includes(PASSWORD), false)
  assert.match(errors, /3 files, 1 findings, 1 passed over/)
})

test('lines are scanned as they come; one that is no text makes the answer no', () => {
  const { status, lines, errors } = guard([], `{"id":"a","text":"I am jane@example.com"}\nnot json\n`)
  assert.equal(status, 1)
  assert.equal(lines[0]?.findings[0]?.type, 'EMAIL_ADDRESS')
  assert.match(errors, /line 2 is not/)
})

test('a folder or a profile that there is not is wrong usage', () => {
  assert.equal(guard([join(FOLDER, 'nowhere')]).status, 2)
  assert.equal(guard(['--profile', 'toString']).status, 2)
})
