import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import type { Source } from '#dataplane/sources/source.ts'

/**
 * Who may read. One matching role or group is enough; tenants and subjects narrow further, each where it is given.
 * What four empty lists mean is said where it is used.
 */
export interface Readers {
  readonly roles: readonly string[]
  readonly groups: readonly string[]
  readonly tenants?: readonly string[]
  readonly subjects?: readonly string[]
}

/** Who asks, as the passport says. */
export interface Caller {
  readonly sub: string
  readonly tenant: string
  readonly roles: readonly string[]
  readonly groups: readonly string[]
}

/** Narrows the readers of some documents of a collection. Empty lists shut the documents for everybody. */
export interface DocumentRule extends Readers {
  /**
   * Glob over the path inside the collection: `hr/**`, `*.pdf`. `{tenant}` or `{subject}` in place of a whole folder
   * name lets those read whose tenant or subject is the name: `customers/{tenant}/**`.
   */
  readonly documents: string
}

/** Documents that can be retrieved under one name. */
export interface Collection {
  /** Lower-case letters, digits, `-` and `_`, at most 63: it names a folder of the index. */
  readonly name: string
  readonly title: string
  readonly source: Source
  /** Empty lists: every principal whose passport names the collection. */
  readonly readers: Readers
  /** Every rule whose glob matches a document must be met, so one more rule can only take permission away. */
  readonly rules: readonly DocumentRule[]
}

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/

/** @throws {TypeError} when a name can not be used or is used twice, or a rule says less than it seems to. */
export function assertCollections(collections: readonly Collection[]): void {
  const seen = new Set<string>()
  for (const { name, rules } of collections) {
    const vague = rules.find(({ documents }) => /\*\*.*\{/.test(documents))
    if (vague !== undefined)
      throw new TypeError(
        `the rule \`${vague.documents}\` of \`${name}\` has \`**\` before a name in braces, write each folder`,
      )
    if (!NAME.test(name)) {
      throw new TypeError(`collection name \`${name}\` must be lower-case letters, digits, - and _, at most 63`)
    }
    if (seen.has(name)) throw new TypeError(`collection name \`${name}\` is used twice`)
    seen.add(name)
  }
}

/** Whether the caller may ask for something that these may read; empty lists: whoever policy lets ask. */
export function mayRead(readers: Readers, caller: Caller): boolean {
  return isEmpty(readers) || meets(readers, caller)
}

/** What guards a document: an id, which the index stores beside every passage, and the rules behind it. */
export interface Access {
  readonly id: string
  readonly rules: readonly Readers[]
}

/**
 * The id is a digest of the readers themselves: a passage stored under rules that changed since then keeps its former
 * id until the next ingest, which comes before an agent answers.
 */
export function accessOf(collection: Collection, document: string): Access {
  const rules = collection.rules.flatMap((rule) => readersBy(rule, document) ?? [])
  return { id: idOf(rules), rules }
}

/** Access id to the rules behind it. */
export type AccessClasses = ReadonlyMap<string, readonly Readers[]>

/** The access ids that the caller may read. */
export function permittedAccessIds(classes: AccessClasses, caller: Caller): readonly string[] {
  return [...classes].filter(([, rules]) => rules.every((rule) => meets(rule, caller))).map(([id]) => id)
}

/** Who may read by this rule; undefined when it does not match the document. */
function readersBy({ documents, ...rule }: DocumentRule, document: string): Readers | undefined {
  if (!documents.includes('{')) return posix.matchesGlob(document, documents) ? plain(rule) : undefined
  const pattern = documents.split('/')
  const glob = pattern.map((part) => (part === '{tenant}' || part === '{subject}' ? '*' : part)).join('/')
  if (!posix.matchesGlob(document, glob)) return undefined
  const path = document.split('/')
  const named = (variable: string) => pattern.flatMap((part, at) => (part === variable ? [path[at] ?? ''] : []))
  return plain({
    ...rule,
    tenants: [...(rule.tenants ?? []), ...named('{tenant}')],
    subjects: [...(rule.subjects ?? []), ...named('{subject}')],
  })
}

function plain({ roles, groups, tenants = [], subjects = [] }: Readers): Readers {
  return { roles, groups, ...(tenants.length > 0 && { tenants }), ...(subjects.length > 0 && { subjects }) }
}

function isEmpty({ roles, groups, tenants = [], subjects = [] }: Readers): boolean {
  return roles.length + groups.length + tenants.length + subjects.length === 0
}

function meets(readers: Readers, caller: Caller): boolean {
  const { roles, groups, tenants = [], subjects = [] } = readers
  if (isEmpty(readers)) return false
  if (tenants.length > 0 && !tenants.includes(caller.tenant)) return false
  if (subjects.length > 0 && !subjects.includes(caller.sub)) return false
  if (roles.length + groups.length === 0) return true
  return roles.some((role) => caller.roles.includes(role)) || groups.some((group) => caller.groups.includes(group))
}

function idOf(rules: readonly Readers[]): string {
  if (rules.length === 0) return 'open'
  const sets = rules.map(({ roles, groups, tenants = [], subjects = [] }) =>
    JSON.stringify([roles, groups, tenants, subjects].map((names) => names.toSorted())),
  )
  return createHash('sha256').update(sets.toSorted().join('\n')).digest('hex').slice(0, 32)
}
