import { mkdir, readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { replaceFile } from '#kit/durable-file.ts'
import { type EntryFacts, factsOf } from './entry-facts.ts'
import { eachEntry } from './read-entries.ts'

/** One entry as the index knows it. */
export interface IndexRow extends EntryFacts {
  readonly index: number
}

export interface IndexQuery {
  readonly subject?: string | undefined
  readonly alias?: string | undefined
  readonly outcome?: string | undefined
  /** Epoch milliseconds, from and including. */
  readonly sinceMs?: number | undefined
  /** Epoch milliseconds, before. */
  readonly untilMs?: number | undefined
  readonly limit: number
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS entry (
    idx INTEGER PRIMARY KEY, id TEXT NOT NULL, time_ms INTEGER NOT NULL, subject TEXT NOT NULL, tenant TEXT NOT NULL,
    alias TEXT NOT NULL, target TEXT NOT NULL, outcome TEXT NOT NULL, code TEXT NOT NULL,
    forget_ms INTEGER NOT NULL);
  CREATE INDEX IF NOT EXISTS entry_id ON entry (id);
  CREATE INDEX IF NOT EXISTS entry_subject ON entry (subject, time_ms);
`
/** Form of the tables: noted beside how far they are. */
const FORM = 'form-2'
const COLUMNS = 'idx, id, time_ms, subject, tenant, alias, target, outcome, code, forget_ms'
const INSERT = `INSERT INTO entry (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

/**
 * Finds entries by what they say: a database a day (UTC), which catches up with the log when it is opened. A
 * projection: the folder can be deleted at any time.
 */
export class EntryIndex {
  readonly #folder: string
  readonly #days = new Map<string, DatabaseSync>()

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Opens the index in `folder` and brings it up to date with the log in `audit`. */
  static async open(folder: string, audit: string): Promise<EntryIndex> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const index = new EntryIndex(folder)
    try {
      if (await index.#catchUp(audit)) {
        await index.#forget(Date.now())
        return index
      }
    } catch (error) {
      index.close()
      throw error
    }
    // The log has fewer entries than were indexed: it is another one.
    index.close()
    return EntryIndex.rebuild(folder, audit)
  }

  /** Throws the index away and makes it again from the log. */
  static async rebuild(folder: string, audit: string): Promise<EntryIndex> {
    await rm(folder, { recursive: true, force: true })
    return EntryIndex.open(folder, audit)
  }

  /** Entries of one request, the first first. */
  async find(id: string): Promise<IndexRow[]> {
    const rows: IndexRow[] = []
    for (const day of await this.#daysOnDisk())
      rows.push(...this.#select(day, `SELECT ${COLUMNS} FROM entry WHERE id = ? ORDER BY idx`, [id]))
    return rows
  }

  /** Entries that match, the newest first. */
  async search(query: IndexQuery): Promise<IndexRow[]> {
    const conditions: (readonly [sql: string, value: string | number | undefined])[] = [
      ['subject = ?', query.subject],
      ['alias = ?', query.alias],
      ['outcome = ?', query.outcome],
      ['time_ms >= ?', query.sinceMs],
      ['time_ms < ?', query.untilMs],
    ]
    const given = conditions.flatMap(([sql, value]) => (value === undefined ? [] : [[sql, value] as const]))
    const where = given.length === 0 ? '' : `WHERE ${given.map(([sql]) => sql).join(' AND ')}`
    const rows: IndexRow[] = []
    for (const day of (await this.#daysOnDisk()).toReversed()) {
      const left = query.limit - rows.length
      if (left <= 0) break
      const sql = `SELECT ${COLUMNS} FROM entry ${where} ORDER BY time_ms DESC, idx DESC LIMIT ?`
      rows.push(...this.#select(day, sql, [...given.map(([, value]) => value), left]))
    }
    return rows
  }

  /** Entries in the index. */
  async count(): Promise<number> {
    let count = 0
    for (const day of await this.#daysOnDisk()) {
      const row = this.#day(day).prepare('SELECT count(*) AS n FROM entry').get()
      count += Number(row?.['n'] ?? 0)
    }
    return count
  }

  close(): void {
    for (const day of this.#days.values()) day.close()
    this.#days.clear()
  }

  /** False when the index is of another log, or of another form. */
  async #catchUp(audit: string): Promise<boolean> {
    const progress = join(this.#folder, 'progress')
    const noted = await readFile(progress, 'utf8').catch(() => `${FORM} 0`)
    // An index of another form is made again, as one of another log is.
    if (!noted.startsWith(`${FORM} `)) return false
    const from = Number(noted.slice(FORM.length + 1))
    const inserts = new Map<string, StatementSync>()
    const { entries } = await eachEntry(
      audit,
      ({ index, bytes }) => {
        const facts = factsOf(bytes.toString('utf8'))
        const day = dayOf(facts.timeMs)
        let insert = inserts.get(day)
        if (insert === undefined) {
          const database = this.#day(day)
          database.exec('BEGIN')
          insert = database.prepare(INSERT)
          inserts.set(day, insert)
        }
        const { id, timeMs, subject, tenant, alias, target, outcome, code, forgetMs } = facts
        insert.run(index, id, timeMs, subject, tenant, alias, target, outcome, code, forgetMs)
      },
      from,
    )
    for (const day of inserts.keys()) this.#day(day).exec('COMMIT')
    // Behind the commits: what a crash in between adds again changes nothing.
    if (entries > from) await replaceFile(progress, `${FORM} ${entries}`)
    return entries >= from
  }

  /** Rows whose time is over, as policy obliged; the log keeps their entries. */
  async #forget(nowMs: number): Promise<void> {
    for (const day of await this.#daysOnDisk())
      this.#day(day).prepare('DELETE FROM entry WHERE forget_ms > 0 AND forget_ms <= ?').run(nowMs)
  }

  #day(day: string): DatabaseSync {
    let database = this.#days.get(day)
    if (database === undefined) {
      database = new DatabaseSync(join(this.#folder, `${day}.sqlite`))
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
      database.exec(SCHEMA)
      this.#days.set(day, database)
    }
    return database
  }

  async #daysOnDisk(): Promise<string[]> {
    const names = await readdir(this.#folder)
    return names
      .filter((name) => /^\d{4,6}-\d{2}-\d{2}\.sqlite$/.test(name))
      .map((name) => name.slice(0, -'.sqlite'.length))
      .toSorted()
  }

  #select(day: string, sql: string, values: readonly (string | number)[]): IndexRow[] {
    return this.#day(day)
      .prepare(sql)
      .all(...values)
      .map((row) => ({
        index: Number(row['idx']),
        id: String(row['id']),
        timeMs: Number(row['time_ms']),
        subject: String(row['subject']),
        tenant: String(row['tenant']),
        alias: String(row['alias']),
        target: String(row['target']),
        outcome: String(row['outcome']),
        code: String(row['code']),
        forgetMs: Number(row['forget_ms']),
      }))
  }
}

/** UTC day of a time; times that no calendar holds are of the first day. */
function dayOf(timeMs: number): string {
  const date = new Date(Math.abs(timeMs) < 253_402_300_800_000 && timeMs > 0 ? timeMs : 0)
  return date.toISOString().slice(0, 10)
}
