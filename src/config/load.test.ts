import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { TEST_ROUTING } from '#contract/test-alias.ts'
import fc from 'fast-check'
import { ConfigProblems, type Problem, loadConfig, parseConfig, showProblem } from './load.ts'

/** The least that is fine, so that each row below has one thing wrong. */
const TARGET = 'place: {cloud: gcp, region: us-east4}, endpoint: http://127.0.0.1:9, model: m'
const REST = `
guard: {profiles: {balanced: {managed: off}}}
targets: {vllm: {provider: openai-compatible, ${TARGET}}}
aliases: {chat: {targets: [vllm]}}
`

function problemsOf(text: string): readonly Problem[] {
  try {
    parseConfig(text, 'thinplane.yaml')
    return []
  } catch (error) {
    if (error instanceof ConfigProblems) return error.problems
    throw error
  }
}

const NAME = 'use lower-case letters, digits, `.`, `_` and `-`, at most 63, beginning with a letter or digit'
const URL_FORM = 'write an http or https URL without a slash at the end'
const REFERENCE = 'write `{ env: NAME }` or `{ file: PATH }`: secrets stand in the configuration by reference only'
const NO_FIELD = 'there is no such field here, remove it or mend its name'

type Broken = readonly [
  what: string,
  text: string,
  ...problems: (readonly [line: number, path: string, message: string | RegExp])[],
]

