import { ParseError } from './parsed.ts'
import { oneLine } from './row.ts'

/** Data nested deeper is made to exhaust a stack. */
const MAX_DEPTH = 100

/** One value with its place, such as `address.city` or `items[0].name`. */
export interface Leaf {
  readonly path: string
  readonly text: string
}

/**
 * The values of a record that say something, each with its path; lists of plain values are one value.
 *
 * @throws {ParseError} `corrupt` when it is nested deeper than 100 levels.
 */
export function flatten(value: unknown): Leaf[] {
  const leaves: Leaf[] = []
  addLeaves(leaves, '', value, 0)
  return leaves
}

/** `path: value`, or the value alone where there is no path. */
export function leafText({ path, text }: Leaf): string {
  return path === '' ? text : `${path}: ${text}`
}

function addLeaves(leaves: Leaf[], path: string, value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) throw new ParseError('corrupt', `it is nested deeper than ${MAX_DEPTH} levels`)
  if (Array.isArray(value)) {
    addList(leaves, path, value, depth)
  } else if (isPlainObject(value)) {
    for (const [key, inner] of Object.entries(value)) {
      const name = oneLine(key)
      addLeaves(leaves, path === '' ? name : `${path}.${name}`, inner, depth + 1)
    }
  } else {
    const text = scalarText(value)
    if (text !== '') leaves.push({ path, text })
  }
}

function addList(leaves: Leaf[], path: string, list: readonly unknown[], depth: number): void {
  if (list.every(isScalar)) {
    const text = list
      .map(scalarText)
      .filter((item) => item !== '')
      .join(', ')
    if (text !== '') leaves.push({ path, text })
    return
  }
  for (const [index, inner] of list.entries()) addLeaves(leaves, `${path}[${index}]`, inner, depth + 1)
}

function isScalar(value: unknown): boolean {
  return !Array.isArray(value) && !isPlainObject(value)
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  return !(value instanceof Date) && !ArrayBuffer.isView(value)
}

function scalarText(value: unknown): string {
  if (typeof value === 'string') return oneLine(value)
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (value instanceof Date) return dateText(value)
  // Bytes are no text; that there are some is worth a word.
  return ArrayBuffer.isView(value) ? `(${value.byteLength} bytes)` : ''
}

/** A date at midnight UTC is a day. */
export function dateText(date: Date): string {
  if (Number.isNaN(date.getTime())) return ''
  const text = date.toISOString()
  return text.endsWith('T00:00:00.000Z') ? text.slice(0, 10) : text.replace('.000Z', 'Z')
}
