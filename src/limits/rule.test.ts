import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Principal } from '#contract/principal.ts'
import { type LimitRule, type Team, claimsOf } from './rule.ts'
import { testRule } from './test-gateways.ts'

const KEY: Principal = {
  subject: 'app',
  tenant: 'acme',
  kind: 'key',
  roles: ['developer', 'tester'],
  groups: ['g1', 'g2'],
  client: undefined,
  via: 'key',
  credentialId: 'k1',
}
const USER: Principal = { ...KEY, kind: 'user', subject: 'jane', credentialId: 'k1' }

function team(name: string, members: Partial<Team>): Team {
  return { name, groups: [], roles: [], keys: [], subjects: [], ...members }
}

const TEAMS = [
  team('by-group', { groups: ['g2'] }),
  team('by-role', { roles: ['tester'] }),
  team('by-key', { keys: ['k1'] }),
  team('by-subject', { subjects: ['jane'] }),
  team('others', { groups: ['g9'], roles: ['admin'], keys: ['k9'], subjects: ['joe'] }),
]

function subjects(changes: Partial<LimitRule>, principal: Principal = KEY): readonly string[] {
  return claimsOf({ rules: [testRule(changes)], teams: TEAMS }, principal, 'chat').map(({ subject }) => subject)
}

test('whom a rule counts for', () => {
  assert.deepEqual(subjects({ per: 'key' }), ['k1'])
  assert.deepEqual(subjects({ per: 'key' }, USER), [], 'the id of a token is no key')
  assert.deepEqual(subjects({ per: 'caller' }), ['acme/app'])
  assert.deepEqual(subjects({ per: 'alias' }), ['chat'])
  assert.deepEqual(subjects({ per: 'tenant' }), ['acme'])
  assert.deepEqual(subjects({ per: 'all' }), [''])
})

test('a caller counts in each of their teams', () => {
  assert.deepEqual(subjects({ per: 'team' }), ['by-group', 'by-role', 'by-key'])
  assert.deepEqual(subjects({ per: 'team' }, USER), ['by-group', 'by-role', 'by-subject'])
  assert.deepEqual(subjects({ per: 'team', teams: ['by-key', 'others'] }), ['by-key'])
})

test('a rule is for those whom all of its lists name', () => {
  const matching: Partial<LimitRule> = {
    per: 'all',
    aliases: ['chat', 'x'],
    roles: ['admin', 'tester'],
    tenants: ['acme'],
    teams: ['by-key'],
  }
  assert.deepEqual(subjects(matching), [''])
  assert.deepEqual(subjects({ ...matching, aliases: ['x'] }), [])
  assert.deepEqual(subjects({ ...matching, roles: ['admin'] }), [])
  assert.deepEqual(subjects({ ...matching, tenants: ['other'] }), [])
  assert.deepEqual(subjects({ ...matching, teams: ['others'] }), [])
})
