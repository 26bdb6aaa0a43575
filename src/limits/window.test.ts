import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LimitWindow, windowAt } from './window.ts'

const rows: readonly (readonly [window: LimitWindow, at: string, start: string, end: string])[] = [
  ['minute', '2026-11-25T12:34:56.789Z', '2026-11-25T12:34:00Z', '2026-11-25T12:35:00Z'],
  ['minute', '2026-11-25T12:35:00.000Z', '2026-11-25T12:35:00Z', '2026-11-25T12:36:00Z'],
  ['hour', '2026-11-25T12:34:56Z', '2026-11-25T12:00:00Z', '2026-11-25T13:00:00Z'],
  ['day', '2026-11-25T23:59:59.999Z', '2026-11-25T00:00:00Z', '2026-11-26T00:00:00Z'],
  ['month', '2026-11-25T12:34:56Z', '2026-11-01T00:00:00Z', '2026-12-01T00:00:00Z'],
  ['month', '2026-12-31T23:59:59.999Z', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
  ['month', '2028-02-29T12:00:00Z', '2028-02-01T00:00:00Z', '2028-03-01T00:00:00Z'],
]

for (const [window, at, start, end] of rows) {
  test(`the ${window} of ${at} is that of the calendar in UTC`, () => {
    assert.deepEqual(windowAt(window, Date.parse(at)), { startMs: Date.parse(start), endMs: Date.parse(end) })
  })
}
