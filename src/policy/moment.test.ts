import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClock } from './moment.ts'

test('hours and weekdays of UTC are those that the calendar tells', () => {
  const [own, told] = [createClock('UTC'), createClock('Etc/UTC')]
  for (let at = Date.UTC(1969, 11, 28); at < Date.UTC(1970, 0, 20); at += 3_600_000) assert.deepEqual(own(at), told(at))
  for (let at = Date.UTC(2026, 1, 26, 23, 59, 59); at < Date.UTC(2026, 2, 3); at += 1_799_000)
    assert.deepEqual(own(at), told(at))
})

test('a zone has its own hour, in summer and in winter', () => {
  const berlin = createClock('Europe/Berlin')
  assert.deepEqual([berlin(Date.UTC(2026, 6, 1, 22)).hour, berlin(Date.UTC(2026, 0, 1, 22)).hour], [0, 23])
  assert.deepEqual([berlin(Date.UTC(2026, 6, 1, 22)).weekday, berlin(Date.UTC(2026, 0, 1, 22)).weekday], [4, 4])
})
