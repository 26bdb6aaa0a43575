import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { Refusal } from '#contract/refusal.ts'
import { type DenyEntry, openDenyList, parseDenied, showDenied } from './deny.ts'
import { withEntra } from './entra.suite.ts'
import { createKey, identifyKey, openKeyRing } from './key.ts'

const OURS = '11111111-2222-4333-8444-555555555555'
const OTHER = '99999999-2222-4333-8444-555555555555'
const MESSAGE = 'the caller or the token is on the deny list, ask an administrator'

function entry(facts: Partial<DenyEntry>): DenyEntry {
  return { id: '0123456789ab', reason: '', atEpochMs: 1, ...facts }
}

test('a denied caller is turned away at once, also with a token that was taken before, and let in again', () =>
  withEntra(async ({ ask, mint, denied, clouds, fetches }) => {
    const token = await mint({ user: 'Ada Example' })
    const another = await mint()
    await ask(token)
    const oid = clouds.settings.entra.users[0]?.oid ?? ''
    const uti = String(decodeJwt(token)['uti'])
    for (const facts of [{ oid }, { oid: oid.toUpperCase(), tid: OURS.toUpperCase() }, { uti }]) {
      denied.replace([entry(facts)])
      for (let time = 0; time < 2; time += 1)
        await assert.rejects(ask(token), { code: 'IDENTITY_INVALID', status: 401, message: MESSAGE })
      assert.equal((await ask(another)).kind, 'app')
      denied.replace([])
      assert.equal((await ask(token)).kind, 'user')
    }
    for (const facts of [{ oid, tid: OTHER }, { uti: 'x' }, { key: uti }, { key: oid }]) {
      denied.replace([entry(facts)])
      assert.equal((await ask(token)).kind, 'user', JSON.stringify(facts))
    }
    assert.equal(fetches(), 1)
  }))

test('a token that comes for the first time is not taken either', () =>
  withEntra(async ({ ask, mint, denied, clouds }) => {
    denied.replace([entry({ oid: clouds.settings.entra.users[0]?.oid ?? '' })])
    await assert.rejects(ask(await mint({ user: 'Ada Example' })), { message: MESSAGE })
  }))

test('a client that has said that it can is told to bring a token from now on', () =>
  withEntra(async ({ ask, mint, denied, now, clouds }) => {
    denied.replace([entry({ oid: clouds.settings.entra.users[0]?.oid ?? '' })])
    const challengeOf = async (claims: Record<string, unknown>) => {
      const token = await mint({ user: 'Ada Example', claims })
      const error: unknown = await ask(token).catch((thrown: unknown) => thrown)
      assert.ok(error instanceof Refusal)
      return error.challenge
    }
    const challenge = await challengeOf({ xms_cc: ['cp1'] })
    const wanted = JSON.parse(challenge?.claims ?? '') as {
      access_token: { nbf: { essential: boolean; value: string } }
    }
    assert.equal(wanted.access_token.nbf.essential, true)
    assert.ok(Math.abs(Number(wanted.access_token.nbf.value) - now() / 1000) < 5)
    assert.equal(challenge?.authorizationUri, `${clouds.urls.entra}/${OURS}/oauth2/v2.0/authorize`)
    assert.equal(await challengeOf({ xms_cc: ['other'] }), undefined)
    assert.equal(await challengeOf({}), undefined)
  }))

test('a key is denied by its id, or with everything else of its subject', () => {
  const { key, record } = createKey({ tenant: 'local', subject: 'ci', roles: [] })
  const ring = openKeyRing([record], Date.now)
  const denied = openDenyList([])
  for (const facts of [{ key: record.id }, { oid: 'ci' }, { oid: 'ci', tid: 'local' }]) {
    denied.replace([entry(facts)])
    assert.throws(() => identifyKey(ring, key, denied), {
      code: 'IDENTITY_INVALID',
      message: 'the key is on the deny list, ask its owner',
    })
  }
  for (const facts of [{ uti: record.id }, { oid: 'ci', tid: 'other' }]) {
    denied.replace([entry(facts)])
    assert.equal(identifyKey(ring, key, denied).subject, 'ci')
  }
})

test('the file is read as it was written, and nothing else is taken for one', () => {
  const entries = [entry({ oid: 'a', tid: 'b', reason: 'left' }), entry({ key: 'k' }), entry({ uti: 'u' })]
  assert.deepEqual(parseDenied(showDenied(entries)), entries)
  for (const text of [
    '',
    '[]',
    '{}',
    '{"denied":[{"id":"0123456789ab"}]}',
    '{"denied":[{"id":"0123456789ab","oid":"a","uti":"b"}]}',
    '{"denied":[{"id":"0123456789ab","uti":"a","tid":"b"}]}',
    '{"denied":[{"id":"0123456789ab","oid":"a","x":1}]}',
  ]) {
    assert.throws(() => parseDenied(text), text)
  }
})
