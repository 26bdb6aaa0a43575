import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Principal } from '#contract/principal.ts'
import { createSessions, isFromPage } from './session.ts'

const ADA: Principal = {
  subject: 'ada',
  tenant: 't',
  kind: 'user',
  roles: ['admin'],
  groups: [],
  client: undefined,
  via: 'sign-in',
  credentialId: '',
}
const PERSON = { principal: ADA, name: 'Ada' }

test('a session is found by the secret of its cookie until it ends', () => {
  let now = 0
  const sessions = createSessions(() => now)
  const { id, session } = sessions.open(PERSON, 1000)
  assert.match(id, /^[\w-]{43}$/)
  assert.equal(sessions.find(id), session)
  assert.match(session.principal.credentialId, /^session-[0-9a-f]{16}$/)
  assert.ok(!JSON.stringify(session).includes(id))
  assert.equal(sessions.find('x'), undefined)
  now = 1000
  assert.equal(sessions.find(id), undefined)
})

test('closing ends one session or all', () => {
  const sessions = createSessions(() => 0)
  const [first, second] = [sessions.open(PERSON, 1000).id, sessions.open(PERSON, 1000).id]
  sessions.close(first)
  assert.equal(sessions.find(first), undefined)
  assert.ok(sessions.find(second))
  sessions.closeAll()
  assert.equal(sessions.find(second), undefined)
})

test('the number is bounded: the oldest make room', () => {
  const sessions = createSessions(() => 0, 3)
  const ids = Array.from({ length: 5 }, () => sessions.open(PERSON, 1000).id)
  assert.deepEqual(
    ids.map((id) => sessions.find(id) !== undefined),
    [false, false, true, true, true],
  )
})

test('a change by cookie needs the token of this very session', () => {
  const sessions = createSessions(() => 0)
  const { session } = sessions.open(PERSON, 1000)
  const other = sessions.open(PERSON, 1000).session
  assert.ok(isFromPage(session, session.csrf))
  for (const wrong of [undefined, '', 'x', other.csrf]) assert.ok(!isFromPage(session, wrong))
})
