import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WarmWindow } from '#contract/target.ts'
import { endOf } from './keep-warm.ts'
import { MONDAY_NOON, SLEEPS, testRouter, testTarget } from './test-router.ts'

const OFFICE: WarmWindow = { days: [1, 2, 3, 4, 5], fromMinute: 480, toMinute: 1080, timeZone: 'UTC' }
const HOUR = 3_600_000

test('a window is open on its days between its times, in its own time zone', () => {
  assert.equal(endOf(OFFICE, MONDAY_NOON), MONDAY_NOON + 6 * HOUR)
  assert.equal(endOf(OFFICE, MONDAY_NOON + 6 * HOUR), 0)
  assert.equal(endOf(OFFICE, MONDAY_NOON - 5 * HOUR), 0)
  assert.equal(endOf(OFFICE, MONDAY_NOON - 24 * HOUR), 0, 'Sunday')
  assert.equal(endOf({ ...OFFICE, timeZone: 'Asia/Tokyo' }, MONDAY_NOON), 0, '21:00 there')
})

test('a window over midnight belongs to the day on which it begins', () => {
  const night = { ...OFFICE, days: [1], fromMinute: 1320, toMinute: 120 }
  assert.equal(endOf(night, MONDAY_NOON + 11 * HOUR), MONDAY_NOON + 14 * HOUR)
  assert.equal(endOf(night, MONDAY_NOON + 13 * HOUR), MONDAY_NOON + 14 * HOUR)
  assert.equal(endOf(night, MONDAY_NOON - 11 * HOUR), 0, 'Monday, 01:00')
})

test('it is woken one cold start before the window opens, and asked again before it falls asleep', async () => {
  const made = testRouter()
  const window = { ...OFFICE, fromMinute: 12 * 60 + 10, toMinute: 14 * 60 }
  const gpu = testTarget('gpu', { scaling: { ...SLEEPS, calendar: [window] } })
  const look = (): void => made.router.keeper.look([gpu])
  look()
  assert.equal(made.asked.length, 0)
  made.pass(9 * 60_000 + 20_000)
  look()
  assert.equal(made.asked.length, 1, 'the start takes up to 45 s')
  await made.answer(200)
  made.pass(5 * 60_000)
  look()
  assert.equal(made.asked.length, 1, 'idle for 5 of 15 minutes')
  made.pass(5 * 60_000)
  look()
  assert.equal(made.asked.length, 2)
  await made.answer(200)
  made.pass(2 * HOUR)
  look()
  assert.equal(made.asked.length, 2, 'the window is over')
})

test('what somebody asked for is kept for so long, and no longer when they take it back', async () => {
  const made = testRouter()
  const gpu = testTarget('gpu', { scaling: SLEEPS })
  made.router.keeper.keep(gpu, 30)
  assert.equal(made.asked.length, 1)
  await made.answer(200)
  made.pass(10 * 60_000)
  made.router.keeper.look([gpu])
  assert.equal(made.asked.length, 2)
  await made.answer(200)
  made.router.keeper.keep(gpu, 0)
  assert.equal(made.router.keeper.keptUntilEpochMs(gpu), undefined)
  made.pass(10 * 60_000)
  made.router.keeper.look([gpu])
  assert.equal(made.asked.length, 2)
})
