import type { ContextAnswer, Passage } from '#contract/context.ts'

/** Characters of one passage made of rows; the rest becomes further passages. */
const PASSAGE_CHARS = 4000

/**
 * Rows and items as passages, so that they go the way of every text: screened here, for nobody has screened them
 * before, numbered, cited and counted. A row is one line that says the name of each value.
 */
export function factPassages({ rows, items }: Pick<ContextAnswer, 'rows' | 'items'>): Passage[] {
  const ofRows = rows.flatMap(({ name, columns, rows: own }) =>
    passagesOf(
      `sql:${name}`,
      own.map((row) => lineOf(columns.map((column, at): [string, unknown] => [column, row[at]]))),
    ),
  )
  const tables = Map.groupBy(items, ({ table }) => table)
  const ofItems = [...tables].flatMap(([table, own]) =>
    passagesOf(
      `items:${table}`,
      own.map(({ item }) => lineOf(Object.entries(item))),
    ),
  )
  return [...ofRows, ...ofItems]
}

function passagesOf(name: string, lines: readonly string[]): Passage[] {
  const texts: { text: string; record: number; lastRecord: number }[] = []
  for (const [at, line] of lines.entries()) {
    const last = texts.at(-1)
    if (last !== undefined && last.text.length + line.length < PASSAGE_CHARS) {
      last.text += `\n${line}`
      last.lastRecord = at + 1
    } else {
      texts.push({ text: line, record: at + 1, lastRecord: at + 1 })
    }
  }
  return texts.map(({ text, record, lastRecord }) => ({
    text,
    source: {
      collection: name,
      document: name,
      title: '',
      heading: '',
      page: 0,
      record,
      lastRecord,
      start: 0,
      end: text.length,
    },
    score: 0,
    tokens: Math.ceil(text.length / 4),
    // No version of any rules: it has still to be screened.
    screened: { rules: '', findings: [] },
  }))
}

function lineOf(entries: readonly (readonly [string, unknown])[]): string {
  const values = entries.filter(([, value]) => value !== null && value !== undefined)
  return values.map(([name, value]) => `${name}: ${sayable(value)}`).join('; ')
}

function sayable(value: unknown): string {
  return typeof value === 'string' ? value.replaceAll(/\s+/g, ' ') : JSON.stringify(value)
}
