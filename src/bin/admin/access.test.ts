import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import { asRecord } from '#kit/json.ts'
import { openApi } from '#wire/admin/open-api.ts'
import { ACCESS, type Operation, authorize, operationOf } from './access.ts'

function caller(...roles: readonly string[]): Principal {
  return {
    subject: 's',
    tenant: 't',
    kind: 'user',
    roles,
    groups: [],
    client: undefined,
    via: 'x',
    credentialId: '',
  }
}

/** Written out once more, so that a change of the table is a change of this as well. */
const CELLS: Readonly<Record<Operation, string>> = {
  'GET /admin/v1/status': 'admin auditor developer viewer',
  'GET /admin/v1/targets': 'admin auditor developer viewer',
  'POST /admin/v1/targets/{id}/warm': 'admin',
  'GET /admin/v1/requests': 'admin auditor developer viewer',
  'GET /admin/v1/requests/{id}': 'admin auditor',
  'GET /admin/v1/collections': 'admin auditor developer viewer',
  'GET /admin/v1/keys': 'admin auditor',
  'POST /admin/v1/keys': 'admin',
  'POST /admin/v1/keys/{id}/rotate': 'admin',
  'DELETE /admin/v1/keys/{id}': 'admin',
  'GET /admin/v1/limits': 'admin auditor',
  'POST /admin/v1/limits/reclaim': 'admin',
  'GET /admin/v1/denied': 'admin auditor',
  'POST /admin/v1/denied': 'admin',
  'DELETE /admin/v1/denied/{id}': 'admin',
}
const ROLES = ['admin', 'auditor', 'developer', 'viewer', 'restricted', 'Admin', '']

function mayDo(operation: Operation, ...roles: readonly string[]): boolean {
  try {
    authorize(operation, caller(...roles))
    return true
  } catch (error) {
    assert.ok(error instanceof Refusal && error.code === 'POLICY_DENIED', String(error))
    return false
  }
}

for (const operation of Object.keys(ACCESS) as Operation[]) {
  test(`${operation}: every role`, () => {
    for (const role of ROLES) assert.equal(mayDo(operation, role), CELLS[operation].split(' ').includes(role), role)
    assert.equal(mayDo(operation), false)
    assert.ok(mayDo(operation, 'restricted', 'admin'))
  })
}

test('a path is matched as a whole, with its method', () => {
  assert.deepEqual(find('GET', '/admin/v1/status'), ['GET /admin/v1/status', ''])
  assert.deepEqual(find('HEAD', '/admin/v1/requests/req-1'), ['GET /admin/v1/requests/{id}', 'req-1'])
  assert.deepEqual(find('DELETE', '/admin/v1/keys/0a'), ['DELETE /admin/v1/keys/{id}', '0a'])
  for (const path of [
    '/admin/v1/',
    '/admin/v1/statuses',
    '/admin/v1/keys/',
    '/admin/v1/keys/a/b',
    '/admin/v1/keys/../x',
  ])
    assert.equal(operationOf('GET', path), undefined, path)
  for (const [method, path, message] of [
    ['PUT', '/admin/v1/keys', '`/admin/v1/keys` takes GET and POST'],
    ['GET', '/admin/v1/keys/a', '`/admin/v1/keys/a` takes DELETE'],
    ['POST', '/admin/v1/status', '`/admin/v1/status` takes GET'],
  ] as const)
    assert.throws(() => operationOf(method, path), { code: 'WIRE_NOT_FOUND', message })
})

test('the OpenAPI document has the operations of the table and no other', () => {
  const paths = asRecord(asRecord(openApi())?.['paths']) ?? {}
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(asRecord(methods) ?? {}).map((method) => `${method.toUpperCase()} ${path}`),
  )
  assert.deepEqual(described.toSorted(), Object.keys(ACCESS).toSorted())
})

function find(method: string, path: string): readonly (string | undefined)[] {
  const found = operationOf(method, path)
  return [found?.operation, found?.id]
}