const rows: readonly Broken[] = [
  ['a field that does not exist', `listen: {hots: x}${REST}`, [1, 'listen.hots', NO_FIELD]],
  ['a field at the top that does not exist', `listne: {}${REST}`, [1, 'listne', NO_FIELD]],
  [
    'several at once',
    `listen:\n  a: 1\n  port: 8080\n  b: 2${REST}`,
    [2, 'listen.a', NO_FIELD],
    [4, 'listen.b', NO_FIELD],
  ],
  [
    'a rule that bounds nothing',
    `limits:\n  rules:\n    - {name: r, per: all, window: day}${REST}`,
    [3, 'limits.rules.0', 'it bounds nothing, write `requests`, `tokens` or `usd`'],
  ],
  [
    'a rule with a window that there is not',
    `limits:\n  rules:\n    - {name: r, per: all, window: week, requests: 1}${REST}`,
    [3, 'limits.rules.0.window', /"minute"\|"hour"\|"day"\|"month"/],
  ],
  [
    'a rule with less than nothing',
    `limits:\n  rules:\n    - {name: r, per: all, window: day, requests: -1, tokens: 1.5}${REST}`,
    [3, 'limits.rules.0.requests', />=\s?0/],
    [3, 'limits.rules.0.tokens', /expected int/],
  ],
  [
    'rules that point at what there is not, or stand there twice',
    `teams: {research: {}}
limits:
  rules:
    - {name: r, per: all, window: day, requests: 0, aliases: [chat, chart], teams: [reserch]}
    - {name: r, per: team, window: day, usd: 0}${REST}`,
    [4, 'limits.rules.0.aliases.1', 'there is no alias `chart`, choose one of chat'],
    [4, 'limits.rules.0.teams.0', 'there is no team `reserch`, choose one of research'],
    [5, 'limits.rules.1.name', 'rule `r` stands there twice'],
  ],
  [
    'a rule by team without teams',
    `limits:\n  rules:\n    - {name: r, per: team, window: day, usd: 1}${REST}`,
    [3, 'limits.rules.0.per', 'no team is defined, so it counts nobody: add `teams`'],
  ],
  [
    'the URL of a database in the open',
    `limits:\n  store: {kind: postgres, url: "postgres://u:p@h/d"}${REST}`,
    [2, 'limits.store.url', REFERENCE],
  ],
  ['a port out of range', `listen:\n  port: 70000${REST}`, [2, 'listen.port', /<=\s?65535/]],
  ['a port in words', `listen:\n  port: http${REST}`, [2, 'listen.port', /expected number, received string/]],
  [
    'a cloud that does not exist',
    `place:\n  cloud: ibm\n  region: x${REST}`,
    [2, 'place.cloud', /"azure"\|"aws"\|"gcp"\|"local"/],
  ],
  [
    'a place without a region',
    `place:\n  cloud: aws${REST}`,
    [2, 'place.region', /expected string, received undefined/],
  ],
  ['a URL with a slash at the end', `context:\n  endpoint: http://data/${REST}`, [2, 'context.endpoint', URL_FORM]],
  ['a URL of another scheme', `context:\n  endpoint: ftp://data${REST}`, [2, 'context.endpoint', URL_FORM]],
  [
    'a secret in the open',
    `context:\n  endpoint: http://data\n  credential:\n    kind: header\n    secret: abc${REST}`,
    [5, 'context.credential.secret', REFERENCE],
  ],
  [
    'a credential of another kind',
    `context:\n  endpoint: http://data\n  credential: {kind: basic}${REST}`,
    [3, 'context.credential.kind', /Invalid/],
  ],
  [
    'an exchange whose identity names no issuer',
    `context: {endpoint: http://d, credential: {kind: aws-web-identity, roleArn: 'arn:aws:iam::123456789012:role/x', region: us-east-1, identity: {kind: entra-workload, issuer: contoso, scope: s, clientId: c}}}${REST}`,
    [1, 'context.credential.identity.issuer', 'there is no Entra issuer `contoso`, none is defined'],
  ],
  [
    'a role that is none, a scope that is none and an identity that can not be exchanged',
    `context: {endpoint: http://d, credential: {kind: aws-web-identity, roleArn: 'arn:aws:iam::1:user/x', region: us-east-1, sessionScope: person, identity: {kind: entra-obo}}}${REST}`,
    [1, 'context.credential.roleArn', 'write the ARN of an IAM role'],
    [1, 'context.credential.sessionScope', /"target"\|"tenant"\|"caller"/],
    [1, 'context.credential.identity.kind', /Invalid/],
  ],
  [
    'a Google provider by name instead of number, and a service account that is none',
    `context: {endpoint: http://d, credential: {kind: google-access-token, provider: projects/mine/locations/global/workloadIdentityPools/p/providers/q, serviceAccount: me@example.com, identity: {kind: entra-managed-identity, scope: s}}}${REST}`,
    [1, 'context.credential.provider', /with the number of the project$/],
    [1, 'context.credential.serviceAccount', 'write the e-mail address of the service account'],
  ],
  [
    'an ID token for what is no target, without its audience',
    `context: {endpoint: http://d, credential: {kind: google-id-token, provider: projects/1/locations/global/workloadIdentityPools/p/providers/q, serviceAccount: a@p.iam.gserviceaccount.com, identity: {kind: entra-managed-identity, scope: s}}}${REST}`,
    [
      1,
      'context.credential.audience',
      'only a target has an endpoint to take the audience from, write the URL of the Cloud Run service',
    ],
  ],
  [
    'a tenant that is none',
    `identity:\n  issuers:\n    - kind: entra\n      name: a\n      tenants: [contoso]\n      audiences: [x]${REST}`,
    [5, 'identity.issuers.0.tenants.0', /Invalid GUID/],
  ],
  [
    'no audience',
    `identity:\n  issuers:\n    - kind: oidc\n      name: a\n      issuer: i\n      jwksUrl: u\n      tenant: t\n      audiences: []${REST}`,
    [8, 'identity.issuers.0.audiences', />=1/],
  ],
  [
    'a credential of an Entra issuer that does not exist',
    `targets: {vllm: {provider: bedrock, ${TARGET}, credential: {kind: entra-obo, issuer: contoso, scope: s, clientId: c, secret: {env: E}}}}\nguard: {profiles: {balanced: {managed: off}}}\naliases: {chat: {targets: [vllm]}}`,
    [1, 'targets.vllm.credential.issuer', 'there is no Entra issuer `contoso`, none is defined'],
  ],
  [
    'the data plane on behalf of the caller',
    `identity: {issuers: [{kind: entra, name: contoso, tenants: [11111111-2222-4333-8444-555555555555], audiences: [a]}]}\ncontext: {endpoint: http://d, credential: {kind: entra-obo, issuer: contoso, scope: s, clientId: c, secret: {env: E}}}${REST}`,
    [2, 'context.credential.kind', 'only a target can be called on behalf of the caller, use `entra-client` here'],
  ],
  [
    'two issuers of one name',
    `identity:\n  issuers:\n    - {kind: oidc, name: a, issuer: i, tenant: t, audiences: [x]}\n    - {kind: oidc, name: a, issuer: j, tenant: t, audiences: [x]}${REST}`,
    [4, 'identity.issuers.1.name', 'issuer `a` stands there twice'],
  ],
  [
    'a shared secret as an algorithm',
    `identity:\n  issuers:\n    - {kind: oidc, name: a, issuer: i, tenant: t, audiences: [x], algorithms: [HS256]}${REST}`,
    [3, 'identity.issuers.0.algorithms.0', /"RS256"\|"PS256"\|"ES256"/],
  ],
  [
    'an authentication context in words',
    `identity:\n  issuers:\n    - {kind: entra, name: a, tenants: [11111111-2222-4333-8444-555555555555], audiences: [x], requireAcrs: [mfa]}${REST}`,
    [3, 'identity.issuers.0.requireAcrs.0', 'write an authentication context such as `c1`'],
  ],
  [
    'the secret of a sign-in in the open',
    `identity:\n  signIn: {issuer: https://id.example, clientId: c, secret: abc}${REST}`,
    [2, 'identity.signIn.secret', REFERENCE],
  ],
  [
    'an alias of a target that does not exist',
    `guard: {profiles: {balanced: {managed: off}}}\ntargets: {vllm: {provider: bedrock, ${TARGET}}}\naliases:\n  chat:\n    targets:\n      - vllm\n      - vlm`,
    [7, 'aliases.chat.targets.1', 'there is no target `vlm`, choose one of vllm'],
  ],
  [
    'a target named like what every object has',
    `guard: {profiles: {balanced: {managed: off}}}\naliases: {chat: {targets: [constructor]}}`,
    [2, 'aliases.chat.targets.0', 'there is no target `constructor`, none is defined'],
  ],
  [
    'no alias',
    'guard: {profiles: {balanced: {managed: off}}}',
    [0, 'aliases', 'no alias is defined, so no model can be asked: add one'],
  ],
  [
    'an alias without targets',
    'guard: {profiles: {balanced: {managed: off}}}\naliases:\n  chat: {targets: []}',
    [3, 'aliases.chat.targets', />=1/],
  ],
  [
    'collections without a data plane',
    `guard: {profiles: {balanced: {managed: off}}}\ntargets: {vllm: {provider: bedrock, ${TARGET}}}\naliases:\n  chat: {targets: [vllm], collections: [docs]}`,
    [4, 'aliases.chat.collections.0', 'collections need a data plane, add `context`'],
  ],
  [
    'a collection that the data plane does not have',
    `context: {endpoint: http://data}\ndataPlane: {jwksUrl: u, collections: {docs: {folder: d}}}\nguard: {profiles: {balanced: {managed: off}}}\ntargets: {vllm: {provider: bedrock, ${TARGET}}}\naliases:\n  chat: {targets: [vllm], collections: [dosc]}`,
    [6, 'aliases.chat.collections.0', 'there is no collection `dosc`, choose one of docs'],
  ],
  ...(
    [
      [
        'writes',
        'DELETE FROM t',
        '{}',
        'queries.q.sql',
        'it must only read, and it says `delete`: quote it if it is a name',
      ],
      ['says a parameter that is not there', 'SELECT :a', '{}', 'queries.q.sql', 'there is no parameter `a`'],
      ['leaves a parameter out', 'SELECT 1', '{a: {}}', 'queries.q.params.a', 'the SQL does not say `:a`'],
    ] as const
  ).map(([what, sql, params, path, message]): Broken => [
    `a query that ${what}`,
    `dataPlane: {jwksUrl: u, queries: {q: {sql: '${sql}', params: ${params}, duckdb: {tables: {t: {path: a.csv}}}}}}${REST}`,
    [1, `dataPlane.${path}`, message],
  ]),
  ...(
    [
      ['no source', '{}', 'name one source: `folder`, `s3` or `kinesis`'],
      ['two sources', '{folder: d, s3: {bucket: abc}}', 'name one source: `folder`, `s3` or `kinesis`'],
    ] as const
  ).map(([what, collection, message]): Broken => [
    `a collection with ${what}`,
    `dataPlane: {jwksUrl: u, collections: {docs: ${collection}}}${REST}`,
    [1, 'dataPlane.collections.docs', message],
  ]),
  [
    'two collections that would take each other the events',
    `dataPlane: {jwksUrl: u, collections: {a: {kinesis: {stream: s, leases: tab}}, b: {kinesis: {stream: s, leases: tab}}}}${REST}`,
    [1, 'dataPlane.collections', 'give each collection over the same stream a table of leases of its own'],
  ],
  [
    'no default profile',
    `guard: {defaultProfile: mild, profiles: {strict: {managed: off}}}\ntargets: {vllm: {provider: bedrock, ${TARGET}}}\naliases: {chat: {targets: [vllm]}}`,
    [1, 'guard.defaultProfile', 'there is no such profile, choose one of strict'],
  ],
  [
    'no profile at all',
    `guard:\n  profiles: {}\ntargets: {vllm: {provider: bedrock, ${TARGET}}}\naliases: {chat: {targets: [vllm]}}`,
    [2, 'guard.profiles', 'name at least one profile'],
  ],
  [
    'a profile that asks a check that is not set',
    `guard:\n  profiles:\n    balanced: {}\ntargets: {vllm: {provider: bedrock, ${TARGET}}}\naliases: {chat: {targets: [vllm]}}`,
    [
      3,
      'guard.profiles.balanced',
      'it asks the managed check, but none is set: set `guard.contentSafety`, `guard.language`, `guard.bedrockChecks` or `guard.bedrockGuardrail`, or write `managed: off`',
    ],
  ],
  [
    'an action that does not exist',
    `guard:\n  profiles:\n    balanced:\n      managed: off\n      actions: {SECRET: burn}\ntargets: {vllm: {provider: bedrock, ${TARGET}}}\naliases: {chat: {targets: [vllm]}}`,
    [5, 'guard.profiles.balanced.actions.SECRET', /"allow"\|"flag"/],
  ],
  ['what is no YAML', 'listen: [1,\nport: }', [2, '', /^this is not YAML: /], [2, '', /^this is not YAML: /]],
  ['a key twice', `name: a\nname: b${REST}`, [2, '', /^this is not YAML: .*unique/]],
  ['text', 'hello', [0, '', /expected object, received string/]],
  ['a list', '- a', [0, '', /expected object, received array/]],
]

