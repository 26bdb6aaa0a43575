import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scanLong } from './scan-long.ts'
import { scanParts } from './scan-parts.ts'
import { scan } from './scan.ts'
import { LETTERS_AND_DIGITS, drawn } from './test-values.ts'

const PROSE = 'The order was paid and delivered in the same week, nobody has to do anything. '
const TOKEN = `ghp_${drawn(LETTERS_AND_DIGITS, 36)}`
const KEY = `-----BEGIN PRIVATE KEY-----\n${`${drawn(LETTERS_AND_DIGITS, 64)}\n`.repeat(180)}-----END PRIVATE KEY-----`

test('a long text scanned in slices has the findings of one scanned at once, wherever they lie', async () => {
  for (let shift = 0; shift < 60; shift += 7) {
    const filler = PROSE.repeat(240).slice(shift)
    const text = `${filler}${TOKEN} ${PROSE.repeat(15)}jane@example.com ${filler}${KEY}${filler} ${TOKEN}`
    const found = await scanLong(text)
    assert.deepEqual(found, scan(text))
    assert.equal(found.length, 4)
  }
})

test('a private key across the cut of two slices is found whole', async () => {
  for (const before of [9000, 15_000, 19_000, 19_980, 20_000]) {
    const text = PROSE.repeat(300).slice(0, before) + KEY + PROSE.repeat(300)
    const [finding] = await scanLong(text)
    assert.deepEqual([finding?.start, finding?.end], [before, before + KEY.length])
  }
})

test('other work goes on between the slices', async () => {
  let turns = 0
  const timer = setInterval(() => (turns += 1), 0)
  await scanLong(PROSE.repeat(10_000))
  clearInterval(timer)
  assert.ok(turns > 3, `${turns} turns`)
})

test('a text without a single blank comes to an end', async () => {
  assert.deepEqual(await scanLong('x'.repeat(100_000)), [])
})

test('a value that was cut in two between parts is found, each half in its own part', () => {
  const [left, right] = [TOKEN.slice(0, 20), TOKEN.slice(20)]
  const [first, second] = scanParts([`use ${left}`, `${right} please`])
  assert.deepEqual([first?.[0]?.start, first?.[0]?.end], [4, 24])
  assert.deepEqual([second?.[0]?.start, second?.[0]?.end], [0, right.length])
})

test('parts that do not touch are texts of their own', () => {
  assert.deepEqual(scanParts(['call 4111111', '111111111 now'])[0]?.[0]?.type, 'CREDIT_CARD')
  const apart = scanParts(['call 4111111 ', '111111111 now']).flat()
  assert.ok(apart.every(({ type }) => type !== 'CREDIT_CARD'))
})
