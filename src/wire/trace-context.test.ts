import assert from 'node:assert/strict'
import { test } from 'node:test'
import { traceContext } from './trace-context.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

const taken: readonly (readonly [what: string, header: string, sampled: boolean])[] = [
  ['a sampled trace', `00-${TRACE}-${SPAN}-01`, true],
  ['one that is not sampled', `00-${TRACE}-${SPAN}-00`, false],
  ['flags that are not known yet', `00-${TRACE}-${SPAN}-ff`, true],
  ['a later version with more fields', `01-${TRACE}-${SPAN}-01-more`, true],
]

for (const [what, header, sampled] of taken) {
  test(`${what} is carried on`, () => {
    assert.deepEqual(traceContext(header), { traceId: TRACE, sampled, parentId: SPAN })
  })
}

const broken: readonly (readonly [what: string, header: string | undefined])[] = [
  ['no header', undefined],
  ['an empty one', ''],
  ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
  ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ['the version that is forbidden', `ff-${TRACE}-${SPAN}-01`],
  ['more fields in version 00', `00-${TRACE}-${SPAN}-01-more`],
  ['a short trace', `00-${TRACE.slice(1)}-${SPAN}-01`],
  ['blanks', ` 00-${TRACE}-${SPAN}-01`],
]

for (const [what, header] of broken) {
  test(`${what}: a new trace begins, sampled`, () => {
    const context = traceContext(header)
    assert.match(context.traceId, /^[0-9a-f]{32}$/)
    assert.notEqual(context.traceId, TRACE)
    assert.deepEqual([context.sampled, context.parentId], [true, ''])
    assert.notEqual(traceContext(header).traceId, context.traceId)
  })
}
