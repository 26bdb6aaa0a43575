import { readXml } from './xml.ts'

/** What a paragraph style says about the paragraphs that have it. */
export interface ParagraphStyle {
  /** 0 to 8 for headings; undefined for body text. */
  readonly outlineLevel: number | undefined
  readonly numberId: string | undefined
  readonly indent: number | undefined
}

/** Gives list items their markers. */
export interface Numbering {
  /** `- ` or `3. `, indented by the level; empty for what is no list. */
  next(numberId: string, indent: number): string
}

/** Kinds of numbers by list and level: `bullet`, `decimal`, `none`, … */
export interface NumberingLevels {
  /** Id that paragraphs use to the id of the definition. */
  readonly definitions: ReadonlyMap<string, string>
  /** Definition and level, `ID/LEVEL`, to its kind. */
  readonly kinds: ReadonlyMap<string, string>
}

interface RawStyle {
  basedOn: string
  outlineLevel: number | undefined
  numberId: string | undefined
  indent: number | undefined
}

/** Styles inherit; a circle of them must end. */
const MAX_ANCESTORS = 20
const HEADING_NAME = /^heading ([1-9])$/i

/** Paragraph styles by id. */
export function readStyles(bytes: Uint8Array | undefined): ReadonlyMap<string, ParagraphStyle> {
  const raw = rawStyles(bytes)
  return new Map(Array.from(raw.keys(), (id) => [id, resolved(raw, id)]))
}

function rawStyles(bytes: Uint8Array | undefined): ReadonlyMap<string, RawStyle> {
  const found = new Map<string, RawStyle>()
  let style: RawStyle | undefined
  for (const event of bytes === undefined ? [] : readXml(bytes)) {
    if (event.kind !== 'open') continue
    const value = event.attributes.get('val') ?? event.attributes.get('w:val')
    if (event.name === 'style') {
      style = { basedOn: '', outlineLevel: undefined, numberId: undefined, indent: undefined }
      found.set(event.attributes.get('styleId') ?? '', style)
    } else if (style === undefined || value === undefined) continue
    else if (event.name === 'name') style.outlineLevel = levelOfName(value)
    else if (event.name === 'basedOn') style.basedOn = value
    else if (event.name === 'outlineLvl') style.outlineLevel = Number(value)
    else if (event.name === 'numId') style.numberId = value
    else if (event.name === 'ilvl') style.indent = Number(value)
  }
  return found
}

function levelOfName(name: string): number | undefined {
  if (/^title$/i.test(name)) return 0
  const level = HEADING_NAME.exec(name)?.[1]
  return level === undefined ? undefined : Number(level) - 1
}

function resolved(raw: ReadonlyMap<string, RawStyle>, id: string): ParagraphStyle {
  let style = raw.get(id)
  let { outlineLevel, numberId, indent } = style ?? {}
  for (let up = 0; style !== undefined && up < MAX_ANCESTORS; up += 1) {
    outlineLevel ??= style.outlineLevel
    numberId ??= style.numberId
    indent ??= style.indent
    style = raw.get(style.basedOn)
  }
  return { outlineLevel, numberId, indent }
}

/** The lists that the document defines. */
export function readNumbering(bytes: Uint8Array | undefined): NumberingLevels {
  const definitions = new Map<string, string>()
  const kinds = new Map<string, string>()
  let [definition, level, numberId] = ['', '', '']
  for (const event of bytes === undefined ? [] : readXml(bytes)) {
    if (event.kind !== 'open') continue
    const { attributes } = event
    if (event.name === 'abstractNum') definition = attributes.get('abstractNumId') ?? ''
    else if (event.name === 'lvl') level = attributes.get('ilvl') ?? ''
    else if (event.name === 'numFmt') kinds.set(`${definition}/${level}`, attributes.get('val') ?? '')
    else if (event.name === 'num') numberId = attributes.get('numId') ?? ''
    else if (event.name === 'abstractNumId') definitions.set(numberId, attributes.get('val') ?? '')
  }
  return { definitions, kinds }
}

/** Word has nine levels. */
const MAX_INDENT = 8

/** Counts anew for each text that it is made for. */
export function createNumbering({ definitions, kinds }: NumberingLevels): Numbering {
  const counts = new Map<string, number[]>()
  return {
    next(numberId, indent) {
      // Zero takes a paragraph out of the list that its style puts it in.
      if (numberId === '0') return ''
      const level = Number.isInteger(indent) ? Math.min(MAX_INDENT, Math.max(0, indent)) : 0
      const kind = kinds.get(`${definitions.get(numberId) ?? ''}/${level}`) ?? 'bullet'
      const count = counts.get(numberId) ?? []
      counts.set(numberId, [
        ...count.slice(0, level),
        ...Array<number>(Math.max(0, level - count.length)).fill(0),
        (count[level] ?? 0) + 1,
      ])
      if (kind === 'none') return ''
      const marker = kind === 'bullet' ? '-' : `${counts.get(numberId)?.[level] ?? 1}.`
      return `${'  '.repeat(level)}${marker} `
    },
  }
}
