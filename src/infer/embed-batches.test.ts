import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ask } from '#contract/ask.ts'
import type { Trip } from '#contract/crossing.ts'
import { type Event, NO_USAGE } from '#contract/event.ts'
import { EmbedBatches } from './embed-batches.ts'
import { testAsk, testTarget } from './test-asks.ts'

const TARGET = testTarget()

function trip(signal = new AbortController().signal): Trip {
  return { requestId: 'r', traceId: '', sampled: false, signal, crossings: [], calls: new Map() }
}

function embedAsk(...texts: readonly string[]): Ask {
  return testAsk({
    operation: 'embed',
    messages: texts.map((text) => ({ role: 'user', parts: [{ type: 'text', text }] })),
  })
}

/** A target that answers each text with its length, when it is let. */
function slowTarget() {
  const calls: {
    readonly ask: Ask
    readonly trip: Trip
    readonly answer: () => void
    readonly fail: (error: Error) => void
  }[] = []
  const call = (ask: Ask, own: Trip): Promise<Event[]> =>
    new Promise((resolve, reject) => {
      calls.push({
        ask,
        trip: own,
        fail: reject,
        answer: () =>
          resolve([
            ...ask.messages.map(({ parts: [part] }, index): Event => {
              return { type: 'embedding', index, vector: [part?.type === 'text' ? part.text.length : -1] }
            }),
            { type: 'usage', usage: { ...NO_USAGE, input: 100 } },
            { type: 'end' },
          ]),
      })
    })
  return { calls, call }
}

function vectorsOf(events: readonly Event[]): unknown[] {
  return events.flatMap((event) => (event.type === 'embedding' ? [[event.index, event.vector]] : []))
}

test('while the target is idle nobody waits; behind four calls those who wait go together', async () => {
  const batches = new EmbedBatches()
  const { calls, call } = slowTarget()
  const texts = ['a', 'bb', 'ccc', 'dddd', 'eeeee', 'ffffff', 'ggggggg']
  const asked = texts.map((text) => batches.ask(TARGET, embedAsk(text, `${text}!`), trip(), call))
  assert.equal(calls.length, 4)
  calls[0]?.answer()
  await asked[0]
  await new Promise(setImmediate)
  assert.equal(calls.length, 5)
  assert.equal(calls[4]?.ask.messages.length, 6)
  for (const { answer } of calls) answer()
  for (const [at, events] of (await Promise.all(asked)).entries())
    assert.deepEqual(vectorsOf(events), [
      [0, [at + 1]],
      [1, [at + 2]],
    ])
  const shares = (await Promise.all(asked.slice(4))).map((events) => events.find(({ type }) => type === 'usage'))
  assert.equal(
    shares.reduce((sum, event) => sum + (event?.type === 'usage' ? event.usage.input : 0), 0),
    100,
  )
})

test('one who leaves while waiting is not asked for; one who leaves a shared call does not end it', async () => {
  const batches = new EmbedBatches()
  const { calls, call } = slowTarget()
  for (let at = 0; at < 4; at += 1) void batches.ask(TARGET, embedAsk('x'), trip(), call)
  const leaving = new AbortController()
  const first = new AbortController()
  const staying = batches.ask(TARGET, embedAsk('stay'), trip(first.signal), call)
  const gone = batches.ask(TARGET, embedAsk('gone'), trip(leaving.signal), call)
  const also = batches.ask(TARGET, embedAsk('also'), trip(), call)
  leaving.abort(new Error('left'))
  await assert.rejects(gone, /left/)
  calls[0]?.answer()
  await new Promise(setImmediate)
  assert.deepEqual(
    calls[4]?.ask.messages.map(({ parts: [part] }) => part?.type === 'text' && part.text),
    ['stay', 'also'],
  )
  first.abort(new Error('left'))
  assert.equal(calls[4]?.trip.signal.aborted, false)
  calls[4]?.answer()
  assert.deepEqual(vectorsOf(await staying), [[0, [4]]])
  assert.deepEqual(vectorsOf(await also), [[0, [4]]])
})

test('a shared call that fails fails for each of them, and the next goes on', async () => {
  const batches = new EmbedBatches()
  const { calls, call } = slowTarget()
  for (let at = 0; at < 4; at += 1) void batches.ask(TARGET, embedAsk('x'), trip(), call)
  const shared = [batches.ask(TARGET, embedAsk('a'), trip(), call), batches.ask(TARGET, embedAsk('b'), trip(), call)]
  calls[0]?.answer()
  await new Promise(setImmediate)
  calls[4]?.fail(new Error('broken'))
  for (const each of shared) await assert.rejects(each, /broken/)
  for (const { answer } of calls) answer()
  await new Promise(setImmediate)
  const next = batches.ask(TARGET, embedAsk('c'), trip(), call)
  calls.at(-1)?.answer()
  assert.deepEqual(vectorsOf(await next), [[0, [1]]])
})

test('requests that ask for other vectors, and calls in a caller’s own name, do not share', () => {
  const batches = new EmbedBatches()
  const { calls, call } = slowTarget()
  const own = testTarget({
    credential: { kind: 'token', isPersonal: true, source: { token: () => ({ reveal: () => '' }) } },
  })
  for (let at = 0; at < 6; at += 1) void batches.ask(own, embedAsk('x'), trip(), call)
  assert.equal(calls.length, 6)
  for (let at = 0; at < 6; at += 1) void batches.ask(TARGET, { ...embedAsk('x'), dimensions: at + 1 }, trip(), call)
  assert.equal(calls.length, 12)
})
