import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse as parseCel, plan, celEnv } from '@bufbuild/cel'
import { strings } from '@bufbuild/cel/ext'
import { parseAllDocuments } from 'yaml'
import { asRecord } from '#kit/json.ts'
import { type GatekeeperFacts, PLANE_LABEL, gatekeeperRules, gatekeeperYaml } from './gatekeeper.ts'

const FACTS: GatekeeperFacts = {
  regions: ['eu-central-1', 'europe-west4'],
  modelHosts: ['api.openai.com', 'bedrock-runtime.'],
  registries: ['registry.example/thinplane/'],
  enforcement: 'deny',
}

/** What the API server would do with a pod: the message, or `admitted`. Evaluated by an engine that is not ours. */
function admit(name: string, spec: object): string {
  const rule = gatekeeperRules(FACTS).find((each) => each.name === name)
  assert.ok(rule)
  const env = celEnv({ funcs: strings })
  const evaluate = (expression: string, variables: Record<string, unknown>): unknown =>
    plan(env, parseCel(expression))({ object: { spec }, variables } as never)
  const variables: Record<string, unknown> = { params: { [rule.parameter]: rule.values } }
  for (const { name: own, expression } of rule.variables) variables[own] = evaluate(expression, { ...variables })
  const answer = evaluate(rule.expression, variables)
  if (answer === true) return 'admitted'
  assert.equal(answer, false, String(answer))
  return String(evaluate(rule.messageExpression, variables))
}

const plain = { name: 'c', image: 'x' }
const cases: readonly (readonly [rule: string, what: string, spec: object, expected: string | RegExp])[] = [
  [
    'region',
    'no region',
    { containers: [plain] },
    /^set nodeSelector topology.* to one of eu-central-1, europe-west4$/,
  ],
  [
    'region',
    'another region',
    { containers: [plain], nodeSelector: { 'topology.kubernetes.io/region': 'us-east-1' } },
    'region us-east-1 is not permitted, use one of eu-central-1, europe-west4',
  ],
  [
    'region',
    'a permitted region',
    { containers: [plain], nodeSelector: { 'topology.kubernetes.io/region': 'eu-central-1' } },
    'admitted',
  ],
  ['keys', 'no environment', { containers: [plain] }, 'admitted'],
  ['keys', 'another variable', { containers: [{ ...plain, env: [{ name: 'AWS_REGION', value: 'x' }] }] }, 'admitted'],
  [
    'keys',
    'a static key in an init container',
    { containers: [plain], initContainers: [{ ...plain, env: [{ name: 'AWS_SECRET_ACCESS_KEY', valueFrom: {} }] }] },
    /^use workload identity instead of AWS_ACCESS_KEY_ID,/,
  ],
  [
    'images',
    'a tag',
    { containers: [{ ...plain, image: 'registry.example/thinplane/data:1' }] },
    /^use images by digest/,
  ],
  ['images', 'another registry', { containers: [{ ...plain, image: 'evil/x@sha256:00' }] }, /^use images by digest/],
  [
    'images',
    'a digest of a known registry',
    { containers: [{ ...plain, image: 'registry.example/thinplane/data@sha256:00' }] },
    'admitted',
  ],
  [
    'endpoints',
    'an endpoint in an environment variable',
    { containers: [{ ...plain, env: [{ name: 'BASE', value: 'https://api.openai.com/v1' }] }] },
    /^an environment variable names a model endpoint/,
  ],
  [
    'endpoints',
    'the gateway, and a value from elsewhere',
    {
      containers: [
        {
          ...plain,
          env: [
            { name: 'BASE', value: 'http://gateway/v1' },
            { name: 'KEY', valueFrom: { secretKeyRef: {} } },
          ],
        },
      ],
    },
    'admitted',
  ],
]

const NAMES: Readonly<Record<string, string>> = {
  region: 'thinplane-plane-region',
  keys: 'thinplane-no-static-keys',
  images: 'thinplane-images',
  endpoints: 'thinplane-model-endpoints',
}

for (const [rule, what, spec, expected] of cases) {
  test(`gatekeeper, ${rule}: ${what}`, () => {
    const message = admit(NAMES[rule] ?? '', spec)
    if (typeof expected === 'string') assert.equal(message, expected)
    else assert.match(message, expected)
  })
}

test('the stream holds a template for each constraint, and leaves out what nothing is said about', () => {
  const documents = (facts: GatekeeperFacts): readonly Record<string, unknown>[] =>
    parseAllDocuments(gatekeeperYaml(facts)).map((document) => asRecord(document.toJS()) ?? {})
  const all = documents(FACTS)
  assert.deepEqual(
    all.map(({ kind }) => kind),
    [
      'ConstraintTemplate',
      'ConstraintTemplate',
      'ConstraintTemplate',
      'ConstraintTemplate',
      'ThinplanePlaneRegion',
      'ThinplaneNoStaticKeys',
      'ThinplaneImages',
      'ThinplaneModelEndpoints',
    ],
  )
  const [region] = all.slice(4)
  assert.deepEqual(asRecord(region?.['spec'])?.['parameters'], { regions: FACTS.regions })
  assert.ok(JSON.stringify(region).includes(`"key":"${PLANE_LABEL}","operator":"Exists"`))
  assert.ok(JSON.stringify(all.at(-1)).includes(`"operator":"DoesNotExist"`))
  const few = documents({ regions: [], modelHosts: [], registries: [], enforcement: 'dryrun' })
  assert.deepEqual(
    few.map(({ kind }) => kind),
    ['ConstraintTemplate', 'ThinplaneNoStaticKeys'],
  )
})
