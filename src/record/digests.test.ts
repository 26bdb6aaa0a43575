import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { forgetTenant, openTenantDigests } from './digests.ts'

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-digests-'))
  try {
    await body(join(folder, 'tenants'))
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('a text has one digest a tenant, also after a restart, and pieces give that of the whole', () =>
  withFolder(async (folder) => {
    const digests = openTenantDigests(folder)
    const first = digests.of('contoso', 'hello world')
    assert.match(first, /^[0-9a-f]{64}$/)
    assert.notEqual(first, digests.of('fabrikam', 'hello world'))
    assert.equal(digests.begin('contoso').update('hello ').update('world').digest('hex'), first)
    await digests.pending
    assert.equal(digests.pending, undefined)
    assert.equal((await readdir(folder)).length, 2)
    assert.equal(openTenantDigests(folder).of('contoso', 'hello world'), first)
  }))

test('keys are for the account alone, and their files do not name the tenant', () =>
  withFolder(async (folder) => {
    const digests = openTenantDigests(folder)
    digests.of('contoso', 'x')
    await digests.pending
    const [name = ''] = await readdir(folder)
    assert.match(name, /^[0-9a-f]{40}\.key$/)
    assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600)
  }))

test('a tenant that is forgotten gets another key, also in a process that is running', () =>
  withFolder(async (folder) => {
    let now = 0
    const forgotten: string[] = []
    const digests = openTenantDigests(folder, { nowMs: () => now, onForgotten: (tenant) => forgotten.push(tenant) })
    const before = digests.of('contoso', 'hello')
    await digests.pending
    assert.equal(await forgetTenant(folder, 'contoso'), true)
    assert.equal(await forgetTenant(folder, 'contoso'), false)
    now = 1001
    const after = digests.of('contoso', 'hello')
    assert.notEqual(after, before)
    assert.deepEqual(forgotten, ['contoso'])
    await digests.pending
    assert.equal(openTenantDigests(folder).of('contoso', 'hello'), after)
  }))

test('a key that was cut is said, not replaced', () =>
  withFolder(async (folder) => {
    const digests = openTenantDigests(folder)
    digests.of('contoso', 'x')
    await digests.pending
    const [name = ''] = await readdir(folder)
    await writeFile(join(folder, name), 'short')
    assert.throws(() => openTenantDigests(folder).of('contoso', 'x'), /is not a key of 32 bytes/)
  }))
