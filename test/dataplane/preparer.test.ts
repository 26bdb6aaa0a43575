import assert from 'node:assert/strict'
import { readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { deflateSync } from 'node:zlib'
import { createPreparer, PrepareFailure } from '#dataplane/ingest/preparer.ts'
import type { Preparer, PreparerLimits } from '#dataplane/ingest/preparer.ts'
import { makeDocx, paragraph, skipWithoutParsers } from '#dataplane/parse/test-files.ts'
import { makePdf } from '#dataplane/parse/test-pdf.ts'
import { folderWith } from '#dataplane/test-agent.ts'

const options = { skip: skipWithoutParsers }

function started(t: TestContext, limits?: PreparerLimits): Preparer {
  const preparer = createPreparer(limits)
  t.after(async () => await preparer.close())
  return preparer
}

/** One worker for most tests: starting it takes longer than what they give it to do. */
const single = createPreparer({ workers: 1 })
after(async () => await single.close())

const bytesOf = (text: string) => new TextEncoder().encode(text)
const row = (at: number) => `person ${at},anna${at}@example.org\n`
const table = (rows: number) => `name,mail\n${Array.from({ length: rows }, (_, at) => row(at)).join('')}`

test('a document comes in parts, in order, with records and findings', options, async () => {
  const parts = await Array.fromAsync(single.prepare({ name: 'people/staff.csv', bytes: bytesOf(table(3000)) }))
  assert.ok(parts.length > 1)
  assert.ok(parts.every(({ title }) => title === 'staff'))
  const passages = parts.flatMap((part) => part.passages)
  let next = 1
  for (const { record, lastRecord, findings, text } of passages) {
    assert.equal(record, next)
    assert.equal(findings.filter(({ type }) => type === 'EMAIL_ADDRESS').length, lastRecord - record + 1)
    assert.match(text, /^name: person/)
    next = lastRecord + 1
  }
  assert.equal(next, 3001)
})

test('a failure has a fate and a note, also after parts were given out', options, async () => {
  const failure = async (name: string, text: string, fate: string, note: string) => {
    const error: unknown = await Array.fromAsync(single.prepare({ name, bytes: bytesOf(text) })).catch(
      (thrown: unknown) => thrown,
    )
    assert.ok(error instanceof PrepareFailure, String(error))
    assert.deepEqual([error.fate, error.note], [fate, note])
  }
  await failure('a.txt', '', 'empty', 'it holds no text')
  await failure('a.txt', ' \n\n ', 'empty', 'it holds no text')
  await failure('a.pdf', 'no pdf', 'corrupt', 'its name says `.pdf`, but it is a plain text')
  let parts = 0
  await assert.rejects(
    async () => {
      const source = `${table(3000)}"open`
      for await (const part of single.prepare({ name: 'a.csv', bytes: bytesOf(source) })) parts += part.passages.length
    },
    { name: 'PrepareFailure', fate: 'corrupt', note: 'row 3001 has a quote that is never closed' },
  )
  assert.ok(parts > 0)
})

test(
  'a document that takes too long or too much memory gets its fate, and the next one goes on',
  options,
  async (t) => {
    const preparer = started(t, { workers: 1, maxHeapMb: 96 })
    const fine = async () => {
      const [part] = await Array.fromAsync(preparer.prepare({ name: 'a.docx', bytes: makeDocx(paragraph('Fine')) }))
      assert.equal(part?.passages[0]?.text, 'Fine')
    }
    await fine()
    const greedy = bytesOf(`{"a":[${'[1],[{"b":2}],'.repeat(500_000)}1]}`)
    await assert.rejects(Array.fromAsync(preparer.prepare({ name: 'a.json', bytes: greedy })), {
      name: 'PrepareFailure',
      fate: 'too-large',
      note: 'it takes more memory to read than one document may',
    })
    await fine()
    // What a page unpacks to stands beside the heap.
    const modest = started(t, { workers: 1, maxResidentMb: 220 })
    const bomb = makePdf({ pages: [], deflatedPage: deflateSync(Buffer.alloc(150_000_000, ' '), { level: 1 }) })
    assert.ok(bomb.length < 3_000_000)
    await assert.rejects(Array.fromAsync(modest.prepare({ name: 'a.pdf', bytes: bomb })), { fate: 'too-large' })
    assert.equal((await Array.fromAsync(modest.prepare({ name: 'a.txt', bytes: bytesOf('text') }))).length, 1)
    const hurried = started(t, { workers: 1, partTimeoutMs: 1 })
    await assert.rejects(Array.fromAsync(hurried.prepare({ name: 'a.txt', bytes: bytesOf('text') })), {
      fate: 'too-slow',
      note: 'it took longer than 0.001 seconds to read',
    })
  },
)

test('the work stays at most one part ahead, and ends when the reader leaves', options, async () => {
  const path = join(await folderWith({ 'long.csv': table(10_000) }), 'long.csv')
  const parts = single.prepare({ name: 'long.csv', path, size: 0 })
  const first = await parts.next()
  assert.ok(first.done !== true)
  // Far more than the rest would take.
  await setTimeout(1000)
  assert.equal(await isOpenSomewhere(path), true)
  await parts.return(undefined)
  assert.equal(await isOpenSomewhere(path), false)
  const [again] = await Array.fromAsync(single.prepare({ name: 'a.txt', bytes: bytesOf('next document') }))
  assert.equal(again?.passages[0]?.text, 'next document')
})

test('a signal ends the work, and also the wait for a worker', options, async () => {
  const reason = new Error('no longer wanted')
  const long = { name: 'a.csv', bytes: bytesOf(table(50_000)) }
  const aborting = new AbortController()
  const parts = single.prepare(long, aborting.signal)
  await parts.next()
  const waiting = new AbortController()
  const second = single.prepare(long, waiting.signal).next()
  waiting.abort(reason)
  await assert.rejects(second, reason)
  aborting.abort(reason)
  await assert.rejects(parts.next(), reason)
  await assert.rejects(single.prepare(long, aborting.signal).next(), reason)
  assert.equal((await Array.fromAsync(single.prepare({ name: 'a.txt', bytes: bytesOf('x y') }))).length, 1)
})

test('two workers prepare two documents side by side; a third one waits', options, async (t) => {
  const preparer = started(t, { workers: 2 })
  const of = (name: string) => preparer.prepare({ name, bytes: bytesOf(table(5000)) })
  const [one, two, three] = [of('1.csv'), of('2.csv'), of('3.csv')]
  assert.equal((await one.next()).done, false)
  assert.equal((await two.next()).done, false)
  let isStarted = false
  const third = three.next().then((result) => {
    isStarted = true
    return result
  })
  await setTimeout(50)
  assert.equal(isStarted, false)
  await one.return(undefined)
  assert.equal((await third).done, false)
  await Promise.all([two.return(undefined), three.return(undefined)])
})

test('closing rejects what is being prepared and what waits', options, async (t) => {
  const preparer = started(t, { workers: 1 })
  const running = preparer.prepare({ name: 'a.csv', bytes: bytesOf(table(50_000)) })
  await running.next()
  const waiting = preparer.prepare({ name: 'b.txt', bytes: bytesOf('x') }).next()
  const rejected = assert.rejects(waiting, { message: 'the preparer was closed' })
  await preparer.close()
  await rejected
  await assert.rejects(async () => {
    for (;;) if ((await running.next()).done === true) return
  })
  await assert.rejects(preparer.prepare({ name: 'c.txt', bytes: bytesOf('x') }).next(), {
    message: 'the preparer was closed',
  })
})

/** Whether any process has the file open; where the system tells. */
async function isOpenSomewhere(path: string): Promise<boolean | undefined> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  for (const process of processes) {
    const descriptors = await readdir(`/proc/${process}/fd`).catch(() => [])
    for (const descriptor of descriptors) {
      const target = await readlink(`/proc/${process}/fd/${descriptor}`).catch(() => '')
      if (target === path) return true
    }
  }
  return false
}
