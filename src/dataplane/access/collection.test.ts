import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessOf, assertCollections, mayRead, permittedAccessIds } from './collection.ts'
import type { Caller, Collection } from './collection.ts'
import { collectionOf } from '#dataplane/test-agent.ts'

const nobody: Caller = { sub: 'kim', tenant: 'nordwind', roles: [], groups: [] }
const people: Caller = { ...nobody, roles: ['people'] }
const board: Caller = { ...nobody, groups: ['board'] }
const NO_READERS = { roles: [], groups: [] }
const PEOPLE = { roles: ['people'], groups: [] }
const BOARD = { roles: [], groups: ['board'] }

function readableBy(collection: Collection, documents: readonly string[], caller: Caller): string[] {
  const accesses = documents.map((document) => ({ document, ...accessOf(collection, document) }))
  const ids = permittedAccessIds(new Map(accesses.map(({ id, rules }) => [id, rules])), caller)
  return accesses.filter(({ id }) => ids.includes(id)).map(({ document }) => document)
}

test('a collection without readers is open, one with readers asks for a role or a group', () => {
  assert.ok(mayRead(NO_READERS, nobody))
  assert.ok(!mayRead(PEOPLE, nobody))
  assert.ok(mayRead(PEOPLE, people))
  assert.ok(mayRead({ roles: ['x'], groups: ['board'] }, board))
})

test('every rule that matches a document must be met', () => {
  const rules = [
    { documents: 'hr/**', ...PEOPLE },
    { documents: '**/*.pdf', ...BOARD },
  ]
  const collection = collectionOf('', { rules })
  const documents = ['a.md', 'hr/a.md', 'hr/a.pdf']
  assert.deepEqual(readableBy(collection, documents, nobody), ['a.md'])
  assert.deepEqual(readableBy(collection, documents, people), ['a.md', 'hr/a.md'])
  assert.deepEqual(readableBy(collection, documents, board), ['a.md'])
  assert.deepEqual(readableBy(collection, documents, { ...people, groups: ['board'] }), documents)
})

test('a rule that names nobody shuts its documents', () => {
  const collection = collectionOf('', { rules: [{ documents: '*.md', ...NO_READERS }] })
  assert.deepEqual(readableBy(collection, ['a.md'], people), [])
})

test('a folder named by tenant or subject is for them, and tenants narrow what roles open', () => {
  const rules = [
    { documents: 'customers/{tenant}/**', ...NO_READERS },
    { documents: 'home/{subject}/*', ...NO_READERS },
    { documents: 'pay/**', ...PEOPLE, tenants: ['nordwind'] },
  ]
  const collection = collectionOf('', { rules })
  const documents = ['customers/nordwind/a.md', 'customers/acme/a.md', 'home/kim/a.md', 'home/lee/a.md', 'pay/a.md']
  assert.deepEqual(readableBy(collection, documents, nobody), ['customers/nordwind/a.md', 'home/kim/a.md'])
  assert.deepEqual(readableBy(collection, documents, { ...people, tenant: 'acme', sub: 'lee' }), [
    'customers/acme/a.md',
    'home/lee/a.md',
  ])
  assert.ok(readableBy(collection, documents, people).includes('pay/a.md'))
})

test('the access id changes with the readers, not with the order they are written in', () => {
  const idOf = (roles: readonly string[]) =>
    accessOf(collectionOf('', { rules: [{ documents: '*', roles, groups: [] }] }), 'a.md').id
  assert.equal(idOf(['a', 'b']), idOf(['b', 'a']))
  assert.notEqual(idOf(['a']), idOf(['b']))
})

test('names that can not be a folder, or come twice, are refused', () => {
  assert.throws(() => assertCollections([collectionOf('', { name: '../x' })]), /`..\/x` must be/)
  assert.throws(() => assertCollections([collectionOf(''), collectionOf('')]), /used twice/)
})
