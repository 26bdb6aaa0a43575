import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Principal, Scope } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import { type DenyList, openDenyList } from './deny.ts'

/** A key at rest: never the key, only its SHA-256. Keys carry 256 random bits, so a slow hash would add nothing. */
export interface KeyRecord {
  /** Public part: `tp-<id>-<secret>`. It stays when the secret is rotated. */
  readonly id: string
  /** SHA-256 of the whole key, hex. */
  readonly hash: string
  readonly tenant: string
  readonly subject: string
  readonly roles: readonly string[]
  /** What people call it. */
  readonly name?: string | undefined
  /** Who answers for it. */
  readonly owner?: string | undefined
  readonly note?: string | undefined
  readonly scope?: Scope | undefined
  readonly createdAtEpochMs?: number | undefined
  readonly expiresAtEpochMs?: number | undefined
  /** The secret before the last rotation, which is good until then. */
  readonly previous?: { readonly hash: string; readonly untilEpochMs: number } | undefined
  readonly revoked?: boolean | undefined
}

interface Held {
  readonly record: KeyRecord
  readonly hash: Buffer
  readonly previous: Buffer
  readonly principal: Principal
}

/** The keys in memory: what a request is checked against, whatever the file does. */
export interface KeyRing {
  readonly find: (id: string) => Held | undefined
  readonly records: () => readonly KeyRecord[]
  /** Takes new records; principals of keys that did not change stay the same objects. */
  readonly replace: (records: readonly KeyRecord[]) => void
  /** When each key was last used, in epoch milliseconds. */
  readonly lastUsed: Map<string, number>
  readonly nowEpochMs: () => number
}

const KEY_FORM = /^tp-([0-9a-f]{12})-([0-9A-Za-z]{43})$/
/** Compared against when the id is unknown, so that an unknown id takes as long as a wrong secret. */
const NO_HASH = Buffer.alloc(32)
const NOBODY_DENIED = openDenyList([])

export function openKeyRing(records: readonly KeyRecord[], nowEpochMs: () => number): KeyRing {
  let held = heldBy(records, new Map())
  return {
    find: (id) => held.get(id),
    records: () => [...held.values()].map(({ record }) => record),
    replace: (next) => {
      held = heldBy(next, held)
    },
    lastUsed: new Map(),
    nowEpochMs,
  }
}

function heldBy(records: readonly KeyRecord[], before: ReadonlyMap<string, Held>): ReadonlyMap<string, Held> {
  return new Map(
    records.map((record) => {
      const known = before.get(record.id)
      if (known !== undefined && JSON.stringify(known.record) === JSON.stringify(record)) return [record.id, known]
      const made: Held = {
        record,
        hash: Buffer.from(record.hash, 'hex'),
        previous: record.previous === undefined ? NO_HASH : Buffer.from(record.previous.hash, 'hex'),
        principal: keyPrincipal(record),
      }
      return [record.id, made]
    }),
  )
}

/** A new key and what to store of it. The key itself is shown once and kept nowhere. */
export function createKey(facts: Omit<KeyRecord, 'id' | 'hash' | 'previous'>): {
  readonly key: string
  readonly record: KeyRecord
} {
  const id = randomBytes(6).toString('hex')
  const key = `tp-${id}-${randomSecret()}`
  return { key, record: { id, hash: hash('sha256', key, 'hex'), ...facts } }
}

/** A new secret under the same id; the one before is good for `graceMs` more, whatever was rotated earlier is not. */
export function rotateKey(
  record: KeyRecord,
  { graceMs, nowEpochMs }: { readonly graceMs: number; readonly nowEpochMs: number },
): { readonly key: string; readonly record: KeyRecord } {
  const key = `tp-${record.id}-${randomSecret()}`
  const previous = { hash: record.hash, untilEpochMs: nowEpochMs + graceMs }
  return { key, record: { ...record, hash: hash('sha256', key, 'hex'), previous } }
}

/** @throws {Refusal} IDENTITY_INVALID, IDENTITY_EXPIRED */
export function identifyKey(ring: KeyRing, key: string, denied: DenyList = NOBODY_DENIED): Principal {
  const id = KEY_FORM.exec(key)?.[1]
  const known = ring.find(id ?? '')
  const presented = hash('sha256', key, 'buffer')
  // Both are always compared: how long it takes says nothing about which one was near.
  const isCurrent = timingSafeEqual(presented, known?.hash ?? NO_HASH)
  const isPrevious = timingSafeEqual(presented, known?.previous ?? NO_HASH)
  if (id === undefined)
    throw new Refusal('IDENTITY_INVALID', 'the key is not of the form `tp-<id>-<secret>`, copy it again')
  if (known === undefined || !(isCurrent || isPrevious))
    throw new Refusal('IDENTITY_INVALID', 'the key is not known here')
  const { record, principal } = known
  const now = ring.nowEpochMs()
  if (record.revoked === true) throw new Refusal('IDENTITY_INVALID', 'the key was revoked, ask for a new one')
  if (!isCurrent && now >= (record.previous?.untilEpochMs ?? 0))
    throw new Refusal('IDENTITY_EXPIRED', 'the key was rotated and its time of grace is over, use the new one')
  if (record.expiresAtEpochMs !== undefined && record.expiresAtEpochMs <= now) {
    throw new Refusal('IDENTITY_EXPIRED', 'the key has expired, ask for a new one')
  }
  if (denied.denies(principal)) throw new Refusal('IDENTITY_INVALID', 'the key is on the deny list, ask its owner')
  ring.lastUsed.set(id, now)
  return principal
}

function keyPrincipal(record: KeyRecord): Principal {
  const { scope } = record
  return Object.freeze({
    subject: record.subject,
    tenant: record.tenant,
    kind: 'key' as const,
    roles: Object.freeze(record.roles.toSorted()),
    groups: Object.freeze([]),
    client: undefined,
    via: 'key',
    credentialId: record.id,
    ...(scope === undefined ? {} : { scope: Object.freeze(scope) }),
  })
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** 43 characters of 62: 256 bits. Bytes of 248 and more are drawn again, so that no character is likelier. */
function randomSecret(): string {
  let secret = ''
  while (secret.length < 43) {
    for (const byte of randomBytes(64)) if (byte < 248 && secret.length < 43) secret += ALPHABET[byte % 62]
  }
  return secret
}
