import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Ask } from '#contract/ask.ts'
import type { Principal } from '#contract/principal.ts'
import type { FindingCount } from '#contract/screened.ts'
import { testAlias } from '#contract/test-alias.ts'
import type { Alias, Target } from '#contract/target.ts'
import { type PolicyEngine, createPolicyEngine } from './engine.ts'
import { PolicyProblems, loadPolicies } from './load.ts'
import { createClock } from './moment.ts'
import { type PolicyDeps, type PolicyOptions, openPolicy, permit, release } from './permit.ts'

const FOLDER = fileURLToPath(new URL('../../policies', import.meta.url))

function principal(...roles: readonly string[]): Principal {
  return {
    subject: 'ada',
    tenant: 'contoso',
    kind: 'user',
    roles,
    groups: [],
    client: undefined,
    via: 'entra',
    credentialId: 'u1',
  }
}

function alias(name: string, changes: Partial<Alias> = {}): Alias {
  return testAlias({ name, targets: ['us', 'eu'], ...changes })
}

function ask(changes: Partial<Ask> = {}): Ask {
  return {
    dialect: 'openai-chat',
    alias: 'chat',
    stream: false,
    messages: [],
    tools: [],
    toolChoice: undefined,
    sampling: {},
    includeUsage: false,
    ground: undefined,
    conversation: undefined,
    purpose: undefined,
    rest: {},
    ...changes,
  }
}

function target(name: string, region: string): Target {
  return { name, provider: 'bedrock', place: { cloud: 'aws', region }, tags: [], simulated: false } as unknown as Target
}

const TARGETS = [target('us', 'us-east-1'), target('eu', 'eu-central-1')]
const ALIASES = [
  alias('chat'),
  alias('assistant', { collections: ['docs'] }),
  alias('eu-chat', { residency: 'EU' }),
  alias('mars', { residency: 'MARS' }),
]

/** A Wednesday, 10:30 UTC. */
const NOW = Date.UTC(2026, 10, 25, 10, 30)

/** The engine with a count of how often it was really asked. */
async function deps(
  folder = FOLDER,
  changes: Partial<PolicyOptions> = {},
): Promise<PolicyDeps & { readonly asked: () => number }> {
  const real = await createPolicyEngine(await loadPolicies([folder]))
  let asked = 0
  const engine: PolicyEngine = {
    ...real,
    decide: (question) => {
      asked += 1
      return real.decide(question)
    },
  }
  const opened = openPolicy({
    engine,
    aliases: new Map(ALIASES.map((each) => [each.name, each])),
    collections: new Map(['docs', 'people'].map((name) => [name, { name, labels: [] }])),
    guards: { profiles: ['strict', 'balanced'], defaultProfile: 'balanced' },
    jurisdiction: ({ region }) => (region.startsWith('eu') ? 'EU' : 'US'),
    planes: [],
    clock: createClock('UTC'),
    nowEpochMs: () => NOW,
    budget: () => 'none',
    ...changes,
  })
  return { ...opened, asked: () => asked }
}

