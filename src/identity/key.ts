import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'

/** A key at rest: never the key, only its SHA-256. Keys carry 256 random bits, so a slow hash would add nothing. */
export interface KeyRecord {
  /** Public part: `tp-<id>-<secret>`. */
  readonly id: string
  /** SHA-256 of the whole key, hex. */
  readonly hash: string
  readonly tenant: string
  readonly subject: string
  readonly roles: readonly string[]
  readonly expiresAtEpochMs?: number | undefined
  readonly revoked?: boolean | undefined
}

export interface KeyRing {
  readonly records: ReadonlyMap<
    string,
    { readonly record: KeyRecord; readonly hash: Buffer; readonly principal: Principal }
  >
  readonly nowEpochMs: () => number
}

const KEY_FORM = /^tp-([0-9a-f]{12})-([0-9A-Za-z]{43})$/
/** Compared against when the id is unknown, so that an unknown id takes as long as a wrong secret. */
const NO_HASH = Buffer.alloc(32)

export function openKeyRing(records: readonly KeyRecord[], nowEpochMs: () => number): KeyRing {
  const map = new Map(
    records.map((record) => [
      record.id,
      { record, hash: Buffer.from(record.hash, 'hex'), principal: keyPrincipal(record) },
    ]),
  )
  return { records: map, nowEpochMs }
}

/** A new key and what to store of it. The key itself is shown once and kept nowhere. */
export function createKey(facts: Omit<KeyRecord, 'id' | 'hash'>): { readonly key: string; readonly record: KeyRecord } {
  const id = randomBytes(6).toString('hex')
  const key = `tp-${id}-${randomSecret()}`
  return { key, record: { id, hash: hash('sha256', key, 'hex'), ...facts } }
}

/** @throws {Refusal} IDENTITY_INVALID, IDENTITY_EXPIRED */
export function identifyKey(ring: KeyRing, key: string): Principal {
  const match = KEY_FORM.exec(key)
  const known = ring.records.get(match?.[1] ?? '')
  const presented = hash('sha256', key, 'buffer')
  const matches = timingSafeEqual(presented, known?.hash ?? NO_HASH)
  if (match === null)
    throw new Refusal('IDENTITY_INVALID', 'the key is not of the form `tp-<id>-<secret>`, copy it again')
  if (known === undefined || !matches) throw new Refusal('IDENTITY_INVALID', 'the key is not known here')
  if (known.record.revoked === true) throw new Refusal('IDENTITY_INVALID', 'the key was revoked, ask for a new one')
  if (known.record.expiresAtEpochMs !== undefined && known.record.expiresAtEpochMs <= ring.nowEpochMs()) {
    throw new Refusal('IDENTITY_EXPIRED', 'the key has expired, ask for a new one')
  }
  return known.principal
}

function keyPrincipal(record: KeyRecord): Principal {
  return Object.freeze({
    subject: record.subject,
    tenant: record.tenant,
    kind: 'key' as const,
    roles: Object.freeze(record.roles.toSorted()),
    groups: Object.freeze([]),
    client: undefined,
    via: 'key',
    credentialId: record.id,
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
