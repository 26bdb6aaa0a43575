import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { DenyEntry } from '#identity/deny.ts'
import { type KeyRecord, createKey, rotateKey } from '#identity/key.ts'

/*
 * What the command line and the admin API do to keys and the deny list. Each is a change of records; the secret of a
 * key leaves here once, beside them.
 */

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** The old secret is good this long after a rotation, unless somebody says otherwise. */
export const GRACE_HOURS = 24
export const MAX_GRACE_HOURS = 720

/** Somebody asked for something that can not be done: a sentence for them. */
export class CannotDo extends Error {}

const label = z.string().trim().min(1).max(100)
const nameList = z.array(z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'is not a name')).max(100)

/** What a new key is described by. */
export const NewKey = z.strictObject({
  name: label,
  /** Who answers for it. */
  owner: label.optional(),
  roles: z
    .array(z.string().regex(/^[\w.-]{1,64}$/, 'is not a role'))
    .min(1)
    .max(20)
    .default(['developer']),
  tenant: label.default('local'),
  /** Whom policy and trail see. Default: the name. */
  subject: label.optional(),
  aliases: nameList.optional(),
  collections: nameList.optional(),
  expiresInDays: z.number().positive().max(3650).optional(),
  note: z.string().max(500).optional(),
})
export type NewKey = z.infer<typeof NewKey>

export const NewDenial = z
  .strictObject({
    uti: label.optional(),
    oid: label.optional(),
    tid: label.optional(),
    key: label.optional(),
    reason: z.string().max(500).default(''),
  })
  .refine(
    ({ uti, oid, tid, key }) =>
      [uti, oid, key].filter((named) => named !== undefined).length === 1 && (tid === undefined || oid !== undefined),
    'name one of `uti`, `oid` (with or without `tid`) and `key`',
  )
export type NewDenial = z.infer<typeof NewDenial>

/** Reads what somebody wrote. @throws {CannotDo} naming the field. */
export function readInput<Value>(schema: z.ZodType<Value>, value: unknown): Value {
  const read = schema.safeParse(value)
  if (read.success) return read.data
  const [issue] = read.error.issues
  const field = issue?.code === 'unrecognized_keys' ? issue.keys[0] : issue?.path.map(String).join('.')
  throw new CannotDo(
    `${field === undefined || field === '' ? '' : `\`${field}\`: `}${(issue?.message ?? 'not valid').toLowerCase()}`,
  )
}

/** A new key: its secret, to be shown once, and the record to keep. */
export function newKey(facts: NewKey, nowEpochMs: number): { readonly key: string; readonly record: KeyRecord } {
  const { name, owner, roles, tenant, subject, aliases, collections, expiresInDays, note } = facts
  const scope = { ...(aliases && { aliases }), ...(collections && { collections }) }
  return createKey({
    tenant,
    subject: subject ?? name,
    roles,
    name,
    ...(owner !== undefined && { owner }),
    ...(note !== undefined && { note }),
    ...((aliases ?? collections) && { scope }),
    createdAtEpochMs: nowEpochMs,
    ...(expiresInDays !== undefined && { expiresAtEpochMs: nowEpochMs + expiresInDays * DAY_MS }),
  })
}

/** @throws {CannotDo} when there is no such key, or it is of no use any more. */
export function rotated(
  keys: readonly KeyRecord[],
  id: string,
  { graceHours, nowEpochMs }: { readonly graceHours: number; readonly nowEpochMs: number },
): { readonly key: string; readonly keys: readonly KeyRecord[] } {
  const record = known(keys, id)
  if (record.revoked === true) throw new CannotDo(`key ${id} was revoked, create a new one`)
  if (record.expiresAtEpochMs !== undefined && record.expiresAtEpochMs <= nowEpochMs)
    throw new CannotDo(`key ${id} has expired, create a new one`)
  const made = rotateKey(record, { graceMs: graceHours * HOUR_MS, nowEpochMs })
  return { key: made.key, keys: keys.map((each) => (each === record ? made.record : each)) }
}

/** Revoking twice is fine. @throws {CannotDo} when there is no such key. */
export function revoked(keys: readonly KeyRecord[], id: string): readonly KeyRecord[] {
  const record = known(keys, id)
  return keys.map((each) => (each === record ? { ...each, revoked: true } : each))
}

function known(keys: readonly KeyRecord[], id: string): KeyRecord {
  const record = keys.find((each) => each.id === id)
  if (record === undefined) throw new CannotDo(`there is no key ${printable(id)}`)
  return record
}

export function newDenial(denial: NewDenial, nowEpochMs: number): DenyEntry {
  return { id: randomBytes(6).toString('hex'), ...denial, atEpochMs: nowEpochMs }
}

/** @throws {CannotDo} when there is no such entry. */
export function allowed(entries: readonly DenyEntry[], id: string): readonly DenyEntry[] {
  if (!entries.some((entry) => entry.id === id))
    throw new CannotDo(`there is no entry ${printable(id)} in the deny list`)
  return entries.filter((entry) => entry.id !== id)
}

/** A key as it may be shown: never its hashes. */
export function shownKey(record: KeyRecord, lastUsedEpochMs: number | undefined, nowEpochMs: number) {
  const { id, name, owner, note, tenant, subject, roles, scope, createdAtEpochMs, expiresAtEpochMs, previous } = record
  return {
    id,
    name: name ?? '',
    owner: owner ?? '',
    note: note ?? '',
    tenant,
    subject,
    roles,
    ...(scope === undefined ? {} : { scope }),
    state: stateOf(record, nowEpochMs),
    ...(createdAtEpochMs === undefined ? {} : { createdAtEpochMs }),
    ...(expiresAtEpochMs === undefined ? {} : { expiresAtEpochMs }),
    ...(previous !== undefined && previous.untilEpochMs > nowEpochMs
      ? { oldSecretUntilEpochMs: previous.untilEpochMs }
      : {}),
    ...(lastUsedEpochMs === undefined ? {} : { lastUsedEpochMs }),
  }
}

function stateOf({ revoked: isRevoked, expiresAtEpochMs }: KeyRecord, nowEpochMs: number): string {
  if (isRevoked === true) return 'revoked'
  return expiresAtEpochMs !== undefined && expiresAtEpochMs <= nowEpochMs ? 'expired' : 'good'
}

function printable(text: string): string {
  return `\`${text.replaceAll(/[^ -~]/g, '?').slice(0, 60)}\``
}
