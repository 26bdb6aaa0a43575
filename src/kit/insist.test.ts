import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { insist } from './insist.ts'

test('it is said again until it is done, also when the signal had fired before, and never without it', async () => {
  for (const isEarly of [true, false]) {
    const gone = new AbortController()
    let said = 0
    if (isEarly) gone.abort()
    const done = insist(gone.signal, () => (said += 1))
    if (!isEarly) {
      assert.equal(said, 0)
      gone.abort()
    }
    await wait(130)
    assert.ok(said >= 2, `${said}`)
    done()
    const last = said
    await wait(80)
    assert.equal(said, last)
  }
  const never = new AbortController()
  let said = 0
  insist(never.signal, () => (said += 1))()
  never.abort()
  assert.equal(said, 0)
})