for (const [what, text, ...expected] of rows) {
  test(`${what} is a problem with its line and path`, () => {
    const problems = problemsOf(text)
    assert.deepEqual(
      problems.map(({ line, path }) => [line, path]),
      expected.map(([line, path]) => [line, path]),
    )
    for (const [at, [, , message]] of expected.entries()) {
      const given = problems[at]?.message ?? ''
      if (typeof message === 'string') assert.equal(given, message)
      else assert.match(given, message)
    }
  })
}

test('the least configuration is fine and gets its defaults', () => {
  const config = parseConfig(REST, 'thinplane.yaml')
  assert.deepEqual(config.listen, {
    host: '127.0.0.1',
    port: 8080,
    maxBodyBytes: 4_194_304,
    maxConcurrent: 4096,
    requestTimeoutMs: 30_000,
  })
  assert.deepEqual(config.place, { cloud: 'azure', region: 'eastus' })
  assert.deepEqual(config.targets['vllm']?.deadlines, {
    connectMs: 2000,
    firstTokenMs: 60_000,
    idleMs: 30_000,
    totalMs: 600_000,
  })
  assert.deepEqual(config.aliases['chat'], {
    targets: ['vllm'],
    collections: [],
    sql: [],
    topK: 6,
    residency: '',
    purpose: '',
    tags: [],
    routing: TEST_ROUTING,
  })
  assert.deepEqual(config.guard.profiles['balanced'], {
    actions: { default: 'redact' },
    output: { default: 'allow', SECRET: 'mask' },
    triage: { injection: 'off', toxicity: 'off' },
    minScore: 0.5,
    managed: 'off',
    severity: 4,
    onUnavailable: 'refuse',
    riskFrom: 0.5,
    sample: 0.1,
    passages: false,
    protectedMaterial: 'off',
    shadow: false,
  })
})

