import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runCases } from './cases.ts'
import { POLICY_PACKS } from '#contract/policy-pack.ts'

const POLICIES = fileURLToPath(new URL('../../policies', import.meta.url))
const jurisdiction = ({ region }: { readonly region: string }): string => (region.startsWith('eu') ? 'EU' : 'US')

for (const folder of ['.', ...POLICY_PACKS.map((name) => join('packs', name))]) {
  test(`the cases of policies/${folder} pass, and each policy decides in one of them`, async () => {
    const names = (await readdir(join(POLICIES, folder))).filter((name) => name.endsWith('.cases.yaml'))
    assert.equal(names.length, 1)
    const { results, untested } = await runCases(join(POLICIES, folder, names[0] ?? ''), jurisdiction)
    assert.deepEqual(
      results.filter(({ differences }) => differences.length > 0),
      [],
    )
    assert.deepEqual(untested, [])
  })
}
