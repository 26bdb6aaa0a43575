import { Refusal } from '#contract/refusal.ts'
import type { Caller } from '#dataplane/access/collection.ts'
import { callerValue } from './facts.ts'
import type { CallerValue } from './facts.ts'
import type { ParamValue, ParamValues } from '#kit/sql-template.ts'

/** What a parameter of a query, or an attribute of a key, may be. */
export interface ParamSpec {
  readonly type: 'text' | 'integer' | 'number' | 'boolean' | 'date' | 'timestamp' | 'texts'
  /** Not given by the request: the caller's own value, which nobody can choose. */
  readonly from?: CallerValue
  /** Of a text: a regular expression that the whole of it must match. */
  readonly pattern?: string
  /** Of a text: the only values. */
  readonly values?: readonly string[]
  /** Of a text, in characters. Default 200. */
  readonly maxLength?: number
  /** Of a number. */
  readonly min?: number
  readonly max?: number
  /** Taken when the request gives none. Absent: it must be given. */
  readonly default?: ParamValue
}

const MAX_LENGTH = 200
const MAX_LIST = 100
const DATE = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/
const TIMESTAMP = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?$/

/**
 * The values that a request gives, checked, and those that are the caller's own.
 *
 * @param at where in the request they stand, for the error: `sql[0].params`.
 * @throws {Refusal} WIRE_MALFORMED naming the value, never with what it was.
 */
export function bindParams(
  specs: Readonly<Record<string, ParamSpec>>,
  given: Readonly<Record<string, unknown>>,
  caller: Caller,
  at: string,
): ParamValues {
  const isOpen = (name: string): boolean => Object.hasOwn(specs, name) && specs[name]?.from === undefined
  const unknown = Object.keys(given).find((name) => !isOpen(name))
  if (unknown !== undefined) {
    const open = Object.keys(specs).filter(isOpen)
    throw malformed(
      `${at}.${unknown.slice(0, 40)}`,
      `is not one of its parameters: ${open.join(', ') || 'it has none'}`,
    )
  }
  const bound: [string, ParamValue][] = Object.entries(specs).map(([name, spec]) => {
    if (spec.from !== undefined) return [name, callerValue(caller, spec.from)]
    const value = Object.hasOwn(given, name) ? given[name] : spec.default
    if (value === undefined) throw malformed(`${at}.${name}`, 'is missing')
    return [name, checked(value, spec, `${at}.${name}`)]
  })
  return Object.fromEntries(bound)
}

function checked(value: unknown, spec: ParamSpec, at: string): ParamValue {
  switch (spec.type) {
    case 'text':
      return checkedText(value, spec, at)
    case 'texts': {
      if (!Array.isArray(value) || value.length > MAX_LIST) throw malformed(at, `must be a list of at most ${MAX_LIST}`)
      return value.map((each: unknown, index) => checkedText(each, spec, `${at}[${index}]`))
    }
    case 'integer':
    case 'number':
      return checkedNumber(value, spec, at)
    case 'boolean':
      if (typeof value !== 'boolean') throw malformed(at, 'must be true or false')
      return value
    case 'date':
      if (typeof value !== 'string' || !DATE.test(value)) throw malformed(at, 'must be a date like 2026-11-25')
      return value
    case 'timestamp':
      if (typeof value !== 'string' || !TIMESTAMP.test(value))
        throw malformed(at, 'must be a time like 2026-11-25T10:30:00')
      return value.replace('T', ' ')
  }
}

function checkedText(value: unknown, { pattern, values, maxLength = MAX_LENGTH }: ParamSpec, at: string): string {
  if (typeof value !== 'string') throw malformed(at, 'must be text')
  if (value.length > maxLength) throw malformed(at, `is longer than ${maxLength} characters`)
  // No engine keeps them apart from the end of a text in the same way.
  if (/[\0\u{d800}-\u{dfff}]/u.test(value)) throw malformed(at, 'holds characters that are not text')
  if (values !== undefined && !values.includes(value)) throw malformed(at, `must be one of ${values.join(', ')}`)
  if (pattern !== undefined && !new RegExp(`^(?:${pattern})$`, 'u').test(value))
    throw malformed(at, `must match ${pattern}`)
  return value
}

function checkedNumber(value: unknown, { type, min, max }: ParamSpec, at: string): number {
  const isNumber = typeof value === 'number' && Number.isFinite(value)
  if (!isNumber || (type === 'integer' && !Number.isSafeInteger(value)))
    throw malformed(at, type === 'integer' ? 'must be a whole number' : 'must be a number')
  if (min !== undefined && value < min) throw malformed(at, `must be at least ${min}`)
  if (max !== undefined && value > max) throw malformed(at, `must be at most ${max}`)
  return value
}

function malformed(at: string, what: string): Refusal {
  return new Refusal('WIRE_MALFORMED', `\`${at}\` ${what}`, { param: at })
}
