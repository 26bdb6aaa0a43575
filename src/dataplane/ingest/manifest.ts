import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import { z } from 'zod'
import type { Readers } from '#dataplane/access/collection.ts'

/**
 * What became of a document. Only `indexed` ones have passages. `pending`: its passages are being written, so some may
 * be there. `deleted`: a tombstone, which an older event about the document does not bring back to life.
 */
const FATES = [
  'indexed',
  'empty',
  'too-large',
  'unreadable',
  'corrupt',
  'encrypted',
  'unsupported',
  'too-slow',
  'pending',
  'deleted',
] as const

export type Fate = (typeof FATES)[number]

const Entry = z.object({
  /** State of the source's object that this is about: an ETag and version, or size and time of a file. */
  version: z.string(),
  /** SHA-256 of the contents, hex; empty when they were not read whole. */
  digest: z.string(),
  bytes: z.number(),
  modifiedEpochMs: z.number(),
  passages: z.number(),
  /** Version of the parsers and the splitter. */
  parser: z.string(),
  /** Version of the screening rules. */
  rules: z.string(),
  /** Who may read it, as an access id. */
  access: z.string(),
  fate: z.enum(FATES),
  /** Why, when the fate is not `indexed`; what was left out, when it is. */
  note: z.string(),
  /** Order of the last event about the document, as its source orders them; empty when it was listed. */
  sequence: z.string(),
  /** When this was written, epoch milliseconds. */
  atEpochMs: z.number(),
})

/** What the index holds of one document, and of which state of the object. */
export type ManifestEntry = z.infer<typeof Entry>

/** Counts of a collection. */
export interface ManifestCounts {
  /** Documents with passages. */
  readonly documents: number
  readonly passages: number
  /** Documents without, tombstones aside. */
  readonly failed: number
  readonly deleted: number
}

export interface FailedDocument {
  readonly document: string
  readonly fate: Fate
  readonly note: string
}

/**
 * What the index of one collection was made from: a SQLite file beside it. The index is written first and the manifest
 * after it, so what a kill leaves out is done again and replaces itself.
 */
export interface Manifest {
  get(document: string): ManifestEntry | undefined
  put(document: string, entry: ManifestEntry): void
  /** Everything that `work` puts becomes durable at once, or nothing. */
  together(work: () => void): void
  /** Begins a listing: nothing has been seen. */
  beginListing(): void
  seen(document: string): void
  /** Documents that have not been seen since the listing began, tombstones aside. */
  unseen(): string[]
  /** Documents with passages, in order of their names. */
  indexed(): string[]
  counts(): ManifestCounts
  /** In order of their names. */
  failed(limit: number): FailedDocument[]
  /** Access ids that documents have, with the rules behind them. */
  classes(): ReadonlyMap<string, readonly Readers[]>
  addClass(id: string, rules: readonly Readers[]): void
  fact(name: string): string | undefined
  setFact(name: string, value: string): void
  /** Counts up with every change that any process makes. */
  changes(): number
  /** A copy of the whole file at one moment. @throws when the disk is full. */
  copyTo(path: string): void
  /** Becomes what the file at `path` is, in one step. @throws when it is no manifest of this layout. */
  takeFrom(path: string): void
  close(): void
}

/** Another layout of the file: the index is made anew. */
const LAYOUT = '3'
/** Another process may be at it for as long. */
const BUSY_TIMEOUT_MS = 10_000

const COLUMNS = Object.keys(Entry.shape)

const SCHEMA = `
CREATE TABLE IF NOT EXISTS documents (
  document TEXT PRIMARY KEY, version TEXT NOT NULL, digest TEXT NOT NULL, bytes INTEGER NOT NULL,
  modifiedEpochMs REAL NOT NULL, passages INTEGER NOT NULL, parser TEXT NOT NULL, rules TEXT NOT NULL,
  access TEXT NOT NULL, fate TEXT NOT NULL, note TEXT NOT NULL, sequence TEXT NOT NULL, atEpochMs REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS fates ON documents (fate, document);
CREATE TABLE IF NOT EXISTS classes (id TEXT PRIMARY KEY, rules TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS seen (document TEXT PRIMARY KEY) WITHOUT ROWID;
`

const Names = z.array(z.string())
const Rules = z.array(z.object({ roles: Names, groups: Names, tenants: Names, subjects: Names }))
const Counts = z.object({ documents: z.number(), passages: z.number(), failed: z.number(), deleted: z.number() })
const Failed = z.object({ document: z.string(), fate: z.enum(FATES), note: z.string() })

/** Opens the manifest at `path`, or makes an empty one; one of another layout counts as empty. */
export function openManifest(path: string): Manifest {
  mkdirSync(dirname(path), { recursive: true })
  return new SqliteManifest(path)
}

