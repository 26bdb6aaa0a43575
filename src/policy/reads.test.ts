import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cedar } from './load.ts'
import { type Reads, readsOf } from './reads.ts'

const cases: readonly (readonly [condition: string, reads: Reads])[] = [
  ['true', { time: 'never', budget: false }],
  ['context.purpose == "x" && resource.tags.contains("time")', { time: 'never', budget: false }],
  ['context.time.hour > 7', { time: 'hour', budget: false }],
  ['!(context.time.weekday == 7) || context.time.hour > 7', { time: 'hour', budget: false }],
  ['context.time.now > datetime("2026-12-31")', { time: 'minute', budget: false }],
  ['context.time.hour > 7 && context.time.now > datetime("2026-12-31")', { time: 'minute', budget: false }],
  ['context.time == context.time', { time: 'minute', budget: false }],
  ['if principal.agent then context.budget == "over" else false', { time: 'never', budget: true }],
  ['context == context', { time: 'minute', budget: true }],
  ['["over"].contains(context.budget)', { time: 'never', budget: true }],
]

for (const [condition, reads] of cases) {
  test(`what \`${condition}\` reads`, async () => {
    const { policyToJson } = await cedar()
    for (const kind of ['when', 'unless']) {
      const parsed = policyToJson(`permit (principal, action, resource) ${kind} { ${condition} };`)
      assert.ok(parsed.type === 'success')
      assert.deepEqual(readsOf([parsed.json]), reads)
    }
  })
}
