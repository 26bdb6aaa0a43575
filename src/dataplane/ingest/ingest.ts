import type { CollectionIndex } from '#dataplane/index/collection-index.ts'
import type { ObjectSource, SourceChange, SourceObject } from '#dataplane/sources/source.ts'
import { accessOf } from '#dataplane/access/collection.ts'
import { bringIn, refresh } from './bring-in.ts'
import type { IngestTools, Outcome } from './bring-in.ts'
import type { Fate, ManifestEntry } from './manifest.ts'
import { IndexWriter } from './writer.ts'

export type { IngestTools } from './bring-in.ts'

/** One document is done. */
export interface IngestProgress {
  readonly collection: string
  readonly document: string
  readonly fate: Fate
  readonly isChanged: boolean
  readonly done: number
  /** Documents listed so far: the listing runs ahead of the reading. */
  readonly total: number
}

/** What an ingest did. */
export interface IngestReport {
  readonly collection: string
  /** Documents with passages in the index now. */
  readonly documents: number
  readonly passages: number
  /** Documents read because they are new or changed, or were made by another version. */
  readonly changed: number
  readonly unchanged: number
  readonly removed: number
  /** Documents without passages. */
  readonly failures: number
  /** The first of them in order of their names, at most `MAX_LISTED`, and why. */
  readonly failed: readonly { readonly document: string; readonly fate: Fate; readonly note: string }[]
  readonly ms: number
}

export interface IngestOptions {
  /** Called after each document; what it throws ends the ingest. */
  readonly onProgress?: (progress: IngestProgress) => void
  readonly signal?: AbortSignal
}

/** Enough to keep the parsing and embedding workers busy while others are read or written. */
const DOCUMENTS_AT_ONCE = 6
const MAX_LISTED = 1000

/**
 * Brings the index up to date with the source; what a stream once told is only given its present readers and screening. Unchanged documents cost one look at their version. May be killed at any
 * point: what was not noted in the manifest is done again, and replaces itself.
 *
 * @throws when the source can not be listed, another process ingests the same collection, or a package is missing.
 */
export async function ingest(
  index: CollectionIndex,
  tools: IngestTools,
  options: IngestOptions = {},
): Promise<IngestReport> {
  const { source } = index.collection
  try {
    return await index.alone(async () =>
      'list' in source ? await listInto(index, source, tools, options) : await refreshAll(index, options),
    )
  } catch (error) {
    if (!isFull(error)) throw error
    const message = `the disk of the index of \`${index.collection.name}\` is full: make room and ingest again, nothing is lost`
    throw new Error(message, { cause: error })
  }
}

/** In the words of the system, of SQLite and of LanceDB. */
function isFull(error: unknown): boolean {
  return error instanceof Error && /no space left on device|ENOSPC|disk is full/i.test(error.message)
}

/** Nobody can ask a stream again: its documents stay as they arrived, with the readers and the screening of today. */
async function refreshAll(
  index: CollectionIndex,
  { onProgress, signal = new AbortController().signal }: IngestOptions,
): Promise<IngestReport> {
  const startedMs = performance.now()
  const { manifest, store, collection } = index
  const documents = manifest.indexed()
  const tally = { listed: documents.length, done: 0, changed: 0, removed: 0 }
  for (const document of documents) {
    signal.throwIfAborted()
    const entry = manifest.get(document)
    if (entry === undefined) continue
    const isChanged = (await refresh(index, document, entry, accessOf(collection, document))) === 'written'
    tally.done += 1
    if (isChanged) tally.changed += 1
    const { done, listed: total } = tally
    onProgress?.({ collection: collection.name, document, fate: entry.fate, isChanged, done, total })
  }
  if (tally.changed > 0) await store.compact()
  return report(index, { ...tally, ms: performance.now() - startedMs })
}

async function listInto(
  index: CollectionIndex,
  source: ObjectSource,
  tools: IngestTools,
  { onProgress, signal = new AbortController().signal }: IngestOptions,
): Promise<IngestReport> {
  const startedMs = performance.now()
  const { manifest, store, collection } = index
  const tally = { listed: 0, done: 0, changed: 0, removed: 0 }
  const stop = new AbortController()
  const ended = AbortSignal.any([signal, stop.signal])
  const tell = (document: string, fate: Fate, isChanged: boolean): void => {
    tally.done += 1
    const { done, listed } = tally
    onProgress?.({ collection: collection.name, document, fate, isChanged, done, total: listed })
  }
  const writer = new IndexWriter(index, (document, { fate }: ManifestEntry) => tell(document, fate, true))
  manifest.beginListing()
  const listing = source.list(ended)[Symbol.asyncIterator]()
  const gone: string[] = []
  const one = async (object: SourceObject): Promise<void> => {
    const outcome = await bringIn({ index, tools, writer }, object, async () => source.open(object, ended))
    if (outcome === 'written') tally.changed += 1
    else if (outcome === 'gone') gone.push(object.document)
    else tell(object.document, manifest.get(object.document)?.fate ?? 'indexed', false)
  }
  const work = async (): Promise<void> => {
    while (!ended.aborted) {
      const next = await listing.next()
      if (next.done === true) return
      tally.listed += 1
      manifest.seen(next.value.document)
      await one(next.value)
    }
    signal.throwIfAborted()
  }
  try {
    await allOrFirstError(Array.from({ length: DOCUMENTS_AT_ONCE }, async () => await stopOthers(stop, work)))
  } finally {
    // What is ready by now need not be made again.
    await writer.flush()
    await listing.return?.()
  }
  const removed = [...manifest.unseen(), ...gone]
  await remove(index, removed, tools)
  tally.removed = removed.length
  if (tally.changed + removed.length > 0) await store.compact()
  return report(index, { ...tally, ms: performance.now() - startedMs })
}

