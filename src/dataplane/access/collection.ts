import { createHash } from 'node:crypto'
import { posix } from 'node:path'

/** Who may read: one matching role or group is enough. What two empty lists mean is said where it is used. */
export interface Readers {
  readonly roles: readonly string[]
  readonly groups: readonly string[]
}

/** Narrows the readers of some documents of a collection. Two empty lists shut the documents for everybody. */
interface DocumentRule extends Readers {
  /** Glob over the path inside the collection: `hr/**`, `*.pdf`. */
  readonly documents: string
}

/** A folder whose documents can be retrieved under one name. */
export interface Collection {
  /** Lower-case letters, digits, `-` and `_`, at most 63: it names a folder of the index. */
  readonly name: string
  readonly title: string
  /** Path of the folder on this machine. */
  readonly folder: string
  /** Two empty lists: every principal whose passport names the collection. */
  readonly readers: Readers
  /** Every rule whose glob matches a document must be met, so one more rule can only take permission away. */
  readonly rules: readonly DocumentRule[]
}

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/

/** @throws {TypeError} when a name can not be used or is used twice. */
export function assertCollections(collections: readonly Collection[]): void {
  const seen = new Set<string>()
  for (const { name } of collections) {
    if (!NAME.test(name)) {
      throw new TypeError(`collection name \`${name}\` must be lower-case letters, digits, - and _, at most 63`)
    }
    if (seen.has(name)) throw new TypeError(`collection name \`${name}\` is used twice`)
    seen.add(name)
  }
}

/** Whether the principal may ask the collection at all. */
export function mayRead(readers: Readers, principal: Readers): boolean {
  if (readers.roles.length === 0 && readers.groups.length === 0) return true
  return meets(readers, principal)
}

/** Id of the set of rules that guard a document. The index stores it beside every passage. */
export function accessId(collection: Collection, document: string): string {
  return idOf(rulesFor(collection, document))
}

/** Access id to the rules behind it, for ids that documents of the collection really have. */
export type AccessClasses = ReadonlyMap<string, readonly Readers[]>

/**
 * The id is a digest of the readers themselves: a passage stored under rules that changed since then has
 * an id that nobody is given until the document is ingested again.
 */
export function accessClasses(collection: Collection, documents: Iterable<string>): AccessClasses {
  const classes = new Map<string, readonly Readers[]>()
  for (const document of documents) {
    const rules = rulesFor(collection, document)
    classes.set(idOf(rules), rules)
  }
  return classes
}

/** The access ids that the principal may read. */
export function permittedAccessIds(classes: AccessClasses, principal: Readers): readonly string[] {
  return [...classes].filter(([, rules]) => rules.every((rule) => meets(rule, principal))).map(([id]) => id)
}

function rulesFor(collection: Collection, document: string): readonly DocumentRule[] {
  return collection.rules.filter((rule) => posix.matchesGlob(document, rule.documents))
}

function meets(readers: Readers, principal: Readers): boolean {
  return (
    readers.roles.some((role) => principal.roles.includes(role)) ||
    readers.groups.some((group) => principal.groups.includes(group))
  )
}

function idOf(rules: readonly Readers[]): string {
  if (rules.length === 0) return 'open'
  const sets = rules.map((rule) => JSON.stringify([rule.roles.toSorted(), rule.groups.toSorted()])).toSorted()
  return createHash('sha256').update(sets.join('\n')).digest('hex').slice(0, 32)
}