class SqliteManifest implements Manifest {
  readonly #database: DatabaseSync
  readonly #get: StatementSync
  readonly #put: StatementSync
  readonly #seen: StatementSync

  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
    // A killed process loses nothing; a machine that loses power may lose the last moments, which are done again.
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    this.#database.exec(SCHEMA)
    if ((this.fact('layout') ?? LAYOUT) !== LAYOUT) {
      this.#database.exec('DELETE FROM documents; DELETE FROM classes; DELETE FROM facts')
    }
    if (this.fact('layout') === undefined) this.setFact('layout', LAYOUT)
    const values = COLUMNS.map((column) => `:${column}`).join(', ')
    this.#get = this.#database.prepare(`SELECT ${COLUMNS.join(', ')} FROM documents WHERE document = ?`)
    this.#put = this.#database.prepare(
      `INSERT OR REPLACE INTO documents (document, ${COLUMNS.join(', ')}) VALUES (:document, ${values})`,
    )
    this.#seen = this.#database.prepare('INSERT OR IGNORE INTO seen (document) VALUES (?)')
  }

  get(document: string): ManifestEntry | undefined {
    const row = this.#get.get(document)
    return row === undefined ? undefined : Entry.parse(row)
  }

  put(document: string, entry: ManifestEntry): void {
    this.#put.run({ document, ...entry })
  }

  together(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.#database.exec('COMMIT')
    } catch (error) {
      // A full disk ends the transaction by itself.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  beginListing(): void {
    this.#database.exec('DELETE FROM seen')
  }

  seen(document: string): void {
    this.#seen.run(document)
  }

  unseen(): string[] {
    const rows = this.#database
      .prepare(`SELECT document FROM documents WHERE fate != 'deleted' AND document NOT IN (SELECT document FROM seen)`)
      .all()
    return rows.map(({ document }) => String(document))
  }

  indexed(): string[] {
    const rows = this.#database.prepare(`SELECT document FROM documents WHERE fate = 'indexed' ORDER BY document`).all()
    return rows.map(({ document }) => String(document))
  }

  counts(): ManifestCounts {
    const row = this.#database
      .prepare(
        `SELECT count(*) FILTER (WHERE fate = 'indexed') AS documents, coalesce(sum(passages), 0) AS passages,
         count(*) FILTER (WHERE fate NOT IN ('indexed', 'deleted')) AS failed,
         count(*) FILTER (WHERE fate = 'deleted') AS deleted FROM documents`,
      )
      .get()
    return Counts.parse(row)
  }

  failed(limit: number): FailedDocument[] {
    const rows = this.#database
      .prepare(
        `SELECT document, fate, note FROM documents WHERE fate NOT IN ('indexed', 'deleted') ORDER BY document LIMIT ?`,
      )
      .all(limit)
    return z.array(Failed).parse(rows)
  }

  classes(): ReadonlyMap<string, readonly Readers[]> {
    // Classes that no document has any more open nothing, so they may stay.
    const rows = this.#database.prepare('SELECT id, rules FROM classes').all()
    return new Map(rows.map(({ id, rules }) => [String(id), Rules.parse(JSON.parse(String(rules)))]))
  }

  addClass(id: string, rules: readonly Readers[]): void {
    const own = rules.map(({ roles, groups, tenants = [], subjects = [] }) => ({ roles, groups, tenants, subjects }))
    this.#database.prepare('INSERT OR IGNORE INTO classes (id, rules) VALUES (?, ?)').run(id, JSON.stringify(own))
  }

  fact(name: string): string | undefined {
    const row = this.#database.prepare('SELECT value FROM facts WHERE name = ?').get(name)
    return row === undefined ? undefined : String(row['value'])
  }

  setFact(name: string, value: string): void {
    this.#database.prepare('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)').run(name, value)
  }

  changes(): number {
    const own = Number(this.#database.prepare('SELECT total_changes() AS n').get()?.['n'])
    return own + Number(this.#database.prepare('PRAGMA data_version').get()?.['data_version'])
  }

  copyTo(path: string): void {
    this.#database.prepare('VACUUM INTO ?').run(path)
  }

  takeFrom(path: string): void {
    this.#database.prepare('ATTACH ? AS other').run(path)
    try {
      const layout = this.#database.prepare("SELECT value FROM other.facts WHERE name = 'layout'").get()?.['value']
      if (layout !== LAYOUT) throw new Error(`the manifest has layout ${String(layout)}, not ${LAYOUT}`)
      this.together(() => {
        for (const table of ['documents', 'classes', 'facts']) {
          this.#database.exec(`DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM other.${table}`)
        }
      })
    } finally {
      this.#database.exec('DETACH other')
    }
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }
}