/**
 * Brings in what a source says has changed. Resolves when the index has it.
 *
 * @returns documents read or removed.
 */
export async function takeChanges(
  index: CollectionIndex,
  tools: IngestTools,
  changes: readonly SourceChange[],
  signal: AbortSignal,
): Promise<number> {
  const { source } = index.collection
  const writer = new IndexWriter(index, () => undefined)
  const removed: string[] = []
  let count = 0
  const counted = (outcome: Outcome, document: string): void => {
    if (outcome === 'gone') removed.push(document)
    if (outcome === 'written') count += 1
  }
  for (const change of lastOfEach(changes)) {
    signal.throwIfAborted()
    const { document } = change
    if (change.kind === 'changed') {
      if (!('list' in source)) throw new TypeError('a stream has nothing to look after')
      const object = await source.find?.(document, signal)
      if (object === undefined) removed.push(document)
      else counted(await bringIn({ index, tools, writer }, object, async () => source.open(object, signal)), document)
      continue
    }
    if (isOlder(change.sequence, index.manifest.get(document)?.sequence)) continue
    if (change.kind === 'deleted') removed.push(document)
    else counted(await bringIn({ index, tools, writer }, change.object, change.open, change.sequence), document)
  }
  await writer.flush()
  const known = removed.filter((document) => (index.manifest.get(document)?.fate ?? 'deleted') !== 'deleted')
  const sequences = sequencesOf(changes)
  await remove(index, known, tools, sequences)
  // Also of what was not there: the event that brought it may come later.
  const told = removed.filter((document) => !known.includes(document) && (sequences.get(document) ?? '') !== '')
  buryAll(index, told, tools, sequences)
  return count + known.length
}

/** Of several changes of one document the last says all. */
function lastOfEach(changes: readonly SourceChange[]): SourceChange[] {
  return [...new Map(changes.map((change) => [change.document, change])).values()]
}

function sequencesOf(changes: readonly SourceChange[]): ReadonlyMap<string, string> {
  return new Map(changes.map((change) => [change.document, change.kind === 'changed' ? '' : change.sequence]))
}

/** Sequences are decimal numbers of any length. */
function isOlder(sequence: string, former: string | undefined): boolean {
  if (former === undefined || former === '' || sequence === '') return false
  return BigInt(sequence) < BigInt(former)
}

/** Takes documents out of the index and leaves a tombstone for each. */
async function remove(
  index: CollectionIndex,
  documents: readonly string[],
  tools: IngestTools,
  sequences: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  if (documents.length === 0) return
  await index.store.remove(documents)
  buryAll(index, documents, tools, sequences)
}

/** Of a document that nobody has seen. */
const NOTHING = { version: '', digest: '', bytes: 0, modifiedEpochMs: 0, parser: '', rules: '', access: '' } as const

function buryAll(
  { manifest }: CollectionIndex,
  documents: readonly string[],
  tools: IngestTools,
  sequences: ReadonlyMap<string, string>,
): void {
  if (documents.length === 0) return
  const atEpochMs = (tools.now ?? Date.now)()
  manifest.together(() => {
    for (const document of documents) {
      const former = manifest.get(document) ?? NOTHING
      const sequence = sequences.get(document) ?? ''
      const note = 'it was deleted at its source'
      manifest.put(document, { ...former, passages: 0, fate: 'deleted', note, sequence, atEpochMs })
    }
  })
}

function report(
  { collection, manifest }: CollectionIndex,
  facts: { listed: number; changed: number; removed: number; ms: number },
): IngestReport {
  const { documents, passages, failed: failures } = manifest.counts()
  const { listed, changed, removed, ms } = facts
  return {
    collection: collection.name,
    documents,
    passages,
    changed,
    unchanged: Math.max(0, listed - changed),
    removed,
    failures,
    failed: manifest.failed(MAX_LISTED),
    ms,
  }
}

async function stopOthers(stop: AbortController, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    stop.abort(error)
    throw error
  }
}

/** Waits for all, so that nothing still writes when the first error is thrown. */
async function allOrFirstError(promises: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(promises)
  const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []))
  // The one that stopped the others, not what they threw when they were stopped.
  const [first] = errors.toSorted((a, b) => Number(isAbort(a)) - Number(isAbort(b)))
  if (first instanceof Error) throw first
  if (first !== undefined) throw new Error('the ingest failed', { cause: first })
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
