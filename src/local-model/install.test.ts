import assert from 'node:assert/strict'
import { test } from 'node:test'
import { whyUnsupported } from './install.ts'

test('says in a sentence where the local model does not run', () => {
  assert.equal(whyUnsupported('linux', 'x64', true), '')
  assert.match(
    whyUnsupported('darwin', 'arm64', false),
    /^the local model runs on linux x64 with glibc only and this is darwin arm64: start without --local-model/,
  )
  assert.match(whyUnsupported('linux', 'x64', false), /this is linux x64 without glibc/)
})
