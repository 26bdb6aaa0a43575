import { RULES_VERSION, scan } from '#detect/scan.ts'
import { createHash } from 'node:crypto'
import { accessOf } from '#dataplane/access/collection.ts'
import type { Access } from '#dataplane/access/collection.ts'
import type { Embedder } from '#dataplane/embed/embedder.ts'
import type { CollectionIndex } from '#dataplane/index/collection-index.ts'
import type { PassageWithVector } from '#dataplane/index/store.ts'
import { PARSER_VERSION, tooLargeFor } from '#dataplane/parse/parse.ts'
import { SourceError } from '#dataplane/sources/source.ts'
import type { OpenedObject, SourceObject } from '#dataplane/sources/source.ts'
import type { Fate, ManifestEntry } from './manifest.ts'
import { PrepareFailure } from './preparer.ts'
import type { PreparedPart } from './prepare.ts'
import type { Preparer } from './preparer.ts'
import type { IndexWriter } from './writer.ts'

/** What ingest works with. */
export interface IngestTools {
  readonly embedder: Embedder
  readonly preparer: Preparer
  /** Epoch milliseconds. Default `Date.now`. */
  readonly now?: () => number
}

/** Passages of a document that go into the index in one step; one with more is written in several. */
const WHOLE_PASSAGES = 1000
/** A larger document is read up to here: a table of a billion rows is a matter for a query, not for retrieval. */
export const MAX_PASSAGES = 20_000

/** `unchanged`: nothing was done. `gone`: it is not there any more. */
export type Outcome = 'written' | 'unchanged' | 'gone'

/**
 * Brings one document into the index, as far as it changed. The outcome is final when the writer has flushed.
 *
 * @param open gets the contents; only called when the object is another than the one in the index.
 * @throws what is not the document's own fault: the index, the embedding model, the source as a whole.
 */
export async function bringIn(
  { index, tools, writer }: { index: CollectionIndex; tools: IngestTools; writer: IndexWriter },
  object: SourceObject,
  open: () => Promise<OpenedObject>,
  sequence = '',
): Promise<Outcome> {
  const { document } = object
  const access = accessOf(index.collection, document)
  const former = index.manifest.get(document)
  const isMadeAlike = former?.parser === PARSER_VERSION
  if (former !== undefined && isMadeAlike && isSettled(former) && former.version === object.version) {
    return await refresh(index, document, former, access)
  }
  const base = baseEntry(object, access, sequence, tools)
  const tooLarge = tooLargeFor(document, object.bytes)
  if (tooLarge !== undefined) {
    await writer.add({ document, passages: [], entry: { ...base, fate: 'too-large', note: tooLarge } })
    return 'written'
  }
  let opened: OpenedObject
  try {
    opened = await open()
  } catch (error) {
    if (!(error instanceof SourceError)) throw error
    if (error.reason === 'gone') return 'gone'
    await writer.add({ document, passages: [], entry: { ...base, fate: error.reason, note: error.message } })
    return 'written'
  }
  try {
    const { digest, version } = opened
    if (former !== undefined && isMadeAlike && isSettled(former) && former.digest === digest) {
      const { bytes, modifiedEpochMs } = object
      return await refresh(index, document, { ...former, version, bytes, modifiedEpochMs, sequence }, access)
    }
    index.manifest.addClass(access.id, access.rules)
    await read({ index, tools, writer }, opened, document, { ...base, version, digest })
    return 'written'
  } finally {
    await opened.close()
  }
}

/** Parses, embeds and hands to the writer; what the document is to blame for becomes its fate. */
async function read(
  { index, tools, writer }: { index: CollectionIndex; tools: IngestTools; writer: IndexWriter },
  { input }: OpenedObject,
  document: string,
  base: ManifestEntry,
): Promise<void> {
  const generation = createHash('sha256').update([base.digest, base.parser].join('\n')).digest('hex').slice(0, 16)
  const make = async ({ title, passages }: PreparedPart): Promise<PassageWithVector[]> => {
    const vectors = await tools.embedder.embed(passages.map(({ heading, text }) => [title, heading, text].join('\n')))
    return passages.map(({ findings, ...passage }, at) => ({
      ...passage,
      document,
      title,
      access: base.access,
      findings: JSON.stringify(findings),
      rules: RULES_VERSION,
      generation,
      vector: vectors[at] ?? new Float32Array(index.dimensions),
    }))
  }
  let gathered: PassageWithVector[] = []
  let written = 0
  let note = ''
  try {
    for await (const part of tools.preparer.prepare(input)) {
      const room = MAX_PASSAGES - written - gathered.length
      const passages = part.passages.slice(0, room)
      gathered.push(...(await make({ title: part.title, passages })))
      if (gathered.length > WHOLE_PASSAGES) {
        if (written === 0) writer.begin(document, base)
        await writer.append(gathered)
        written += gathered.length
        gathered = []
      }
      if (passages.length < part.passages.length) {
        note = `only its first ${MAX_PASSAGES} passages are in the index`
        break
      }
    }
  } catch (error) {
    if (!(error instanceof PrepareFailure)) throw error
    // What had been written of it goes as well: half a document is none.
    await writer.add({ document, passages: [], entry: { ...base, fate: error.fate, note: error.note } })
    return
  }
  const count = written + gathered.length
  const entry: ManifestEntry =
    count === 0
      ? { ...base, fate: 'empty', note: 'it holds no text' }
      : { ...base, passages: count, fate: 'indexed', note }
  if (written === 0) return await writer.add({ document, passages: gathered, entry })
  await writer.append(gathered)
  await writer.end(document, entry, generation)
  return undefined
}

/** The object is as it was; who may read it, or the screening rules, may not be. */
export async function refresh(
  index: CollectionIndex,
  document: string,
  entry: ManifestEntry,
  access: Access,
): Promise<Outcome> {
  const { store, manifest } = index
  const current = { ...entry, access: access.id, rules: RULES_VERSION }
  const isScreenedAlike = entry.rules === RULES_VERSION
  if (entry.access === access.id && isScreenedAlike) {
    if (!isSame(manifest.get(document), entry)) manifest.put(document, entry)
    return 'unchanged'
  }
  manifest.addClass(access.id, access.rules)
  if (isScreenedAlike) {
    await store.setAccess(document, access.id)
  } else {
    for await (const passages of store.read(document)) {
      await store.append(
        passages.map((passage) => ({
          ...passage,
          access: access.id,
          findings: JSON.stringify(scan(passage.text)),
          rules: RULES_VERSION,
        })),
      )
    }
  }
  manifest.put(document, current)
  return 'written'
}

function isSame(a: ManifestEntry | undefined, b: ManifestEntry): boolean {
  return a !== undefined && a.version === b.version && a.sequence === b.sequence
}

/** Whether another look at the same contents would come to the same end. */
function isSettled({ fate }: ManifestEntry): boolean {
  const open: readonly Fate[] = ['unreadable', 'too-slow', 'pending', 'deleted']
  return !open.includes(fate)
}

function baseEntry(object: SourceObject, access: Access, sequence: string, tools: IngestTools): ManifestEntry {
  return {
    version: object.version,
    digest: '',
    bytes: object.bytes,
    modifiedEpochMs: object.modifiedEpochMs,
    passages: 0,
    parser: PARSER_VERSION,
    rules: RULES_VERSION,
    access: access.id,
    fate: 'empty',
    note: '',
    sequence,
    atEpochMs: (tools.now ?? Date.now)(),
  }
}