test('what stands under an anchor is used, and its problems have the line of the place that uses it', () => {
  const [problem] = problemsOf(
    `guard: {profiles: {balanced: {managed: off}}}\ntargets: {vllm: {provider: bedrock, ${TARGET}}}\naliases:\n  a: {targets: &t [vllm]}\n  b: {targets: *t, topK: 99}`,
  )
  assert.deepEqual([problem?.line, problem?.path], [5, 'aliases.b.topK'])
})

test('a name that is none is a problem that says what a name is', () => {
  assert.deepEqual(
    problemsOf(`targets: {Big GPU: {provider: bedrock, ${TARGET}}}`).map(({ path, message }) => [path, message]),
    [['targets.Big GPU', NAME]],
  )
})

test('an anchor that does not exist is a problem', () => {
  assert.equal(problemsOf(`name: *nobody${REST}`).length, 1)
})

test('a file that grows beyond bounds is a problem', () => {
  const layers = Array.from(
    { length: 9 },
    (_, at) => `l${at + 1}: &l${at + 1} [${Array(9).fill(`*l${at}`).join(', ')}]`,
  )
  assert.ok(problemsOf(`l0: &l0 [x]\n${layers.join('\n')}\n`).length > 0)
})

test('a problem is shown in one line', () => {
  assert.equal(showProblem({ path: 'a.b', line: 3, message: 'no' }), 'line 3: a.b: no')
  assert.equal(showProblem({ path: '', line: 0, message: 'no' }), 'no')
})

