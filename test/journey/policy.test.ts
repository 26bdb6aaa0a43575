import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createKey } from '#identity/key.ts'
import { type ConfigDraft, type Plane, ROOT, chat, errorOf, eventually, post, withPlane } from '../plane.ts'

const run = promisify(execFile)

interface Ran {
  readonly status: number
  readonly out: string
  readonly error: string
}

async function thinplane(...words: readonly string[]): Promise<Ran> {
  try {
    const { stdout, stderr } = await run(process.execPath, [join(ROOT, 'thinplane.mjs'), ...words], { cwd: ROOT })
    return { status: 0, out: stdout, error: stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { status: code, out: stdout, error: stderr }
  }
}

/** An own copy of the shipped policies, with one more file. */
async function withPolicies(more: string, body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-policies-'))
  try {
    await cp(join(ROOT, 'policies'), folder, { recursive: true })
    await writeFile(join(folder, 'more.cedar'), more)
    await body(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function ask(plane: Plane, text: string, more: object = {}) {
  const answer = await post(plane.url, '/v1/chat/completions', plane.key, chat(text, more))
  return { answer, entry: await plane.entry(answer.headers.get('x-request-id') ?? '') }
}

/** The first target fails: whoever may goes on to the second. */
function failing(plane: Plane): void {
  plane.clouds.faults.set({ service: 'cloud-run', kind: 'error', status: 500 })
}

test('a target that policy forbids is no fallback either', async () => {
  const keepFromBedrock = `@id("not-to-bedrock") @reason("this may not go to Bedrock")
    forbid (principal, action == Thinplane::Action::"release", resource)
    when { resource.provider == "bedrock" && context.classes.contains("contact") };`
  await withPolicies(keepFromBedrock, async (folder) => {
    await withPlane({ change: (config) => void (config.policies = { folder }) }, async (plane) => {
      failing(plane)
      const free = await ask(plane, 'hello')
      assert.deepEqual([free.answer.status, free.entry.target], [200, 'bedrock-us-east-1'])
      const bound = await ask(plane, 'write to bob@example.com')
      assert.equal(bound.answer.status, 502)
      assert.deepEqual(bound.entry.policy.forbidden, ['bedrock-us-east-1'])
      assert.deepEqual(
        bound.entry.attempts.map(({ target }) => target),
        ['vllm-us-east4'],
      )
      assert.equal(plane.clouds.requests.count('bedrock'), 1)
    })
  })
})

test('an obligation to stay in a jurisdiction refuses before any cloud is asked', async () => {
  const change = (config: ConfigDraft): void => {
    config.policies.packs = ['eu-residency']
    const { chat: alias } = config.aliases
    if (alias !== undefined) alias['residency'] = 'EU'
  }
  await withPlane({ change }, async (plane) => {
    const { answer, entry } = await ask(plane, 'hello')
    assert.equal(answer.status, 403)
    assert.match(
      errorOf(answer).message,
      /^policy binds this text to EEA, EU, and the managed safety check is not there/,
    )
    assert.deepEqual([entry.outcome, entry.policy.policies], ['denied', ['eu-residency/eu-aliases']])
    for (const service of ['content-safety', 'cloud-run', 'bedrock'] as const)
      assert.equal(plane.clouds.requests.count(service), 0)
  })
})

test('pseudonyms stand in the trail where policy obliges to them', async () => {
  const oblige = `@id("hide") @logging("pseudonymous") @retention("30")
    permit (principal, action == Thinplane::Action::"oblige", resource) when { context.purpose == "hr" };`
  await withPolicies(oblige, async (folder) => {
    await withPlane({ change: (config) => void (config.policies = { folder }) }, async (plane) => {
      const open = await ask(plane, 'hello')
      const hidden = await ask(plane, 'hello', { thinplane: { purpose: 'hr' } })
      assert.equal(open.entry.principal?.subject, 'developer-caller')
      assert.match(hidden.entry.principal?.subject ?? '', /^p-/)
      assert.match(hidden.entry.peer, /^p-/)
      assert.deepEqual(
        [hidden.entry.policy.purpose, hidden.entry.policy.retentionDays, hidden.entry.policy.logging],
        ['hr', 30, 'pseudonymous'],
      )
      assert.equal(hidden.entry.digests.prompt.length, 64)
      const lines = (await plane.trail()).trimEnd().split('\n')
      const own = lines.find((line) => line.includes(hidden.entry.id))
      assert.ok(own !== undefined && !own.includes('developer-caller') && !own.includes('"ip":"127'))
    })
  })
})

test('a caller over budget is refused by the pack that reads it', async () => {
  const change = (config: ConfigDraft): void => {
    config.policies.packs = ['internal-only']
    const { chat: alias } = config.aliases
    if (alias !== undefined) alias['usdPerCallerAndDay'] = 0.000_001
  }
  await withPlane({ change }, async (plane) => {
    assert.equal((await ask(plane, 'hello')).answer.status, 200)
    const { answer } = await ask(plane, 'hello')
    assert.equal(answer.status, 403)
    assert.match(errorOf(answer).message, /the budget of the day for this model is spent/)
  })
})

test('policies are replaced while requests run, and a broken set leaves the last good one', async () => {
  await withPolicies('// nothing yet', async (folder) => {
    await withPlane({ change: (config) => void (config.policies = { folder }) }, async (plane) => {
      assert.equal((await ask(plane, 'hello')).answer.status, 200)
      await writeFile(join(folder, 'more.cedar'), '@id("x") forbid (principal, action, resource) when { nonsense };')
      await eventually(() => plane.logged.find((line) => line.includes('can not be used')), 'the refusal of the set')
      assert.ok(plane.logged.some((line) => /more\.cedar:1/.test(line)))
      assert.equal((await ask(plane, 'hello')).answer.status, 200)
      await writeFile(
        join(folder, 'more.cedar'),
        '@id("closed") @reason("closed") forbid (principal, action == Thinplane::Action::"use", resource);',
      )
      await eventually(() => plane.logged.find((line) => line.includes('configuration reloaded')), 'the new set')
      const { answer } = await ask(plane, 'hello')
      assert.deepEqual([answer.status, errorOf(answer).code], [403, 'POLICY_DENIED'])
    })
  })
})

test('explain and replay answer from the trail of a gateway', async () => {
  await withPlane({}, async (plane) => {
    const { entry } = await ask(plane, 'write to bob@example.com')
    const stranger = createKey({ tenant: 'test', subject: 'nobody', roles: [] })
    await plane.addKey(stranger)
    await eventually(async () => {
      const answer = await post(plane.url, '/v1/chat/completions', stranger.key, chat('hello'))
      return answer.status === 403 ? answer : undefined
    }, 'the refusal')
    const config = ['--config', plane.file] as const
    const explained = await thinplane('policy', 'explain', ...config, '--request', entry.id)
    assert.equal(explained.status, 0, explained.error)
    assert.match(explained.out, /use model chat: permitted\n {2}● permit developers-use-models/)
    assert.match(explained.out, /○ forbid residency .*\n {6}✖ when context\.residency != ""/)
    const missing = await thinplane('policy', 'explain', ...config, '--alias', 'chat', '--roles', 'viewer')
    assert.equal(missing.status, 1)
    assert.match(missing.out, /use model chat: refused/)
    const same = await thinplane('policy', 'replay', ...config, '--json')
    const { counts } = JSON.parse(same.out) as { counts: Record<string, number> }
    assert.equal(counts['refused'], 0)
    assert.ok((counts['same'] ?? 0) >= 2)
    const added = await thinplane('policy', 'replay', ...config, '--add', 'policies/packs/eu-residency')
    assert.match(added.out, /1 would be refused/)
    assert.match(added.out, /eu-residency\/personal-data-stays/)
  })
})

test('cases that fail say what differs, and wrong words say what is right', async () => {
  await withPolicies(
    '@id("untried") forbid (principal, action, resource) when { principal.agent };',
    async (folder) => {
      const passed = await thinplane('policy', 'test', folder)
      assert.equal(passed.status, 0)
      assert.match(passed.out, /no case is decided by: untried/)
      await writeFile(join(folder, 'more.cedar'), 'forbid (principal, action, resource);')
      const failed = await thinplane('policy', 'test', folder)
      assert.equal(failed.status, 1)
      assert.match(
        failed.out,
        /✖ a developer uses every target of a model\n {6}decision: expected "permit", got "refuse"/,
      )
    },
  )
  assert.equal((await thinplane('policy', 'nonsense')).status, 2)
  assert.equal((await thinplane('policy', 'export')).status, 2)
  assert.match((await thinplane('policy', 'test', '/nowhere')).error, /there is no file or folder \/nowhere/)
})
