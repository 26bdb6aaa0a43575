import type { EntryIndex, IndexQuery } from '#record/entry-index.ts'
import { entryOf } from '#record/ocsf.ts'
import { readEntry } from '#record/read-entries.ts'
import { type Given, WrongUsage } from '#bin/command.ts'
import { showEntry } from '#bin/show-entry.ts'
import { type Place, placeOf } from './place.ts'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 100_000

/** `audit show`: one entry, found by its request id. */
export async function show(given: Given, id: string): Promise<number> {
  const place = await placeOf(given)
  const index = await indexOfId(place, id)
  const entry = index === undefined ? undefined : await readEntry(place.audit, index)
  if (entry === undefined) {
    process.stderr.write(`there is no entry ${id}\n`)
    return 1
  }
  const json = entry.bytes.toString('utf8')
  const request = given.flag('json') ? undefined : entryOf(json)
  process.stdout.write(request === undefined ? `${json}\n` : showEntry(request, entry.index))
  return 0
}

/** `audit search`: the newest entries that match. */
export async function search(given: Given): Promise<number> {
  const query: IndexQuery = {
    subject: given.text('subject'),
    alias: given.text('alias'),
    outcome: given.text('outcome'),
    sinceMs: timeOf(given, 'since'),
    untilMs: timeOf(given, 'until'),
    limit: given.number('limit', 1, MAX_LIMIT) ?? DEFAULT_LIMIT,
  }
  const rows = await withIndex(await placeOf(given), (index) => index.search(query))
  for (const row of rows) {
    if (given.flag('json')) process.stdout.write(`${JSON.stringify(row)}\n`)
    else {
      const what = `${row.outcome}${row.code === '' ? '' : ` ${row.code}`}`
      process.stdout.write(
        `${new Date(row.timeMs).toISOString()}  ${row.id}  ${what}  ${row.alias} -> ${row.target}  ${row.subject}\n`,
      )
    }
  }
  return rows.length === 0 ? 1 : 0
}

/** `audit rebuild`: the index anew. */
export async function rebuild(given: Given): Promise<number> {
  const place = await placeOf(given)
  const { EntryIndex: Index } = await import('#record/entry-index.ts')
  const index = await Index.rebuild(place.index, place.audit)
  const count = await index.count()
  index.close()
  process.stdout.write(`the index has been made again from ${count} entries\n`)
  return 0
}

/** Index of the entry of a request, or undefined. */
export async function indexOfId(place: Place, id: string): Promise<number | undefined> {
  return withIndex(place, async (index) => (await index.find(id))[0]?.index)
}

/** The database is loaded by the commands that read it, and by nothing else. */
async function withIndex<T>(place: Place, read: (index: EntryIndex) => Promise<T>): Promise<T> {
  const { EntryIndex: Index } = await import('#record/entry-index.ts')
  const index = await Index.open(place.index, place.audit)
  try {
    return await read(index)
  } finally {
    index.close()
  }
}

function timeOf(given: Given, name: string): number | undefined {
  const text = given.text(name)
  if (text === undefined) return undefined
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw new WrongUsage(`--${name} takes a time such as 2026-11-25 or 2026-11-25T10:00:00Z`)
  return time
}
