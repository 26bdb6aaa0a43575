import type { CollectionIndex } from '#dataplane/index/collection-index.ts'
import type { DocumentPassages, PassageWithVector } from '#dataplane/index/store.ts'
import type { ManifestEntry } from './manifest.ts'

/** A document whose passages are ready, and what the manifest is to say of it. */
export interface ReadyDocument extends DocumentPassages {
  readonly entry: ManifestEntry
}

/** Passages that one write of the index takes: a write costs tens of milliseconds, whatever it holds. */
const PASSAGES_AT_ONCE = 512
/** Documents without many passages are not kept waiting for more. */
const DOCUMENTS_AT_ONCE = 128
/** What waits longer is written: a kill costs no more work than this. */
const WAIT_MS = 1000
/** Passages written between two compactions while an ingest goes on. */
const COMPACT_PASSAGES = 50_000

/**
 * Writes documents to the index many at a time, and notes them in the manifest when they are there. `done` is called
 * for each document once it is noted.
 */
export class IndexWriter {
  readonly #index: CollectionIndex
  readonly #done: (document: string, entry: ManifestEntry) => void
  #waiting: ReadyDocument[] = []
  #passages = 0
  #waitingSinceMs = 0
  #sinceCompaction = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(index: CollectionIndex, done: (document: string, entry: ManifestEntry) => void) {
    this.#index = index
    this.#done = done
  }

  /** Takes a document whose passages go in together. Waits while the write before it is under way. */
  async add(document: ReadyDocument): Promise<void> {
    if (this.#waiting.length === 0) this.#waitingSinceMs = performance.now()
    this.#waiting.push(document)
    this.#passages += document.passages.length
    const isOld = performance.now() - this.#waitingSinceMs > WAIT_MS
    if (isOld || this.#passages >= PASSAGES_AT_ONCE || this.#waiting.length >= DOCUMENTS_AT_ONCE) await this.flush()
  }

  /** Begins a document that is written in several steps. */
  begin(document: string, entry: ManifestEntry): void {
    this.#notePending([{ document, passages: [], entry }])
  }

  async append(passages: readonly PassageWithVector[]): Promise<void> {
    await this.#alone(async () => await this.#index.store.append(passages))
    await this.#countWritten(passages.length)
  }

  /** Ends a document that was written in several steps. */
  async end(document: string, entry: ManifestEntry, generation: string): Promise<void> {
    await this.#alone(async () => await this.#index.store.prune(document, generation))
    this.#note([{ document, passages: [], entry }])
  }

  /** Writes what waits. Resolves when everything added so far is in the index. */
  async flush(): Promise<void> {
    const batch = this.#waiting
    this.#waiting = []
    this.#passages = 0
    await this.#alone(async () => await this.#write(batch))
  }

  async #write(batch: readonly ReadyDocument[]): Promise<void> {
    if (batch.length === 0) return
    const { store, manifest } = this.#index
    const isNew = ({ document }: ReadyDocument) => manifest.get(document) === undefined
    const fresh = this.#index.knowsAll ? batch.filter(isNew) : []
    const known = batch.filter((each) => !fresh.includes(each))
    this.#notePending(batch)
    if (fresh.length > 0) await store.replace(fresh, true)
    if (known.length > 0) await store.replace(known, false)
    this.#note(batch)
    await this.#countWritten(batch.reduce((sum, { passages }) => sum + passages.length, 0))
  }

  /** From here on a kill leaves passages that a new start knows about. */
  #notePending(batch: readonly ReadyDocument[]): void {
    const { manifest } = this.#index
    manifest.together(() => {
      for (const { document, entry } of batch) {
        manifest.put(document, { ...entry, version: '', passages: 0, fate: 'pending', note: 'it was being written' })
      }
    })
  }

  #note(batch: readonly ReadyDocument[]): void {
    const { manifest } = this.#index
    manifest.together(() => {
      for (const { document, entry } of batch) manifest.put(document, entry)
    })
    for (const { document, entry } of batch) this.#done(document, entry)
  }

  async #countWritten(passages: number): Promise<void> {
    this.#sinceCompaction += passages
    if (this.#sinceCompaction < COMPACT_PASSAGES) return
    this.#sinceCompaction = 0
    await this.#index.store.compact()
  }

  /** One write at a time: two at once only make each other try again. */
  async #alone(work: () => Promise<void>): Promise<void> {
    const turn = this.#writing.then(work)
    // Whoever waits for this turn gets its error; the next turn must not.
    this.#writing = turn.catch(() => undefined)
    await turn
  }
}
