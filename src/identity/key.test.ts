import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type KeyRecord, createKey, identifyKey, openKeyRing, rotateKey } from './key.ts'
import { parseKeys, showKeys } from './key-file.ts'

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

test('after a rotation the old secret is good for its time of grace, the new one at once, under the same id', () => {
  const { key: old, record } = createKey(FACTS)
  const first = rotateKey(record, { graceMs: 1000, nowEpochMs: NOW })
  let now = NOW
  const keys = openKeyRing([first.record], () => now)
  assert.notEqual(first.key, old)
  assert.equal(identifyKey(keys, first.key).credentialId, record.id)
  now = NOW + 999
  assert.equal(identifyKey(keys, old).credentialId, record.id)
  now = NOW + 1000
  assert.throws(() => identifyKey(keys, old), {
    code: 'IDENTITY_EXPIRED',
    message: 'the key was rotated and its time of grace is over, use the new one',
  })
  assert.equal(identifyKey(keys, first.key).subject, 'ci')
  const second = rotateKey(first.record, { graceMs: 1000, nowEpochMs: now })
  keys.replace([second.record])
  assert.equal(identifyKey(keys, first.key).subject, 'ci')
  assert.throws(() => identifyKey(keys, old), { code: 'IDENTITY_INVALID', message: 'the key is not known here' })
})

test('without grace the old secret ends with the rotation', () => {
  const { key: old, record } = createKey(FACTS)
  const { record: next } = rotateKey(record, { graceMs: 0, nowEpochMs: NOW })
  assert.throws(() => identifyKey(ring(next), old), { code: 'IDENTITY_EXPIRED' })
})

test('the scope of a key is on its caller, and the use of it is remembered', () => {
  const scope = { aliases: ['chat'], collections: ['docs'] }
  const { key, record } = createKey({ ...FACTS, scope })
  const keys = ring(record)
  assert.deepEqual(identifyKey(keys, key).scope, scope)
  assert.equal(keys.lastUsed.get(record.id), NOW)
  assert.throws(() => identifyKey(keys, `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`))
  assert.equal(keys.lastUsed.size, 1)
})

test('new records take over, and callers whose key stays are the same objects', () => {
  const [kept, gone, added] = [createKey(FACTS), createKey(FACTS), createKey(FACTS)]
  const keys = ring(kept.record, gone.record)
  const before = identifyKey(keys, kept.key)
  keys.replace([{ ...kept.record }, added.record])
  assert.equal(identifyKey(keys, kept.key), before)
  assert.throws(() => identifyKey(keys, gone.key), { message: 'the key is not known here' })
  assert.equal(identifyKey(keys, added.key).credentialId, added.record.id)
  keys.replace([{ ...kept.record, roles: ['viewer'] }])
  assert.deepEqual(identifyKey(keys, kept.key).roles, ['viewer'])
})

test('the file is read as it was written, and nothing else is taken for one', () => {
  const { record } = createKey({ ...FACTS, scope: { aliases: [] }, owner: 'ops', note: 'n', expiresAtEpochMs: 5 })
  const { record: rotated } = rotateKey(createKey(FACTS).record, { graceMs: 5, nowEpochMs: 1 })
  assert.deepEqual(parseKeys(showKeys([record, rotated])), [record, rotated])
  for (const text of ['', '{}', '{"keys":{}}', '{"keys":[{"id":"x"}]}', showKeys([record, record])])
    assert.throws(() => parseKeys(text), text)
})
