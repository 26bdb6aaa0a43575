import type { ContextAnswer, ContextRequest, PassportClaims, RemoteSpan } from '#contract/context.ts'
import { Refusal } from '#contract/refusal.ts'
import { hash } from 'node:crypto'
import { mayRead } from '#dataplane/access/collection.ts'
import type { Readers } from '#dataplane/access/collection.ts'
import type { Deadline } from '#dataplane/deadline.ts'
import { FactError, callerValue } from './facts.ts'
import type { ItemTable, NamedQuery } from './facts.ts'
import type { ParamValues } from '#kit/sql-template.ts'
import { bindParams } from './params.ts'

/** What an agent can look up by name. */
export interface FactSources {
  readonly queries: ReadonlyMap<string, NamedQuery>
  readonly tables: ReadonlyMap<string, ItemTable>
}

/** Rows and items that were found. `document` names what was asked for in the receipt: a digest of key or parameters. */
export interface LookedUp {
  readonly rows: readonly (ContextAnswer['rows'][number] & { readonly document: string })[]
  readonly items: readonly (ContextAnswer['items'][number] & { readonly document: string })[]
  readonly missing: readonly string[]
  readonly spans: readonly RemoteSpan[]
}

interface BoundQuery {
  readonly query: NamedQuery
  readonly values: ParamValues
}

interface BoundItems {
  readonly table: ItemTable
  readonly keys: readonly ParamValues[]
}

/** Lookups that the caller may make, with checked values. */
export interface BoundFacts {
  readonly queries: readonly BoundQuery[]
  /** One a table: their keys go in one call. */
  readonly items: readonly BoundItems[]
  readonly caller: PassportClaims
}

/**
 * Checks names, permissions and values before anything is read.
 *
 * @throws {Refusal} CONTEXT_UNKNOWN, CONTEXT_FORBIDDEN, WIRE_MALFORMED.
 */
export function bindFacts(sources: FactSources, request: ContextRequest, caller: PassportClaims): BoundFacts {
  const queries = request.sql.map(({ name, params }, at) => {
    const query = permitted(sources.queries, name, { kind: 'sql', what: 'query', param: `sql[${at}].name` }, caller)
    return { query, values: bindParams(query.params, params, caller, `sql[${at}].params`) }
  })
  const items = new Map<string, { table: ItemTable; keys: ParamValues[] }>()
  for (const [at, { table: name, key }] of request.items.entries()) {
    const table = permitted(sources.tables, name, { kind: 'items', what: 'table', param: `items[${at}].table` }, caller)
    const bound = items.get(name) ?? { table, keys: [] }
    bound.keys.push(bindParams(table.key, key, caller, `items[${at}].key`))
    items.set(name, bound)
  }
  return { queries, items: [...items.values()], caller }
}

/** As a passport and the policies name a query or a table among the collections. */
export function factName(kind: 'sql' | 'items', name: string): string {
  return `${kind}:${name}`
}

function permitted<Named extends { readonly readers: Readers }>(
  known: ReadonlyMap<string, Named>,
  name: string,
  { kind, what, param }: { kind: 'sql' | 'items'; what: string; param: string },
  caller: PassportClaims,
): Named {
  const found = known.get(name)
  if (found === undefined) {
    const names = [...known.keys()].map((each) => `\`${each}\``).join(', ')
    throw new Refusal('CONTEXT_UNKNOWN', `no such ${what}, this agent has ${names || 'none'}`, { param })
  }
  if (!caller.collections.includes(factName(kind, name)))
    throw new Refusal('CONTEXT_FORBIDDEN', `the passport does not name the ${what} \`${name}\``, { param })
  if (!mayRead(found.readers, caller))
    throw new Refusal('CONTEXT_FORBIDDEN', `the caller has no role or group that may read the ${what} \`${name}\``, {
      param,
    })
  return found
}

export interface LookUpTools {
  readonly deadline: Deadline
  readonly now: () => number
  /** Told of what could not be had, with its cause. */
  readonly onFault: (error: unknown) => void
}

