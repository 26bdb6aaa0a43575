import type { Caller, Readers } from '#dataplane/access/collection.ts'
import type { ParamValues } from '#kit/sql-template.ts'
import type { ParamSpec } from './params.ts'

/** A value as an answer carries it: what JSON has. */
export type Cell = string | number | boolean | null

/** Rows of a query, as its engine gave them. */
export interface QueryResult {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
  /** What the caller should know: more rows were there, the result is some minutes old. */
  readonly notes: readonly string[]
}

/** Runs SQL that people have reviewed. The text and the values never meet: values are bound, not pasted. */
export interface QueryEngine {
  /**
   * @param values by name, checked and typed; a list stands for the values of an `IN`.
   * @throws {FactError} when the query can not be answered; the signal's reason when it fires.
   */
  run(query: NamedQuery, values: ParamValues, signal: AbortSignal): Promise<QueryResult>
  close(): Promise<void>
}

/** A query in the configuration: the only SQL that runs. */
export interface NamedQuery {
  readonly name: string
  readonly title: string
  /** One SELECT with `:name` for each parameter. */
  readonly sql: string
  readonly params: Readonly<Record<string, ParamSpec>>
  /** Empty lists: every principal whose passport names the query. */
  readonly readers: Readers
  /** Rows of an answer at most. */
  readonly maxRows: number
  readonly engine: QueryEngine
}

/** A table whose items can be had by key. */
export interface ItemTable {
  readonly name: string
  readonly title: string
  /** Attributes of the primary key, with the type of each. */
  readonly key: Readonly<Record<string, ParamSpec>>
  /** Attributes of an answer; no other leaves the agent. */
  readonly attributes: readonly string[]
  readonly readers: Readers
  /** Items whose attribute does not hold the caller's own value are as if they were not there. Undefined: no such rule. */
  readonly owner: { readonly attribute: string; readonly from: CallerValue } | undefined
  /**
   * Items by key with these attributes and the owner's, in the order of the keys; undefined for those that do not exist.
   *
   * @throws {FactError} when the table can not be read.
   */
  get(keys: readonly ParamValues[], signal: AbortSignal): Promise<(Readonly<Record<string, unknown>> | undefined)[]>
}

/** A fact that can not be had now; the rest of the answer can. */
export class FactError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'FactError'
  }
}

/** Digits that every double keeps. */
const DOUBLE_DIGITS = 15

/** A number of any length as JSON can carry it: as text where a double would lose digits. */
export function exactNumber(text: string): number | string {
  const number = Number(text)
  if (!Number.isFinite(number)) return text
  if (Number.isInteger(number)) return Number.isSafeInteger(number) ? number : text
  const digits = text.replace(/e.*$/i, '').replace(/0+$/, '').replaceAll(/\D/g, '').replace(/^0+/, '')
  return digits.length <= DOUBLE_DIGITS ? number : text
}

/** A time without zone, `2026-11-25 10:30:00.5`: engines write the zeros at its end or not. */
export function plainTimestamp(text: string): string {
  return text.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '')
}

/** What of a caller a parameter may be. */
export type CallerValue = 'subject' | 'tenant' | 'roles' | 'groups'

export function callerValue(caller: Caller, what: CallerValue): string | readonly string[] {
  return what === 'subject' ? caller.sub : caller[what]
}
