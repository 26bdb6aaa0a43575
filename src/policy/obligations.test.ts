import assert from 'node:assert/strict'
import { test } from 'node:test'
import { combine, readObligations } from './obligations.ts'

const GUARDS = { profiles: ['strict', 'balanced', 'mild'], defaultProfile: 'balanced' }

function read(annotations: Readonly<Record<string, string>>) {
  const problems: string[] = []
  return { obligations: readObligations(annotations, (message) => problems.push(message)), problems }
}

test('annotations become obligations', () => {
  const { obligations, problems } = read({
    id: 'x',
    guard: 'strict',
    jurisdictions: 'UK , EU',
    retention: '30',
    logging: 'pseudonymous',
    cache: 'tenant',
    reason: 'because',
  })
  assert.deepEqual(problems, [])
  assert.deepEqual(obligations, {
    guard: 'strict',
    jurisdictions: ['EU', 'UK'],
    retentionDays: 30,
    logging: 'pseudonymous',
    cache: 'tenant',
    reason: 'because',
  })
})

const wrong: readonly (readonly [annotations: Readonly<Record<string, string>>, problem: RegExp])[] = [
  [{ guards: 'strict' }, /^annotation `@guards` is not known, use one of id, guard,/],
  [{ jurisdictions: '' }, /^`@jurisdictions` takes names/],
  [{ jurisdictions: 'EU,,UK' }, /^`@jurisdictions` takes names/],
  [{ retention: '30 days' }, /^`@retention` takes a number of days/],
  [{ retention: '99999' }, /^`@retention` takes a number of days/],
  [{ cache: 'everybody' }, /^`@cache` is /],
  [{ logging: 'none' }, /^`@logging` is /],
]

for (const [annotations, problem] of wrong) {
  test(`${JSON.stringify(annotations)} is a problem`, () => {
    const { problems } = read(annotations)
    assert.equal(problems.length, 1)
    assert.match(problems[0] ?? '', problem)
  })
}

test('several policies oblige to the narrowest of what each says', () => {
  const none = read({}).obligations
  assert.deepEqual(combine([], GUARDS), {
    guardProfile: 'balanced',
    jurisdictions: undefined,
    retentionDays: undefined,
    logging: 'standard',
    cache: 'caller',
  })
  assert.deepEqual(
    combine(
      [
        read({ guard: 'mild', jurisdictions: 'EU, UK', retention: '90', cache: 'tenant' }).obligations,
        none,
        read({ guard: 'strict', jurisdictions: 'UK, US', retention: '30', logging: 'pseudonymous' }).obligations,
        read({ logging: 'standard', cache: 'none' }).obligations,
      ],
      GUARDS,
    ),
    { guardProfile: 'strict', jurisdictions: ['UK'], retentionDays: 30, logging: 'pseudonymous', cache: 'none' },
  )
  const nowhere = [read({ jurisdictions: 'EU' }).obligations, read({ jurisdictions: 'US' }).obligations]
  assert.deepEqual(combine(nowhere, GUARDS).jurisdictions, [])
})
