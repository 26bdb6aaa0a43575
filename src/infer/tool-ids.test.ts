import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ToolIds } from './tool-ids.ts'

const LEGAL = /^[a-z0-9_-]{1,40}$/

test('an id that is taken as it is stays, one that is not has the same stand-in in call and result', () => {
  const ids = new ToolIds(LEGAL)
  assert.equal(ids.forCall('call_1'), 'call_1')
  const made = ids.forCall('call.1')
  assert.match(made, /^tp_[0-9a-f]{32}$/)
  assert.equal(ids.forResult('call.1'), made)
  assert.equal(new ToolIds(LEGAL).forCall('call.1'), made, 'and in the next request')
  assert.match(ids.forCall('x'.repeat(41)), LEGAL)
})

test('an id that comes again is another call, and its result the later one', () => {
  const ids = new ToolIds(LEGAL)
  assert.deepEqual(
    [ids.forCall('a'), ids.forResult('a'), ids.forCall('a'), ids.forResult('a')],
    ['a', 'a', 'a-2', 'a-2'],
  )
  assert.equal(ids.forCall('a'), 'a-3')
  assert.equal(ids.forCall('a-2'), 'a-2-2')
})

test('a result that nobody asked for keeps its id', () => {
  assert.equal(new ToolIds(LEGAL).forResult('b'), 'b')
})
