import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changeOf } from './event.ts'

const FIELDS = { id: 'key', text: 'body' }

function change(data: unknown) {
  const bytes = data instanceof Uint8Array ? data : new TextEncoder().encode(JSON.stringify(data))
  return changeOf({ data: bytes, sequence: '49', arrivedEpochMs: 7 }, FIELDS)
}

async function opened(data: unknown) {
  const made = change(data)
  if (typeof made === 'string' || made.kind !== 'arrived') return made
  const { input, digest, version } = await made.open()
  assert.ok('bytes' in input)
  const { name, title } = input
  return { name, title, text: new TextDecoder().decode(input.bytes), digest, version, object: made.object }
}

test('an event is its text, or all that it says', async () => {
  const given = await opened({
    key: 'a/1.pdf',
    body: 'wïnd',
    title: 'Wind',
    contentType: 'text/markdown; charset=utf-8',
  })
  assert.ok(typeof given === 'object' && 'name' in given)
  assert.deepEqual([given.name, given.title, given.text], ['a/1.pdf.md', 'Wind', 'wïnd'])
  assert.deepEqual(given.object, { document: 'a/1.pdf', version: '49', bytes: 5, modifiedEpochMs: 7 })
  for (const [event, name, text] of [
    [{ key: 7, body: 'x', contentType: 'constructor' }, '7.txt', 'x'],
    [{ key: 'o', pieces: 3 }, 'o.json', '{"key":"o","pieces":3}'],
    [{ key: 'o', body: { deep: 1 }, deleted: 'no' }, 'o.json', '{"key":"o","body":{"deep":1},"deleted":"no"}'],
    [{ key: 'o', body: '' }, 'o.txt', ''],
  ] as const) {
    const made = await opened(event)
    assert.ok(typeof made === 'object' && 'name' in made)
    assert.deepEqual([made.name, made.text, made.title], [name, text, ''])
  }
})

test('another title or type of the same text is another state of the document', async () => {
  const digests = await Promise.all(
    [{}, { title: 'T' }, { contentType: 'text/html' }, { title: 'T' }].map(async (more) => {
      const made = await opened({ key: 'a', body: 'x', ...more })
      return typeof made === 'object' && 'digest' in made ? made.digest : undefined
    }),
  )
  assert.equal(digests[1], digests[3])
  assert.equal(new Set(digests).size, 3)
})

test('a deletion names its document only', () => {
  assert.deepEqual(change({ key: 'a', body: 'x', deleted: true }), { kind: 'deleted', document: 'a', sequence: '49' })
})

test('what is no event is told apart', () => {
  for (const data of [[], 'text', 7, null, Buffer.from('{"key":'), Buffer.from([0xff, 0x00])]) {
    assert.equal(change(data), 'not a JSON object')
  }
  for (const key of [undefined, null, '', '  ', 1.5, {}, ['a'], 'a\0b', 'x'.repeat(1025)]) {
    assert.equal(change({ key, body: 'x' }), 'without a usable id')
  }
  const aggregated = Buffer.concat([Buffer.from('f3899ac2', 'hex'), Buffer.from('{"key":"a"}')])
  assert.equal(change(aggregated), 'aggregated by the Kinesis Producer Library, which is not supported')
})
