import { RULES_VERSION, scan } from '#detect/scan.ts'
import { createHash } from 'node:crypto'
import { accessId } from '#dataplane/access/collection.ts'
import type { CollectionIndex } from '#dataplane/index/collection-index.ts'
import type { Embedder } from '#dataplane/embed/embed.ts'
import { listFolder, MAX_FILE_BYTES, readSource } from '#dataplane/sources/folder.ts'
import type { SourceFile } from '#dataplane/sources/folder.ts'
import type { PassageWithVector } from '#dataplane/index/index-store.ts'
import { withLock } from './lock-file.ts'
import { readManifest, writeManifest } from './manifest.ts'
import type { Fate, Manifest, ManifestEntry } from './manifest.ts'
import { PARSER_VERSION } from '#dataplane/parse/parse.ts'
import type { PreparedPassage } from './prepare.ts'
import { PrepareFailure } from './preparer.ts'
import type { Preparer } from './preparer.ts'

/** What ingest works with. */
export interface IngestTools {
  readonly embedder: Embedder
  readonly preparer: Preparer
}

/** One document is done. */
export interface IngestProgress {
  readonly collection: string
  readonly document: string
  readonly fate: Fate
  readonly isChanged: boolean
  readonly done: number
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
  /** Documents without passages, and why. */
  readonly failed: readonly { readonly document: string; readonly fate: Fate; readonly note: string }[]
  /** Whether the folder holds more files than are read. */
  readonly isCut: boolean
  readonly ms: number
}

/** Enough to keep the embedding workers busy while another document is read. */
const DOCUMENTS_AT_ONCE = 2
/** Saving takes at most this share of the time: the manifest grows with the collection. */
const SAVE_SHARE = 0.05

/**
 * Brings the index up to date with the folder. Unchanged documents cost one look at their size and time.
 * May be killed at any point: what was not noted in the manifest is done again, and replaces itself.
 *
 * @param onProgress called after each document; what it throws ends the ingest.
 * @throws when the folder can not be read, another process ingests the same collection, or a package is missing.
 */
export async function ingest(
  index: CollectionIndex,
  tools: IngestTools,
  onProgress: (progress: IngestProgress) => void = () => undefined,
): Promise<IngestReport> {
  return await withLock(index.lockPath, async () => await ingestLocked(index, tools, onProgress))
}

async function ingestLocked(
  index: CollectionIndex,
  tools: IngestTools,
  onProgress: (progress: IngestProgress) => void,
): Promise<IngestReport> {
  const startedMs = performance.now()
  const { files, isCut } = await listFolder(index.collection.folder)
  // Another process may have ingested since this one opened the index.
  const manifest: Manifest = new Map((await readManifest(index.manifestPath)) ?? index.manifest)
  const saver = createSaver(index.manifestPath, manifest)
  const queue = files.values()
  let changed = 0
  let done = 0
  let isStopped = false
  async function work(): Promise<void> {
    for (const file of queue) {
      if (isStopped) return
      const former = manifest.get(file.document)
      const entry = await bringIn(index, tools, file, former)
      manifest.set(file.document, entry.entry)
      if (entry.isChanged) changed += 1
      if (entry.entry !== former) await saver.saveSoon()
      done += 1
      const { fate } = entry.entry
      onProgress({
        collection: index.collection.name,
        document: file.document,
        fate,
        isChanged: entry.isChanged,
        done,
        total: files.length,
      })
    }
  }
  try {
    await allOrFirstError(
      Array.from({ length: DOCUMENTS_AT_ONCE }, async () => {
        try {
          await work()
        } finally {
          isStopped = true
        }
      }),
    )
  } finally {
    await saver.save()
  }
  const removed = await removeGone(index, manifest, new Set(files.map(({ document }) => document)))
  if (removed > 0) await saver.save()
  if (changed + removed > 0) await index.store.compact()
  index.adopt(manifest)
  return {
    ...summary(index.collection.name, manifest),
    changed,
    unchanged: files.length - changed,
    removed,
    isCut,
    ms: performance.now() - startedMs,
  }
}

interface BroughtIn {
  readonly entry: ManifestEntry
  readonly isChanged: boolean
}

async function bringIn(
  index: CollectionIndex,
  tools: IngestTools,
  file: SourceFile,
  former: ManifestEntry | undefined,
): Promise<BroughtIn> {
  const access = accessId(index.collection, file.document)
  const isMadeAlike = former?.parser === PARSER_VERSION && former.model === tools.embedder.model
  if (former !== undefined && isMadeAlike && isSameFile(former, file)) {
    return await refreshStored(index, file.document, former, access)
  }
  const base = baseEntry(file, tools.embedder.model, access)
  const source = await read(file)
  if ('fate' in source) return await fail(index, file.document, { ...base, ...source })
  const digest = createHash('sha256').update(source.bytes).digest('hex')
  if (former !== undefined && isMadeAlike && former.digest === digest) {
    const touched = { ...former, bytes: file.bytes, modifiedEpochMs: file.modifiedEpochMs }
    return await refreshStored(index, file.document, touched, access)
  }
  const prepared = await prepareWhole(tools.preparer, file.document, source.bytes)
  if ('fate' in prepared) return await fail(index, file.document, { ...base, digest, ...prepared })
  const { title, passages } = prepared
  const vectors = await tools.embedder.embed(passages.map(({ heading, text }) => [title, heading, text].join('\n')))
  const rows = passages.map(({ text, heading, page, start, end, findings }, at): PassageWithVector => ({
    text,
    heading,
    page,
    start,
    end,
    document: file.document,
    title,
    access,
    findings: JSON.stringify(findings),
    rules: RULES_VERSION,
    vector: vectors[at] ?? new Float32Array(tools.embedder.dimensions),
  }))
  await index.store.replace(file.document, rows)
  return { entry: { ...base, digest, passages: rows.length, fate: 'indexed', note: '' }, isChanged: true }
}

