/** What every engine of an index must do, whatever it is made of. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { IndexEngine, IndexStore, PassageWithVector } from './store.ts'

const DIMENSIONS = 8

/** A vector that points along the axes of the numbers given. */
function along(...axes: readonly number[]): Float32Array {
  const vector = new Float32Array(DIMENSIONS)
  for (const axis of axes) vector[axis] = 1 / Math.sqrt(axes.length)
  return vector
}

function passage(
  document: string,
  start: number,
  text: string,
  changes: Partial<PassageWithVector> = {},
): PassageWithVector {
  return {
    document,
    title: `Title of ${document}`,
    heading: '',
    page: 1,
    record: 0,
    lastRecord: 0,
    start,
    end: start + text.length,
    text,
    access: 'open',
    findings: '[]',
    rules: '1',
    generation: 'a',
    vector: along(start % DIMENSIONS),
    ...changes,
  }
}

/** Names that no predicate may be made of as they are. */
const HOSTILE = `it's "a" \`name\`; DROP TABLE passages --/ü\\%_.md`

/** `skip` says why an engine can not be tested here. */
export function indexStoreSuite(
  name: string,
  open: () => Promise<IndexEngine>,
  { skip = false, textless = false }: { readonly skip?: string | false; readonly textless?: boolean } = {},
): void {
  let engine: IndexEngine
  let store: IndexStore
  let serial = 0
  before(async () => {
    if (skip === false) engine = await open()
  })
  after(async () => {
    if (skip === false) await engine.close()
  })
  const it = (what: string, run: () => Promise<void>): void => {
    void test(`${name}: ${what}`, { skip }, async (t) => {
      serial += 1
      store = await engine.open(`suite-${serial}`, DIMENSIONS)
      t.after(async () => await store.close())
      await run()
    })
  }
  const texts = async (document: string): Promise<string[]> =>
    (await Array.fromAsync(store.read(document))).flat().map(({ text }) => text)

  it('what is written comes back as it was, in order of its place', async () => {
    const all = [
      passage(HOSTILE, 40, 'second'),
      passage(HOSTILE, 0, 'first', { heading: 'H › I', record: 7, lastRecord: 9, findings: '[{"a":"\'"}]' }),
    ]
    await store.replace([{ document: HOSTILE, passages: all }], true)
    const [first, second] = (await Array.fromAsync(store.read(HOSTILE))).flat()
    assert.deepEqual(first, all[1])
    assert.deepEqual(second, all[0])
    assert.equal(await store.countPassages(), 2)
  })

  it('replacing leaves nothing of what the document had, and other documents alone', async () => {
    const other = { document: 'b.md', passages: [passage('b.md', 0, 'other')] }
    const three = [0, 10, 20].map((start) => passage('a.md', start, `old ${start}`))
    await store.replace([{ document: 'a.md', passages: three }, other], true)
    await store.replace([{ document: 'a.md', passages: [passage('a.md', 10, 'new')] }], false)
    assert.deepEqual(await texts('a.md'), ['new'])
    assert.deepEqual(await texts('b.md'), ['other'])
    await store.replace([{ document: 'a.md', passages: [] }], false)
    assert.deepEqual(await texts('a.md'), [])
    assert.equal(await store.countPassages(), 1)
  })

  it('a document that is written in steps may be written again, and ends without its former passages', async () => {
    await store.replace([{ document: 'a.md', passages: [passage('a.md', 5, 'former', { generation: 'z' })] }], true)
    for (const _ of [1, 2]) {
      await store.append([passage('a.md', 0, 'one')])
      await store.append([passage('a.md', 10, 'two')])
    }
    await store.prune('a.md', 'a')
    assert.deepEqual(await texts('a.md'), ['one', 'two'])
  })

  it('many passages are read in pieces and removed together', async () => {
    const many = Array.from({ length: 1200 }, (_, at) => passage('a.md', at * 10, `passage ${at}`))
    await store.append(many.slice(0, 600))
    await store.append(many.slice(600))
    const pieces = await Array.fromAsync(store.read('a.md'))
    assert.ok(pieces.length > 1)
    assert.deepEqual(
      pieces.flat().map(({ start }) => start),
      many.map(({ start }) => start),
    )
    await store.remove(['a.md', 'nowhere.md'])
    assert.equal(await store.countPassages(), 0)
  })

  it('a search by meaning finds the nearest that may be read, and says how near', async () => {
    const passages = Array.from({ length: DIMENSIONS }, (_, axis) => passage('a.md', axis, `axis ${axis}`))
    const shut = [passage('shut.md', 2, 'shut', { access: 'c0ffee' })]
    await store.replace(
      [
        { document: 'a.md', passages },
        { document: 'shut.md', passages: shut },
      ],
      true,
    )
    const hits = await store.searchVector(along(2), ['open'], 3)
    assert.equal(hits.length, 3)
    assert.equal(hits[0]?.passage.text, 'axis 2')
    assert.ok(Math.abs((hits[0]?.score ?? 0) - 1) < 1e-3)
    assert.ok(Math.abs(hits[1]?.score ?? 1) < 1e-3)
    assert.deepEqual(
      (await store.searchVector(along(2), ['c0ffee'], 3)).map(({ passage: { text } }) => text),
      ['shut'],
    )
    assert.deepEqual(await store.searchVector(along(2), [], 3), [])
    assert.deepEqual(await store.searchVector(along(2), ['nobody'], 3), [])
  })

  it('who may read a document can be changed', async () => {
    await store.replace([{ document: 'a.md', passages: [passage('a.md', 0, 'secret plan')] }], true)
    await store.setAccess('a.md', 'c0ffee')
    assert.deepEqual(await store.searchVector(along(0), ['open'], 3), [])
    assert.equal((await store.searchVector(along(0), ['c0ffee'], 3))[0]?.passage.access, 'c0ffee')
  })

  it('a search by words ranks who has more of them first, and filters before it ranks', async () => {
    assert.equal(store.searchesText, !textless)
    const passages = [
      passage('a.md', 0, 'The anemometer measures the wind at the harbour.'),
      passage('a.md', 100, 'The tide gauge measures the sea.'),
      passage('a.md', 200, 'Cranes lift containers.'),
    ]
    const shut = [passage('shut.md', 0, 'anemometer wind harbour anemometer', { access: 'c0ffee' })]
    await store.replace(
      [
        { document: 'a.md', passages },
        { document: 'shut.md', passages: shut },
      ],
      true,
    )
    await store.compact()
    const found = (await store.searchText("measuring wind's anemometers; DROP TABLE --", ['open'], 5)).map(
      ({ passage: own }) => own.text,
    )
    if (textless) return assert.deepEqual(found, [])
    assert.equal(found[0], passages[0]?.text)
    assert.ok(!found.includes('Cranes lift containers.') && !found.some((text) => text.startsWith('anemometer')))
    for (const query of ['', '   ', '"', "'", '& | !', '(', 'the of']) await store.searchText(query, ['open'], 5)
    return undefined
  })

  it('what is written is found at once, also by who opens it anew', async () => {
    await store.append([passage('a.md', 3, 'new')])
    assert.equal((await store.searchVector(along(3), ['open'], 1))[0]?.passage.text, 'new')
    const again = await engine.open(`suite-${serial}`, DIMENSIONS)
    assert.equal(await again.countPassages(), 1)
    await again.close()
    await engine.drop(`suite-${serial}`)
    const empty = await engine.open(`suite-${serial}`, DIMENSIONS)
    assert.equal(await empty.countPassages(), 0)
    await empty.close()
  })
}
