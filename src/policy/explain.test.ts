import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Principal } from '#contract/principal.ts'
import { explainQuestion } from './explain.ts'
import { loadPolicies } from './load.ts'
import { createClock } from './moment.ts'
import { aliasQuestion } from './question.ts'

const ADA: Principal = {
  subject: 'ada',
  tenant: 't',
  kind: 'user',
  roles: ['developer'],
  groups: [],
  client: undefined,
  via: 'entra',
  credentialId: '',
}

test('each policy about an action says which of its conditions failed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-explain-'))
  try {
    await writeFile(
      join(folder, 'a.cedar'),
      `@id("yes") permit (principal in Thinplane::Role::"developer", action, resource);
@id("other") permit (principal in Thinplane::Role::"admin", action, resource);
@id("late") forbid (principal, action == Thinplane::Action::"use", resource)
when { context.time.hour > 20 && resource.tags.contains("day") } unless { principal.kind == "user" };
@id("release") forbid (principal, action == Thinplane::Action::"release", resource);`,
    )
    const { policies } = await loadPolicies([folder])
    const question = aliasQuestion(ADA, 'use', {
      alias: { name: 'chat', residency: '', tags: ['day'] },
      dialect: 'openai-chat',
      purpose: '',
      collections: [],
      moment: createClock('UTC')(Date.UTC(2026, 10, 25, 10)),
      budget: 'none',
    })
    assert.deepEqual(await explainQuestion(policies.values(), question), [
      { id: 'yes', file: 'a.cedar', line: 1, effect: 'permit', applies: true, scope: true, conditions: [] },
      { id: 'other', file: 'a.cedar', line: 2, effect: 'permit', applies: false, scope: false, conditions: [] },
      {
        id: 'late',
        file: 'a.cedar',
        line: 3,
        effect: 'forbid',
        applies: false,
        scope: true,
        conditions: [
          { text: 'when context.time.hour > 20', holds: false },
          { text: 'when resource.tags.contains("day")', holds: true },
          { text: 'unless principal.kind == "user"', holds: false },
        ],
      },
    ])
  } finally {
    await rm(folder, { recursive: true })
  }
})
