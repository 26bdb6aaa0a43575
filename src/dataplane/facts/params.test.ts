import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bindParams } from './params.ts'
import type { ParamSpec } from './params.ts'

const caller = { sub: 'kim', tenant: 'nordwind', roles: ['a'], groups: ['g1', 'g2'] }
const specs: Readonly<Record<string, ParamSpec>> = {
  id: { type: 'text', pattern: '[A-Z]{2}-\\d+', maxLength: 8 },
  day: { type: 'date', default: '2026-01-01' },
  at: { type: 'timestamp', default: '2026-01-01 00:00' },
  count: { type: 'integer', min: 1, max: 10, default: 5 },
  share: { type: 'number', default: 0.5 },
  open: { type: 'boolean', default: true },
  kinds: { type: 'texts', values: ['x', 'y'], default: ['x'] },
  tenant: { type: 'text', from: 'tenant' },
  groups: { type: 'texts', from: 'groups' },
}
const bind = (given: Readonly<Record<string, unknown>>) => bindParams(specs, given, caller, 'sql[0].params')

test('values are checked, defaults fill in, and the caller is nobody else', () => {
  assert.deepEqual(bind({ id: 'AB-12', at: '2026-11-25T10:30', kinds: ['y', 'x'] }), {
    id: 'AB-12',
    day: '2026-01-01',
    at: '2026-11-25 10:30',
    count: 5,
    share: 0.5,
    open: true,
    kinds: ['y', 'x'],
    tenant: 'nordwind',
    groups: ['g1', 'g2'],
  })
})

const rows: readonly [Readonly<Record<string, unknown>>, RegExp][] = [
  [{}, /`sql\[0\].params.id` is missing/],
  [{ id: 'AB-12; DROP' }, /longer than 8/],
  [{ id: 'ab-12' }, /must match/],
  [{ id: 'xAB-1y' }, /must match/],
  [{ id: 'AB-1\0' }, /not text/],
  [{ id: 'AB-1\ud800' }, /not text/],
  [{ id: 7 }, /must be text/],
  [{ id: 'AB-1', tenant: 'globex' }, /params.tenant` is not one of its parameters: id, day/],
  [{ id: 'AB-1', constructor: 'x' }, /params.constructor` is not one/],
  [{ id: 'AB-1', day: '2026-13-01' }, /a date like/],
  [{ id: 'AB-1', at: 'now()' }, /a time like/],
  [{ id: 'AB-1', count: 1.5 }, /whole number/],
  [{ id: 'AB-1', count: 11 }, /at most 10/],
  [{ id: 'AB-1', count: 0 }, /at least 1/],
  [{ id: 'AB-1', share: Number.NaN }, /must be a number/],
  [{ id: 'AB-1', open: 'yes' }, /true or false/],
  [{ id: 'AB-1', kinds: 'x' }, /must be a list/],
  [{ id: 'AB-1', kinds: ['z'] }, /kinds\[0\]` must be one of x, y/],
]

for (const [given, message] of rows) {
  test(`refused: ${JSON.stringify(given)}`, () => {
    assert.throws(() => bind(given), { code: 'WIRE_MALFORMED', message })
  })
}

test('a parameter may have any name, also one that every object knows', () => {
  const own = Object.fromEntries([['constructor', { type: 'text', default: 'none' } as const]])
  assert.deepEqual(bindParams(own, {}, caller, 'sql[0].params'), { constructor: 'none' })
})