async function prepareWhole(
  preparer: Preparer,
  name: string,
  bytes: Uint8Array,
): Promise<
  | { readonly title: string; readonly passages: readonly PreparedPassage[] }
  | { readonly fate: PrepareFailure['fate']; readonly note: string }
> {
  let title = ''
  const passages: PreparedPassage[] = []
  try {
    for await (const part of preparer.prepare({ name, bytes })) {
      title = part.title
      passages.push(...part.passages)
    }
    return { title, passages }
  } catch (error) {
    if (error instanceof PrepareFailure) return { fate: error.fate, note: error.note }
    throw error
  }
}

/** The file is as it was; who may read it, or the screening rules, may not be. */
async function refreshStored(
  index: CollectionIndex,
  document: string,
  entry: ManifestEntry,
  access: string,
): Promise<BroughtIn> {
  if (entry.access === access && entry.rules === RULES_VERSION) return { entry, isChanged: false }
  if (entry.rules !== RULES_VERSION) {
    const passages = await index.store.read(document)
    const screened = passages.map((passage) => ({
      ...passage,
      access,
      findings: JSON.stringify(scan(passage.text)),
      rules: RULES_VERSION,
    }))
    await index.store.replace(document, screened)
  } else {
    await index.store.setAccess(document, access)
  }
  return { entry: { ...entry, access, rules: RULES_VERSION }, isChanged: true }
}

/** A document that gives no passages (any more). */
async function fail(index: CollectionIndex, document: string, entry: ManifestEntry): Promise<BroughtIn> {
  await index.store.remove(document)
  return { entry, isChanged: true }
}

async function read(
  file: SourceFile,
): Promise<{ bytes: Uint8Array<ArrayBuffer> } | { fate: 'too-large' | 'unreadable'; note: string }> {
  if (file.bytes > MAX_FILE_BYTES)
    return { fate: 'too-large', note: `it is larger than ${MAX_FILE_BYTES / 1024 / 1024} MB` }
  try {
    return { bytes: await readSource(file) }
  } catch (error) {
    if (error instanceof RangeError) return { fate: 'too-large', note: error.message }
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    return { fate: 'unreadable', note: `it can not be read (${code})` }
  }
}

function baseEntry(file: SourceFile, model: string, access: string): ManifestEntry {
  return {
    digest: '',
    bytes: file.bytes,
    modifiedEpochMs: file.modifiedEpochMs,
    passages: 0,
    parser: PARSER_VERSION,
    rules: RULES_VERSION,
    model,
    access,
    fate: 'empty',
    note: '',
  }
}

/** A file that could not be read may become readable without a change of its size and time. */
function isSameFile(former: ManifestEntry, file: SourceFile): boolean {
  if (former.fate === 'unreadable' || former.fate === 'too-slow') return false
  return former.bytes === file.bytes && former.modifiedEpochMs === file.modifiedEpochMs
}

async function removeGone(index: CollectionIndex, manifest: Manifest, present: ReadonlySet<string>): Promise<number> {
  const gone = [...manifest.keys()].filter((document) => !present.has(document))
  for (const document of gone) {
    await index.store.remove(document)
    manifest.delete(document)
  }
  return gone.length
}

function createSaver(path: string, manifest: Manifest) {
  let nextAtMs = 0
  let last = Promise.resolve()
  async function saveNow(): Promise<void> {
    const startedMs = performance.now()
    await writeManifest(path, manifest)
    const endedMs = performance.now()
    nextAtMs = endedMs + (endedMs - startedMs) / SAVE_SHARE
  }
  async function save(): Promise<void> {
    last = last.then(saveNow)
    await last
  }
  return {
    save,
    async saveSoon(): Promise<void> {
      if (performance.now() >= nextAtMs) await save()
    },
  }
}

/** The counts of a collection, from its manifest. */
export function summary(collection: string, manifest: Manifest) {
  const entries = [...manifest]
  return {
    collection,
    documents: entries.filter(([, { fate }]) => fate === 'indexed').length,
    passages: entries.reduce((sum, [, { passages }]) => sum + passages, 0),
    failed: entries
      .filter(([, { fate }]) => fate !== 'indexed')
      .map(([document, { fate, note }]) => ({ document, fate, note })),
  }
}

/** Waits for all, so that nothing still writes when the first error is thrown. */
async function allOrFirstError(promises: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(promises)
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}
