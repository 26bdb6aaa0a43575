import { Refusal } from '#contract/refusal.ts'

/**
 * Reads of a request body: each checks one field and, when it is of the wrong kind, refuses with the field's path and
 * what it should be. Written by hand rather than with a schema library: it is the hot path, and the sentences are ours.
 */
export type Fields = Readonly<Record<string, unknown>>

/** Nesting beyond this is refused: nothing that a client means is this deep. */
const MAX_DEPTH = 64

export function wrong(path: string, expected: string): Refusal {
  return new Refusal('WIRE_MALFORMED', `\`${path}\` must be ${expected}`, { param: path })
}

export function unsupported(path: string, message: string): Refusal {
  return new Refusal('WIRE_UNSUPPORTED', message, { param: path })
}

export function fields(value: unknown, path: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, 'an object')
  return value as Fields
}

export function list(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(path, 'a list')
  return value as unknown[]
}

/** Text that every system behind this one can carry: whole characters, no NUL. */
export function text(value: unknown, path: string): string {
  if (typeof value !== 'string') throw wrong(path, 'text')
  if (!value.isWellFormed()) throw wrong(path, 'whole characters: it holds half of a surrogate pair')
  if (value.includes('\u0000')) throw wrong(path, 'text without NUL characters')
  return value
}

/** Longest name of a model; it stands in the audit entry. */
const MAX_MODEL_CHARS = 256

export function modelName(value: unknown): string {
  const name = text(value, 'model')
  if (name.length > MAX_MODEL_CHARS) throw wrong('model', `text of at most ${MAX_MODEL_CHARS} characters`)
  return name
}

export function optionalText(value: unknown, path: string): string | undefined {
  return value === undefined || value === null ? undefined : text(value, path)
}

export function optionalFlag(value: unknown, path: string): boolean {
  if (value === undefined || value === null) return false
  if (typeof value !== 'boolean') throw wrong(path, 'true or false')
  return value
}

export function optionalFlagOrNone(value: unknown, path: string): boolean | undefined {
  return value === undefined || value === null ? undefined : optionalFlag(value, path)
}

export interface Range {
  readonly min: number
  readonly max: number
  readonly whole?: boolean
}

export function optionalNumber(value: unknown, path: string, { min, max, whole = false }: Range): number | undefined {
  if (value === undefined || value === null) return undefined
  const isNumber =
    typeof value === 'number' &&
    Number.isFinite(value) &&
    value >= min &&
    value <= max &&
    (!whole || Number.isInteger(value))
  if (!isNumber) throw wrong(path, `a ${whole ? 'whole ' : ''}number from ${min} to ${max}`)
  return value
}

/** The fields of `record` that are not in `known`. */
export function restOf(record: Fields, known: ReadonlySet<string>): Fields {
  let rest: Record<string, unknown> | undefined
  for (const key in record) {
    // An own field of this name would become the prototype of the copy.
    if (known.has(key) || key === '__proto__') continue
    rest ??= {}
    rest[key] = record[key]
  }
  return rest ?? NONE
}

export const NONE: Fields = Object.freeze({})

/**
 * Parses a request body.
 * @throws {Refusal} WIRE_MALFORMED with where the JSON breaks.
 */
export function parseBody(body: string): Fields {
  checkDepth(body)
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    const at = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1]
    throw new Refusal(
      'WIRE_MALFORMED',
      `the body is not JSON${at === undefined ? '' : ` (it breaks at character ${at})`}`,
    )
  }
  return fields(value, 'body')
}

/** Counts brackets outside strings before anything recursive sees the text. */
function checkDepth(body: string): void {
  let depth = 0
  let inString = false
  for (let at = 0; at < body.length; at += 1) {
    const code = body.charCodeAt(at)
    if (inString) {
      if (code === 92) at += 1
      else if (code === 34) inString = false
    } else if (code === 34) inString = true
    else if (code === 123 || code === 91) {
      depth += 1
      if (depth > MAX_DEPTH) throw new Refusal('WIRE_MALFORMED', `the body is nested deeper than ${MAX_DEPTH} levels`)
    } else if (code === 125 || code === 93) depth -= 1
  }
}
