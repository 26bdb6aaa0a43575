/** Rows become lines that stand alone: each value with the name of its column. */

/** `name: value; other: value`, without empty values; empty when there are none. */
export function renderRow(names: readonly string[], values: readonly string[]): string {
  const shown: string[] = []
  for (const [index, value] of values.entries()) {
    const text = oneLine(value)
    if (text !== '') shown.push(`${names[index] ?? `column ${index + 1}`}: ${text}`)
  }
  return shown.join('; ')
}

/** Whether a row names columns: every cell is text, none twice, none a number or a date. */
export function isHeader(cells: readonly string[]): boolean {
  const texts = cells.map(oneLine)
  if (texts.length === 0 || texts.some((text) => text === '' || text.length > MAX_NAME_CHARS)) return false
  return new Set(texts).size === texts.length && texts.every((text) => !looksLikeValue(text))
}

/** Names for the columns of a row that names them. */
export function headerNames(cells: readonly string[]): string[] {
  return cells.map((cell, index) => oneLine(cell) || `column ${index + 1}`)
}

export function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}

/** Longer is prose, not a name. */
const MAX_NAME_CHARS = 120
const VALUE = /^[-+]?[\d.,]*\d[\d.,]*\s*%?$|^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|^(?:true|false)$|@|^https?:/i

function looksLikeValue(text: string): boolean {
  return VALUE.test(text)
}
