/** What the three office formats share (ECMA-376): parts of an archive that name each other by relationships. */
import { posix } from 'node:path'
import { oneLine } from './row.ts'
import { readXml } from './xml.ts'
import type { Zip } from './zip.ts'

/** A part that another one names. */
export interface Relationship {
  /** Last word of its type, such as `notesSlide`. */
  readonly type: string
  /** Path in the archive. */
  readonly path: string
}

/** What a part names, by id; empty when it names nothing. */
export async function relationshipsOf(zip: Zip, part: string): Promise<ReadonlyMap<string, Relationship>> {
  const folder = posix.dirname(part)
  const bytes = await zip.read(posix.join(folder, '_rels', `${posix.basename(part)}.rels`))
  const found = new Map<string, Relationship>()
  if (bytes === undefined) return found
  for (const event of readXml(bytes)) {
    if (event.kind !== 'open' || event.name !== 'Relationship' || event.attributes.get('TargetMode') === 'External')
      continue
    const target = event.attributes.get('Target') ?? ''
    const path = target.startsWith('/') ? target.slice(1) : posix.join(folder, target)
    found.set(event.attributes.get('Id') ?? '', { type: posix.basename(event.attributes.get('Type') ?? ''), path })
  }
  return found
}

/** The title in the file's properties, or empty. */
export async function titleOf(zip: Zip): Promise<string> {
  const bytes = await zip.read('docProps/core.xml')
  if (bytes === undefined) return ''
  let isInTitle = false
  let title = ''
  for (const event of readXml(bytes)) {
    if (event.kind === 'text') title += isInTitle ? event.text : ''
    else if (event.name === 'title') isInTitle = event.kind === 'open'
  }
  return title.trim()
}

/** A table as Markdown: one line a row, the first one as its head; rows may be of different length. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows
  return [tableLine(head), `|${' --- |'.repeat(head.length)}`, ...body.map(tableLine)].join('\n')
}

function tableLine(cells: readonly string[]): string {
  return `| ${cells.map((cell) => oneLine(cell).replaceAll('|', String.raw`\|`)).join(' | ')} |`
}
