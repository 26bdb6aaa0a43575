import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSealer } from './seal.ts'

const sealer = createSealer(Buffer.alloc(32, 1))

test('what was sealed opens again, and looks different each time', () => {
  for (const text of ['', 'a', 'ü'.repeat(1000)]) {
    assert.equal(sealer.open(sealer.seal(text)), text)
    assert.notEqual(sealer.seal(text), sealer.seal(text))
  }
})

test('what was changed anywhere, cut, or sealed by another key does not open', () => {
  const sealed = Buffer.from(sealer.seal('state'), 'base64url')
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed)
    changed[at] = (changed[at] ?? 0) ^ 1
    assert.equal(sealer.open(changed.toString('base64url')), undefined, String(at))
    assert.equal(sealer.open(sealed.subarray(0, at).toString('base64url')), undefined, String(at))
  }
  assert.equal(createSealer(Buffer.alloc(32, 2)).open(sealed.toString('base64url')), undefined)
  for (const garbage of ['', 'x', '%%%']) assert.equal(sealer.open(garbage), undefined)
})
