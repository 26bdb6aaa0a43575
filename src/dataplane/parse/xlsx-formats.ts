import { readXml } from './xml.ts'

/** How the number in a cell is meant. */
export type CellFormat = 'number' | 'date' | 'percent'

/** Formats that every program knows without their text (ECMA-376 part 1, 18.8.30). */
const BUILT_IN_DATES = new Set([
  14, 15, 16, 17, 18, 19, 20, 21, 22, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 45, 46, 47, 50, 51, 52, 53, 54, 55, 56,
  57, 58,
])
const BUILT_IN_PERCENTS = new Set([9, 10])

/** The format of each cell style, by its number. */
export function readCellFormats(bytes: Uint8Array | undefined): CellFormat[] {
  const own = new Map<number, CellFormat>()
  const formats: CellFormat[] = []
  let isInCellFormats = false
  for (const event of bytes === undefined ? [] : readXml(bytes)) {
    if (event.kind === 'text') continue
    if (event.name === 'cellXfs') isInCellFormats = event.kind === 'open'
    if (event.kind === 'close') continue
    if (event.name === 'numFmt') {
      own.set(Number(event.attributes.get('numFmtId')), formatOf(event.attributes.get('formatCode') ?? ''))
    } else if (event.name === 'xf' && isInCellFormats) {
      const id = Number(event.attributes.get('numFmtId') ?? 0)
      formats.push(own.get(id) ?? builtIn(id))
    }
  }
  return formats
}

function builtIn(id: number): CellFormat {
  if (BUILT_IN_DATES.has(id)) return 'date'
  return BUILT_IN_PERCENTS.has(id) ? 'percent' : 'number'
}

/** What stands in quotes, in brackets or after a backslash is shown as it is and says nothing about the number. */
function formatOf(code: string): CellFormat {
  const bare = code.replaceAll(/"[^"]*"|\[(?!h|m|s)[^\]]*\]|\\./gi, '')
  if (bare.includes('%')) return 'percent'
  return /[dmyhs]/i.test(bare.replaceAll(/general|red|e[+-]/gi, '')) ? 'date' : 'number'
}