/** Asks all of them side by side; what is late or broken is missing, and the rest is there. */
export async function lookUp(facts: BoundFacts, tools: LookUpTools): Promise<LookedUp> {
  const [rows, items] = await Promise.all([
    Promise.all(facts.queries.map(async (bound) => await runQuery(bound, tools))),
    Promise.all(facts.items.map(async (bound) => await getItems(bound, facts.caller, tools))),
  ])
  const all = [...rows, ...items]
  return {
    rows: rows.flatMap((each) => each.rows),
    items: items.flatMap((each) => each.items),
    missing: all.flatMap(({ missing }) => missing),
    spans: all.flatMap(({ spans }) => spans),
  }
}

const NOTHING: LookedUp = { rows: [], items: [], missing: [], spans: [] }

async function runQuery({ query, values }: BoundQuery, tools: LookUpTools): Promise<LookedUp> {
  const { name, engine, maxRows } = query
  return await timed(`sql ${name}`, tools, async () => {
    const result = await attempt(`the query \`${name}\``, tools, async (signal) => engine.run(query, values, signal))
    if ('missing' in result) return { ...NOTHING, missing: [result.missing] }
    const { columns, rows: found, notes } = result.found
    const rows = found.slice(0, maxRows).map((row) => [...row])
    const more = found.length > maxRows ? [`the first ${maxRows} rows are there, it has more`] : []
    return {
      ...NOTHING,
      rows: [{ name, columns, rows, document: digestOf(values) }],
      missing: [...notes, ...more].map((note) => `query \`${name}\`: ${note}`),
    }
  })
}

async function getItems({ table, keys }: BoundItems, caller: PassportClaims, tools: LookUpTools): Promise<LookedUp> {
  const { name } = table
  return await timed(`items ${name}`, tools, async () => {
    const result = await attempt(`the table \`${name}\``, tools, async (signal) => table.get(keys, signal))
    if ('missing' in result) return { ...NOTHING, missing: [result.missing] }
    const pairs = result.found.map((item, at) => ({ item, key: keys[at] ?? {} }))
    const own = pairs.flatMap(({ item, key }) =>
      item !== undefined && isOwn(table, item, caller) ? [{ item, key }] : [],
    )
    const absent = pairs.length - own.length
    return {
      ...NOTHING,
      items: own.map(({ item, key }) => ({ table: name, item: shown(table, item), document: digestOf(key) })),
      // Not there and not the caller's are the same to the caller.
      missing: absent === 0 ? [] : [`table \`${name}\`: ${absent} of the items are not there`],
    }
  })
}

function isOwn({ owner }: ItemTable, item: Readonly<Record<string, unknown>>, caller: PassportClaims): boolean {
  if (owner === undefined) return true
  const allowed = [callerValue(caller, owner.from)].flat()
  return [item[owner.attribute]].flat().some((value) => typeof value === 'string' && allowed.includes(value))
}

function shown({ attributes }: ItemTable, item: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(item).filter(([name]) => attributes.includes(name)))
}

/** Keys and parameters may be personal data: a receipt holds their digests. */
function digestOf(values: ParamValues): string {
  return hash('sha256', JSON.stringify(values), 'hex').slice(0, 32)
}

async function attempt<Found>(
  what: string,
  { deadline, onFault }: LookUpTools,
  work: (signal: AbortSignal) => Promise<Found>,
): Promise<{ readonly found: Found } | { readonly missing: string }> {
  try {
    const found = await deadline.within(work)
    return found === undefined ? { missing: `${what} was not answered within ${deadline.totalMs} ms` } : { found }
  } catch (error) {
    if (!(error instanceof FactError)) throw error
    onFault(error)
    return { missing: `${what} can not be read: ${error.message}` }
  }
}

async function timed(name: string, { now }: LookUpTools, work: () => Promise<LookedUp>): Promise<LookedUp> {
  const startEpochMs = now()
  const startedMs = performance.now()
  const result = await work()
  const ms = Math.round((performance.now() - startedMs) * 1000) / 1000
  return { ...result, spans: [...result.spans, { name, startEpochMs, ms }] }
}
