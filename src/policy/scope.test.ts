import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Principal, Scope } from '#contract/principal.ts'
import { withinScope } from './scope.ts'

function holding(scope?: Scope): Principal {
  return {
    subject: 'ci',
    tenant: 'local',
    kind: 'key',
    roles: [],
    groups: [],
    client: undefined,
    via: 'key',
    credentialId: 'k',
    ...(scope && { scope }),
  }
}

const rows: readonly (readonly [what: string, scope: Scope | undefined, message?: string])[] = [
  ['no scope', undefined],
  ['an empty scope', {}],
  ['both within', { aliases: ['chat', 'assistant'], collections: ['docs'] }],
  ['aliases only', { aliases: ['assistant'] }],
  ['another alias', { aliases: ['chat'] }, 'model `assistant` is outside of the scope of your key, which holds `chat`'],
  ['no alias', { aliases: [] }, 'model `assistant` is outside of the scope of your key, which holds none'],
  [
    'another collection',
    { collections: ['hr', 'law'] },
    'collection `docs` is outside of the scope of your key, which holds `hr`, `law`',
  ],
  ['no collection', { collections: [] }, 'collection `docs` is outside of the scope of your key, which holds none'],
]

for (const [what, scope, message] of rows) {
  test(`a key with ${what} ${message === undefined ? 'may use the alias' : 'is held to it'}`, () => {
    const ask = (): void => withinScope(holding(scope), 'assistant', ['docs'])
    if (message === undefined) ask()
    else assert.throws(ask, { name: 'Refusal', code: 'POLICY_DENIED', message })
  })
}

test('a scope of collections does not keep a key from an alias without any', () => {
  withinScope(holding({ collections: [] }), 'chat', [])
})
