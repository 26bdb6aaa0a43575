import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessClasses, accessId, assertCollections, mayRead, permittedAccessIds } from './collection.ts'
import { collectionOf } from '#dataplane/test-agent.ts'

const nobody = { roles: [], groups: [] }
const people = { roles: ['people'], groups: [] }
const board = { roles: [], groups: ['board'] }

test('a collection without readers is open, one with readers asks for a role or a group', () => {
  assert.ok(mayRead(nobody, nobody))
  assert.ok(!mayRead(people, nobody))
  assert.ok(mayRead(people, people))
  assert.ok(mayRead({ roles: ['x'], groups: ['board'] }, board))
})

test('every rule that matches a document must be met', () => {
  const collection = collectionOf('', {
    rules: [
      { documents: 'hr/**', ...people },
      { documents: '**/*.pdf', ...board },
    ],
  })
  const documents = ['a.md', 'hr/a.md', 'hr/a.pdf']
  const classes = accessClasses(collection, documents)
  const readable = (principal: typeof nobody | typeof people | typeof board) => {
    const ids = permittedAccessIds(classes, principal)
    return documents.filter((document) => ids.includes(accessId(collection, document)))
  }
  assert.deepEqual(readable(nobody), ['a.md'])
  assert.deepEqual(readable(people), ['a.md', 'hr/a.md'])
  assert.deepEqual(readable(board), ['a.md'])
  assert.deepEqual(permittedAccessIds(classes, { roles: ['people'], groups: ['board'] }).length, 3)
})

test('a rule that names nobody shuts its documents', () => {
  const collection = collectionOf('', { rules: [{ documents: '*.md', ...nobody }] })
  assert.deepEqual(permittedAccessIds(accessClasses(collection, ['a.md']), people), [])
})

test('the access id changes with the readers, not with the order they are written in', () => {
  const idOf = (roles: readonly string[]) =>
    accessId(collectionOf('', { rules: [{ documents: '*', roles, groups: [] }] }), 'a.md')
  assert.equal(idOf(['a', 'b']), idOf(['b', 'a']))
  assert.notEqual(idOf(['a']), idOf(['b']))
})

test('names that can not be a folder, or come twice, are refused', () => {
  assert.throws(() => assertCollections([collectionOf('', { name: '../x' })]), /`..\/x` must be/)
  assert.throws(() => assertCollections([collectionOf(''), collectionOf('')]), /used twice/)
})
