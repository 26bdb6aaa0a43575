import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from './clock.suite.ts'
import { VllmEngine } from './vllm-engine.ts'
import { engineSettings, type EngineOptions } from './vllm-presets.ts'

const PLAIN: EngineOptions = {
  maxNumSeqs: 4,
  overheadMs: 50,
  prefillMsPerToken: 2,
  tokenMs: 10,
  jitter: 0,
  loadFactor: 1,
  numGpuBlocks: 100,
}
/** A hundred tokens. */
const HUNDRED = 'abcd'.repeat(100)
const THREE = ['a', 'b', 'c']

function setUp(options: EngineOptions = {}) {
  const clock = new ManualClock()
  const engine = new VllmEngine({ ...PLAIN, ...options }, clock)
  const ask = (text: string, pieces: readonly string[] = THREE, salt?: string) => {
    const gone = new AbortController()
    const speech = engine.speak({ text, salt, pieces }, gone.signal)
    const asked = { atMs: [] as number[], isOver: false, speech, leave: () => gone.abort() }
    void (async () => {
      for await (const _piece of speech.pieces) asked.atMs.push(clock.nowMs())
      asked.isOver = true
    })()
    return asked
  }
  return { clock, engine, ask }
}

test('the first token comes after the overhead and each token of the prompt, the others at their pace', async () => {
  const { clock, ask } = setUp()
  const asked = ask(HUNDRED)
  await clock.advance(10_000)
  assert.deepEqual(asked.atMs, [250, 260, 270])
  assert.deepEqual([asked.speech.promptTokens, asked.speech.cachedTokens()], [100, 0])
})

test('what the prefix cache holds need not be computed, and is counted', async () => {
  const { clock, engine, ask } = setUp()
  ask(HUNDRED)
  await clock.advance(1_000)
  const again = ask(`${HUNDRED}efgh`)
  await clock.advance(1_000)
  assert.equal(again.speech.cachedTokens(), 96)
  assert.equal(again.atMs[0], 1_000 + 5 * 2 + 50)
  assert.deepEqual([engine.gauges().queriedTokens, engine.gauges().hitTokens], [201, 96])
  const salted = ask(HUNDRED, THREE, 'other tenant')
  await clock.advance(1_000)
  assert.deepEqual([salted.speech.cachedTokens(), salted.atMs[0]], [0, 2_250])
})

test('a conversation finds what was said as well, and without the cache nothing is found', async () => {
  const { clock, ask } = setUp()
  const answer = Array.from({ length: 32 }, () => 'wxyz')
  ask(HUNDRED, answer)
  await clock.advance(10_000)
  const next = ask(`${HUNDRED}${answer.join('')}and then?`)
  await clock.advance(10_000)
  assert.equal(next.speech.cachedTokens(), 128)
  const off = setUp({ prefixCaching: false })
  off.ask(HUNDRED)
  await off.clock.advance(1_000)
  const again = off.ask(HUNDRED)
  await off.clock.advance(1_000)
  assert.deepEqual([again.speech.cachedTokens(), off.engine.gauges().queriedTokens], [0, 0])
})

test('prompts are computed one after the other, and a second of the same beginning finds the first', async () => {
  const { clock, engine, ask } = setUp()
  const [first, second, other] = [ask(HUNDRED), ask(HUNDRED), ask('zyxw'.repeat(100))]
  await clock.advance(100)
  assert.deepEqual([engine.gauges().running, engine.gauges().waiting], [1, 2])
  await clock.advance(10_000)
  assert.deepEqual([first.atMs[0], second.atMs[0], other.atMs[0]], [250, 258, 458])
})

test('as many run as there are places, the others wait in line', async () => {
  const { clock, engine, ask } = setUp({ maxNumSeqs: 1, prefillMsPerToken: 0 })
  const [first, second] = [ask('one'), ask('two')]
  await clock.advance(40)
  assert.deepEqual([engine.gauges().running, engine.gauges().waiting], [1, 1])
  await clock.advance(1_000)
  assert.deepEqual(
    [first.atMs, second.atMs],
    [
      [50, 60, 70],
      [120, 130, 140],
    ],
  )
  assert.deepEqual([engine.gauges().running, engine.gauges().waiting, engine.gauges().kvUsage], [0, 0, 0])
})

test('a prompt whose blocks are not free waits until they are', async () => {
  const { clock, engine, ask } = setUp({ numGpuBlocks: 12, prefixCaching: false })
  const first = ask(
    HUNDRED,
    Array.from({ length: 60 }, () => 'x'),
  )
  const second = ask(HUNDRED)
  await clock.advance(300)
  assert.deepEqual([engine.gauges().kvUsage, engine.gauges().waiting], [10 / 12, 1])
  await clock.advance(10_000)
  assert.equal(first.atMs.length, 60)
  assert.equal(second.atMs[0], (first.atMs.at(-1) ?? 0) + 250)
})

test('more answers at once are slower, each by the same factor', async () => {
  const { clock, ask } = setUp({ maxNumSeqs: 3, loadFactor: 3, prefillMsPerToken: 0, overheadMs: 0 })
  const three = [ask('a'), ask('b'), ask('c')]
  await clock.advance(1_000)
  for (const { atMs } of three) assert.equal((atMs[2] ?? 0) - (atMs[1] ?? 0), 30)
})

test('the time between two tokens varies by its tenth and no more, the same for the same seed', async () => {
  const gaps = async () => {
    const { clock, ask } = setUp({ jitter: 0.1, tokenMs: 100 })
    const asked = ask(
      'a',
      Array.from({ length: 200 }, () => 'x'),
    )
    await clock.advance(100_000)
    return asked.atMs.slice(1).map((at, index) => at - (asked.atMs[index] ?? 0))
  }
  const all = await gaps()
  assert.ok(all.every((gap) => gap > 89.9 && gap < 110.1))
  assert.ok(Math.min(...all) < 92 && Math.max(...all) > 108)
  assert.deepEqual(await gaps(), all)
})

test('who leaves makes room at once: in line, while the prompt is computed, and while it speaks', async () => {
  const { clock, engine, ask } = setUp({ maxNumSeqs: 2 })
  const computed = ask(HUNDRED)
  const inLine = ask('in line')
  const last = ask('zyxw'.repeat(100))
  await clock.advance(50)
  inLine.leave()
  await clock.advance(0)
  assert.equal(engine.gauges().waiting, 1)
  computed.leave()
  await clock.advance(0)
  assert.deepEqual([engine.gauges().running, engine.gauges().waiting], [1, 0])
  await clock.advance(255)
  assert.deepEqual([last.atMs, computed.atMs, inLine.isOver, computed.isOver], [[300], [], true, true])
  const next = ask(HUNDRED)
  last.leave()
  await clock.advance(0)
  assert.deepEqual([last.isOver, engine.gauges().running], [true, 1])
  await clock.advance(1_000)
  assert.equal(next.speech.cachedTokens(), 0, 'what was not computed to its end is not kept')
  assert.equal(engine.gauges().kvUsage, 0)
})

test('the presets stay within the tables that they are taken from', () => {
  const { overheadMs, prefillMsPerToken, tokenMs } = engineSettings({ preset: 'l40s-8b' })
  const first = overheadMs + 256 * prefillMsPerToken
  assert.ok(first >= 180 && first <= 280)
  assert.ok(tokenMs >= 25 && tokenMs <= 35)
  const slower = engineSettings({}).tokenMs / tokenMs
  assert.ok(slower >= 1.5 && slower <= 2.5)
  assert.equal(engineSettings({ tokenMs: 1 }).tokenMs, 1)
})
