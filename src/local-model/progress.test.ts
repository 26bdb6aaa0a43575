import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createProgress } from './progress.ts'

function shown(isTerminal: boolean, steps: readonly number[]): string[] {
  const written: string[] = []
  const progress = createProgress({ label: 'model', totalMb: 400, write: (text) => written.push(text), isTerminal })
  for (const step of steps) progress.show(step)
  progress.end()
  return written
}

test('without a terminal there is one line for each tenth, also when steps jump', () => {
  assert.deepEqual(shown(false, [0, 10, 41, 79, 250]), [
    'model: 0 %, 0 of 400 MB\n',
    'model: 10 %, 41 of 400 MB\n',
    'model: 60 %, 250 of 400 MB\n',
    'model: 100 %, 400 of 400 MB\n',
  ])
})

test('on a terminal one line is drawn again and ended', () => {
  const written = shown(true, [200])
  assert.deepEqual(written, [
    '\rmodel [############............] 200 of 400 MB',
    '\rmodel [########################] 400 of 400 MB',
    '\n',
  ])
})

test('more bytes than were expected do not say that all is done', () => {
  assert.equal(shown(false, [500])[0], 'model: 90 %, 400 of 400 MB\n')
})
