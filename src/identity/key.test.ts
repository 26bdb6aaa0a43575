import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type KeyRecord, createKey, identifyKey, openKeyRing } from './key.ts'

const FACTS = { tenant: 'contoso', subject: 'ci', roles: ['viewer', 'developer'] }
const NOW = 1_000_000

function ring(...records: readonly KeyRecord[]) {
  return openKeyRing(records, () => NOW)
}

test('a new key identifies its caller, with roles in order and nothing that can be changed', () => {
  const { key, record } = createKey(FACTS)
  assert.match(key, /^tp-[0-9a-f]{12}-[0-9A-Za-z]{43}$/)
  const principal = identifyKey(ring(record), key)
  assert.deepEqual(principal, {
    subject: 'ci',
    tenant: 'contoso',
    kind: 'key',
    roles: ['developer', 'viewer'],
    groups: [],
    client: undefined,
    via: 'key',
    credentialId: record.id,
  })
  assert.ok(Object.isFrozen(principal) && Object.isFrozen(principal.roles) && Object.isFrozen(principal.groups))
  assert.equal(identifyKey(ring(record), key).credentialId, key.slice(3, 15))
})

test('what is stored does not hold the key', () => {
  const { key, record } = createKey(FACTS)
  assert.match(record.hash, /^[0-9a-f]{64}$/)
  assert.ok(!JSON.stringify(record).includes(key.slice(16)))
})

test('no two keys are the same', () => {
  const keys = Array.from({ length: 200 }, () => createKey(FACTS).key)
  assert.equal(new Set(keys).size, 200)
  assert.equal(new Set(keys.map((key) => key.slice(3, 15))).size, 200)
})

test('an expiry that lies ahead does not count', () => {
  const { key, record } = createKey({ ...FACTS, expiresAtEpochMs: NOW + 1, revoked: false })
  assert.equal(identifyKey(ring(record), key).subject, 'ci')
})

const NOT_KNOWN = 'the key is not known here'
const FORM = 'the key is not of the form `tp-<id>-<secret>`, copy it again'

const refused: readonly (readonly [
  what: string,
  changes: Partial<KeyRecord>,
  present: (key: string) => string,
  code: string,
  message: string,
])[] = [
  ['a revoked key', { revoked: true }, (key) => key, 'IDENTITY_INVALID', 'the key was revoked, ask for a new one'],
  [
    'a key at the moment it expires',
    { expiresAtEpochMs: NOW },
    (key) => key,
    'IDENTITY_EXPIRED',
    'the key has expired, ask for a new one',
  ],
  [
    'a key with another last letter',
    {},
    (key) => key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A'),
    'IDENTITY_INVALID',
    NOT_KNOWN,
  ],
  ['a key with another id', {}, (key) => `tp-${'0'.repeat(12)}${key.slice(15)}`, 'IDENTITY_INVALID', NOT_KNOWN],
  [
    'a revoked key with a wrong secret',
    { revoked: true },
    (key) => `${key.slice(0, 16)}${'A'.repeat(43)}`,
    'IDENTITY_INVALID',
    NOT_KNOWN,
  ],
  [
    'an expired key with a wrong secret',
    { expiresAtEpochMs: 1 },
    (key) => `${key.slice(0, 16)}${'A'.repeat(43)}`,
    'IDENTITY_INVALID',
    NOT_KNOWN,
  ],
  ['a key in capitals', {}, (key) => key.toUpperCase(), 'IDENTITY_INVALID', FORM],
  ['a key that was cut', {}, (key) => key.slice(0, -1), 'IDENTITY_INVALID', FORM],
  ['a key with a blank behind it', {}, (key) => `${key} `, 'IDENTITY_INVALID', FORM],
  ['a key with a line feed behind it', {}, (key) => `${key}\n`, 'IDENTITY_INVALID', FORM],
  ['the beginning of a key', {}, () => 'tp-', 'IDENTITY_INVALID', FORM],
  ['nothing', {}, () => '', 'IDENTITY_INVALID', FORM],
]

for (const [what, changes, present, code, message] of refused) {
  test(`${what} is ${code}`, () => {
    const { key, record } = createKey({ ...FACTS, ...changes })
    assert.throws(() => identifyKey(ring(record), present(key)), { name: 'Refusal', code, message })
  })
}