/** A folder of policies for one test. */
async function withPolicies(
  files: Readonly<Record<string, string>>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-policies-'))
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
    await body(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

const found = (type: string): FindingCount => ({ type, action: 'redact', count: 1, where: 'prompt' })

test('a developer may use a model, and the permit says why and under which guard', async () => {
  assert.deepEqual(permit(await deps(), principal('developer'), ask()), {
    alias: 'chat',
    collections: [],
    purpose: '',
    guardProfile: 'balanced',
    jurisdictions: undefined,
    retentionDays: undefined,
    logging: 'standard',
    cache: 'caller',
    policies: ['developers-use-models'],
  })
})

test('of the profiles that several permits name, the strictest applies', async () => {
  const { guardProfile, policies } = permit(await deps(), principal('developer', 'restricted'), ask())
  assert.equal(guardProfile, 'strict')
  assert.deepEqual(policies.toSorted(), ['developers-use-models', 'restricted-callers-use-models'])
})

test('collections of the alias and of the request are asked for, each once', async () => {
  const { collections, policies } = permit(
    await deps(),
    principal('developer'),
    ask({ alias: 'assistant', ground: { collections: ['people', 'docs'], topK: undefined, sql: [], items: [] } }),
  )
  assert.deepEqual(collections, ['docs', 'people'])
  assert.deepEqual(policies, ['developers-use-models', 'developers-ground-on-the-handbook'])
})

const refused: readonly (readonly [
  what: string,
  roles: readonly string[],
  ask: Partial<Ask>,
  code: string,
  message: string,
  param?: string,
])[] = [
  ['no role', [], {}, 'POLICY_DENIED', 'model `chat` is not permitted: no policy permits it to a caller with no role'],
  [
    'a role that only looks',
    ['viewer'],
    {},
    'POLICY_DENIED',
    'model `chat` is not permitted: no policy permits it to a caller with the roles `viewer`',
  ],
  [
    'a role of letters that do not print',
    ['vi\new', 'x'],
    {},
    'POLICY_DENIED',
    'model `chat` is not permitted: no policy permits it to a caller with the roles `vi?ew`, `x`',
  ],
  [
    'a model without its documents',
    ['restricted'],
    { alias: 'assistant' },
    'POLICY_DENIED',
    'collection `docs` is not permitted: no policy permits it to a caller with the roles `restricted`',
  ],
  [
    'an unknown model',
    ['developer'],
    { alias: 'gpt-9\u0007' },
    'ROUTE_UNKNOWN_MODEL',
    'there is no model `gpt-9?`, choose one of `chat`, `assistant`, `eu-chat`, `mars`',
    'model',
  ],
  [
    'an unknown model, before anything is said about rights',
    [],
    { alias: 'x' },
    'ROUTE_UNKNOWN_MODEL',
    'there is no model `x`, choose one of `chat`, `assistant`, `eu-chat`, `mars`',
    'model',
  ],
  [
    'an unknown collection',
    ['developer'],
    { ground: { collections: ['secrets'], topK: undefined, sql: [], items: [] } },
    'CONTEXT_UNKNOWN',
    'there is no collection `secrets`, choose one of `docs`, `people`',
    'thinplane.ground.collections',
  ],
]

for (const [what, roles, changes, code, message, param] of refused) {
  test(`${what}: ${code}`, async () => {
    const own = await deps()
    assert.throws(() => permit(own, principal(...roles), ask(changes)), { name: 'Refusal', code, message, param })
  })
}

test('a role twice in a token is a role once', async () => {
  assert.equal(permit(await deps(), principal('developer', 'developer'), ask()).alias, 'chat')
})

test('every target is released for a text without residency', async () => {
  const own = await deps()
  const given = permit(own, principal('developer'), ask())
  assert.deepEqual(release(own, principal('developer'), given, { found: [found('EMAIL_ADDRESS')], targets: TARGETS }), {
    targets: ['us', 'eu'],
    forbidden: [],
    policies: ['text-goes-to-the-targets-of-its-alias'],
  })
})

test('residency keeps a text from targets elsewhere, and the answer says which policy did', async () => {
  const own = await deps()
  const given = permit(own, principal('developer'), ask({ alias: 'eu-chat' }))
  assert.deepEqual(release(own, principal('developer'), given, { found: [], targets: TARGETS }), {
    targets: ['eu'],
    forbidden: [{ target: 'us', policies: ['residency'] }],
    policies: ['text-goes-to-the-targets-of-its-alias'],
  })
})

test('a text that may go nowhere is refused with the reason of the policy', async () => {
  const own = await deps()
  const given = permit(own, principal('developer'), ask({ alias: 'mars' }))
  assert.throws(() => release(own, principal('developer'), given, { found: [], targets: TARGETS }), {
    name: 'Refusal',
    code: 'POLICY_DENIED',
    message: 'every target of model `mars` is not permitted: the text has to stay in the jurisdiction of its alias',
  })
})

test('what was asked before is answered from memory, and whatever differs is asked again', async () => {
  const own = await deps()
  const steps: readonly (readonly [what: string, run: () => unknown, asks: number])[] = [
    ['first', () => permit(own, principal('developer'), ask()), 2],
    ['the same caller in another object', () => permit(own, principal('developer'), ask()), 0],
    ['another role', () => permit(own, principal('developer', 'restricted'), ask()), 2],
    ['another dialect', () => permit(own, principal('developer'), ask({ dialect: 'anthropic-messages' })), 2],
    ['a purpose', () => permit(own, principal('developer'), ask({ purpose: 'support' })), 2],
    ['another subject', () => permit(own, { ...principal('developer'), subject: 'bob' }, ask()), 2],
    ['another tenant', () => permit(own, { ...principal('developer'), tenant: 'fabrikam' }, ask()), 2],
    [
      'another credential of the same caller',
      () => permit(own, { ...principal('developer'), credentialId: 'u2' }, ask()),
      0,
    ],
    ['a collection', () => permit(own, principal('developer'), ask({ alias: 'assistant' })), 3],
    ['the collection again', () => permit(own, principal('developer'), ask({ alias: 'assistant' })), 0],
    ['a release of two targets', () => releaseOf(own, []), 2],
    ['the same release', () => releaseOf(own, []), 0],
    ['another finding', () => releaseOf(own, ['SECRET']), 2],
    ['two findings', () => releaseOf(own, ['EMAIL_ADDRESS', 'SECRET']), 2],
    ['the same findings in another order', () => releaseOf(own, ['SECRET', 'EMAIL_ADDRESS', 'SECRET']), 0],
  ]
  for (const [what, run, asks] of steps) {
    const before = own.asked()
    run()
    assert.equal(own.asked() - before, asks, what)
  }
})

function releaseOf(own: PolicyDeps, types: readonly string[]): unknown {
  const given = permit(own, principal('developer'), ask())
  return release(own, principal('developer'), given, { found: types.map(found), targets: TARGETS })
}

test('a policy that can not be evaluated says no', () =>
  withPolicies(
    {
      'a.cedar': '@id("all") permit (principal, action, resource);',
      'b.cedar':
        '@id("broken") forbid (principal, action == Thinplane::Action::"use", resource) when { 9223372036854775807 + 1 > 0 };',
    },
    async (folder) => {
      const own = await deps(folder)
      assert.throws(() => permit(own, principal('developer'), ask()), {
        code: 'POLICY_DENIED',
        message: 'model `chat` is not permitted: policy `broken` forbids it',
      })
    },
  ))

const PERMIT = 'permit (principal, action, resource);'

test('policies without an id are named by their file and place', () =>
  withPolicies(
    { 'a.cedar': `${PERMIT}\n@id("second") @guard("strict") ${PERMIT}`, 'notes.txt': 'not a policy' },
    async (folder) => {
      const { policies } = await loadPolicies([folder])
      assert.deepEqual(
        [...policies.values()].map(({ id, file, guard, reason }) => ({ id, file, guard, reason })),
        [
          { id: 'a.cedar#1', file: 'a.cedar', guard: undefined, reason: undefined },
          { id: 'second', file: 'a.cedar', guard: 'strict', reason: undefined },
        ],
      )
    },
  ))

const broken: readonly (readonly [
  what: string,
  files: Readonly<Record<string, string>>,
  problems: readonly RegExp[],
])[] = [
  [
    'a file that does not parse',
    { 'a.cedar': `${PERMIT}\n\npermit (principal, action resource);` },
    [/^a\.cedar:3: .*unexpected token/],
  ],
  [
    'one that breaks behind characters of several bytes',
    { 'a.cedar': `// äöü€𝄞\n// 語\n${PERMIT}\nforbid;` },
    [/^a\.cedar:4: /],
  ],
  ['two files at once', { 'a.cedar': 'permit;', 'b.cedar': '\nnonsense' }, [/^a\.cedar:1: /, /^b\.cedar:2: /]],
  [
    'the same id twice',
    { 'a.cedar': `@id("x") ${PERMIT}`, 'b.cedar': `@id("x") ${PERMIT}` },
    [/^b\.cedar:1: the id `x` is used in a\.cedar:1 too$/],
  ],
  [
    'an attribute that does not exist',
    { 'a.cedar': '@id("x") permit (principal, action, resource) when { principal.age > 3 };' },
    [/^a\.cedar:1: policy `x`: .*age/],
  ],
  [
    'an entity that does not exist',
    { 'a.cedar': '@id("x") permit (principal == User::"a", action, resource);' },
    [/^a\.cedar:1: policy `x`: .*User/],
  ],
  ['an empty folder', {}, [/: there is no `\.cedar` file, so nothing would be decided by it$/]],
]

for (const [what, files, problems] of broken) {
  test(`${what} is a problem with its file and line`, () =>
    withPolicies(files, async (folder) => {
      const error = await loadPolicies([folder]).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      assert.ok(error instanceof PolicyProblems)
      for (const [at, problem] of problems.entries()) assert.match(error.problems[at] ?? '', problem)
      assert.ok(error.message.startsWith('the policies can not be used:\n  '))
    }))
}

test('a folder that is not there is a problem too', async () => {
  const folder = join(tmpdir(), 'thinplane-no-such-folder')
  await assert.rejects(loadPolicies([folder]), {
    name: 'PolicyProblems',
    problems: [`${folder}: the folder can not be read`],
  })
})

const ALL = 'permit (principal, action, resource);'

test('a policy that reads the hour decides anew with each hour, one that reads the moment with each minute', () =>
  withPolicies(
    {
      'a.cedar': `${ALL} forbid (principal, action == Thinplane::Action::"use", resource) when { context.time.hour == 11 };`,
    },
    async (folder) => {
      let now = NOW
      const own = await deps(folder, { nowEpochMs: () => now })
      const asks = (): number => {
        const before = own.asked()
        permit(own, principal(), ask())
        return own.asked() - before
      }
      assert.deepEqual([asks(), asks()], [2, 0])
      now += 29 * 60_000
      assert.equal(asks(), 0)
      now += 60_000
      assert.throws(asks, { code: 'POLICY_DENIED' })
      now += 3_600_000
      assert.equal(asks(), 2)
    },
  ))

test('the hour is that of the time zone of the configuration', () =>
  withPolicies(
    {
      'a.cedar': `${ALL} forbid (principal, action == Thinplane::Action::"use", resource) when { context.time.hour == 11 && context.time.weekday == 3 };`,
    },
    async (folder) => {
      const berlin = await deps(folder, { clock: createClock('Europe/Berlin') })
      assert.throws(() => permit(berlin, principal(), ask()), { code: 'POLICY_DENIED' })
      assert.equal(permit(await deps(folder), principal(), ask()).alias, 'chat')
    },
  ))

test('a policy that reads the budget decides anew when its state changes', () =>
  withPolicies(
    {
      'a.cedar': `${ALL} @id("spent") @reason("the budget is spent") forbid (principal, action == Thinplane::Action::"use", resource) when { context.budget == "over" };`,
    },
    async (folder) => {
      let state: 'under' | 'over' = 'under'
      const own = await deps(folder, { budget: () => state })
      permit(own, principal(), ask())
      state = 'over'
      assert.throws(() => permit(own, principal(), ask()), {
        code: 'POLICY_DENIED',
        message: 'model `chat` is not permitted: the budget is spent',
        policies: ['spent'],
      })
    },
  ))

test('an obligation to stay in a jurisdiction binds targets, safety check and data plane', () =>
  withPolicies(
    {
      'a.cedar': `${ALL} @id("stay") @jurisdictions("EU") permit (principal, action == Thinplane::Action::"oblige", resource);`,
    },
    async (folder) => {
      const own = await deps(folder)
      const given = permit(own, principal(), ask())
      assert.deepEqual(given.jurisdictions, ['EU'])
      assert.deepEqual(release(own, principal(), given, { found: [], targets: TARGETS }), {
        targets: ['eu'],
        forbidden: [{ target: 'us', policies: ['stay'] }],
        policies: ['a.cedar#1'],
      })
      const planes = [
        { name: 'managed safety check', place: { cloud: 'azure', region: 'eu' }, sees: () => true },
        {
          name: 'data plane',
          place: { cloud: 'aws', region: 'us-east-1' },
          sees: (each: { collections: readonly string[] }) => each.collections.length > 0,
        },
      ] as const
      const bound = await deps(folder, { planes })
      assert.equal(permit(bound, principal(), ask()).alias, 'chat')
      assert.throws(() => permit(bound, principal(), ask({ alias: 'assistant' })), {
        code: 'POLICY_DENIED',
        message: /^policy binds this text to EU, and the data plane is not there/,
        policies: ['stay'],
      })
    },
  ))

test('what is still in the text is another thing than what was found', () =>
  withPolicies(
    {
      'a.cedar': `${ALL} @id("clear") forbid (principal, action == Thinplane::Action::"release", resource) when { context.remaining.contains("payment") };`,
    },
    async (folder) => {
      const own = await deps(folder)
      const given = permit(own, principal(), ask())
      const card = (action: FindingCount['action']) => ({
        found: [{ type: 'CREDIT_CARD', action, count: 1, where: 'prompt' } as const],
        targets: TARGETS,
      })
      assert.deepEqual(release(own, principal(), given, card('redact')).targets, ['us', 'eu'])
      assert.throws(() => release(own, principal(), given, card('flag')), { policies: ['clear'] })
    },
  ))

test('a credential stays within its scope, also when policy permits its owner more and has said so before', async () => {
  const own = await deps()
  permit(own, principal('developer'), ask({ alias: 'assistant' }))
  const scoped = { ...principal('developer'), scope: { aliases: ['assistant'], collections: [] } }
  assert.throws(() => permit(own, scoped, ask()), {
    code: 'POLICY_DENIED',
    message: /outside of the scope of your key/,
  })
  assert.throws(() => permit(own, scoped, ask({ alias: 'assistant' })), {
    code: 'POLICY_DENIED',
    message: /collection `docs`/,
  })
})

test('a set that was validated is not validated again, and another one is', () =>
  withPolicies({ 'a.cedar': ALL }, async (folder) => {
    const known = new Set<string>()
    const sets = { has: (digest: string) => known.has(digest), add: (digest: string) => void known.add(digest) }
    await loadPolicies([folder], sets)
    assert.equal(known.size, 1)
    await loadPolicies([folder], sets)
    assert.equal(known.size, 1)
    await writeFile(join(folder, 'a.cedar'), `${ALL} permit (principal, action, resource) when { principal.age > 3 };`)
    await assert.rejects(loadPolicies([folder], sets), PolicyProblems)
    assert.equal(known.size, 1)
  }))