test('a file is read with its paths relative to its own folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-config-'))
  try {
    const file = join(folder, 'a.yaml')
    await writeFile(file, REST)
    const loaded = await loadConfig(file)
    assert.equal(loaded.resolve('policies'), join(folder, 'policies'))
    assert.equal(loaded.resolve('/etc/x'), '/etc/x')
    await writeFile(file, 'listen: {port: -1}')
    await assert.rejects(loadConfig(file), (error: unknown) => {
      assert.ok(error instanceof ConfigProblems)
      assert.equal(error.file, file)
      assert.ok(error.message.startsWith(`${file} can not be used:\n  line 1: listen.port: `))
      return true
    })
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a file that is not there is a problem', async () => {
  await assert.rejects(loadConfig('/nowhere/thinplane.yaml'), {
    name: 'ConfigProblems',
    message: '/nowhere/thinplane.yaml can not be used:\n  the file can not be read (ENOENT)',
  })
})

test('whatever the values, what comes is a configuration or its problems', () => {
  const section = fc.constantFrom(
    'listen',
    'place',
    'identity',
    'guard',
    'context',
    'targets',
    'aliases',
    'dataPlane',
    'observe',
    'name',
  )
  fc.assert(
    fc.property(fc.dictionary(section, fc.jsonValue(), { maxKeys: 4 }), (value) => {
      for (const { message, line } of problemsOf(JSON.stringify(value))) assert.ok(message !== '' && line >= 0)
    }),
    { numRuns: 300 },
  )
})

test('what the guide of the data plane says to write is a configuration', async () => {
  const guide = await readFile(new URL('../../docs/data-plane.md', import.meta.url), 'utf8')
  const blocks = Array.from(guide.matchAll(/```yaml\n([\s\S]*?)```/g), ([, block = '']) => block)
  assert.equal(blocks.length, 2)
  for (const block of blocks) assert.deepEqual(problemsOf(block + REST), [])
})
