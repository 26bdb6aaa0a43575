import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cross, Trip } from '#contract/crossing.ts'
import { bedrockChecks } from './bedrock-checks.ts'
import { bedrockGuardrail } from './bedrock-guardrail.ts'
import { contentSafety } from './content-safety.ts'
import { language } from './language.ts'
import type { ManagedService, Segment } from './service.ts'

const ACCESS = {
  endpoint: 'http://service.test',
  place: { cloud: 'azure', region: 'eastus' },
  credential: { kind: 'none' },
  timeoutMs: 100,
  usdPerThousandRecords: 1,
} as const

/** A service that gives the same answer to everything, with 200. */
function answering(body: unknown): Cross {
  return () =>
    Promise.resolve({
      status: 200,
      text: () => Promise.resolve(typeof body === 'string' ? body : JSON.stringify(body)),
    } as never)
}

const makers: Readonly<Record<string, (cross: Cross) => ManagedService>> = {
  analyze: (cross) => contentSafety({ ...ACCESS, blocklists: [], shields: false }, cross),
  shield: (cross) => contentSafety({ ...ACCESS, blocklists: [], shields: true }, cross),
  language: (cross) => language({ ...ACCESS, language: 'en', minScore: 0.5 }, cross),
  bedrock: (cross) => bedrockChecks({ ...ACCESS, minScore: 0.5, sensitive: true }, cross),
  guardrail: (cross) => bedrockGuardrail({ ...ACCESS, guardrail: 'abc', guardrailVersion: '1' }, cross),
}

const CATEGORIES = ['Hate', 'SelfHarm', 'Sexual', 'Violence'].map((category) => ({ category, severity: 0 }))
const entity = { category: 'Person', offset: 0, length: 4, confidenceScore: 0.9 }
const languageAnswer = (documents: unknown, errors: unknown = []): unknown => ({
  kind: 'PiiEntityRecognitionResults',
  results: { documents, errors, modelVersion: 'x' },
})
const scores = (categories: readonly string[]) => ({
  results: categories.map((category) => ({ category, severityScore: 0 })),
})
const bedrockAnswer = (changes: object): unknown => ({
  results: {
    contentFilter: scores(['VIOLENCE', 'HATE', 'SEXUAL', 'MISCONDUCT', 'INSULTS']),
    promptAttack: scores(['JAILBREAK', 'PROMPT_INJECTION', 'PROMPT_LEAKAGE']),
    sensitiveInformation: { results: [] },
    ...changes,
  },
})
const hit = { type: 'NAME', confidenceScore: 1, beginOffset: 0, endOffset: 4, messageIndex: 0, contentIndex: 0 }

const guardrailAnswer = (assessment: object, rest: object = {}): unknown => ({
  action: 'GUARDRAIL_INTERVENED',
  assessments: [assessment],
  ...rest,
})
const entityOf = (match: string, action = 'ANONYMIZED') => ({
  sensitiveInformationPolicy: { piiEntities: [{ type: 'NAME', match, action }] },
})

const unsafe: readonly (readonly [service: string, what: string, body: unknown])[] = [
  ['analyze', 'an error inside a 200', { error: { code: 'ServerBusy' } }],
  ['analyze', 'a page', '<html>'],
  ['analyze', 'a missing category', { categoriesAnalysis: CATEGORIES.slice(1) }],
  ['analyze', 'a missing severity', { categoriesAnalysis: [...CATEGORIES.slice(1), { category: 'Hate' }] }],
  [
    'analyze',
    'a severity beyond the scale',
    { categoriesAnalysis: CATEGORIES.map((one) => ({ ...one, severity: 99 })) },
  ],
  [
    'shield',
    'a prompt that was left out',
    { categoriesAnalysis: CATEGORIES, documentsAnalysis: [{ attackDetected: false }] },
  ],
  [
    'shield',
    'a document that was left out',
    { categoriesAnalysis: CATEGORIES, userPromptAnalysis: { attackDetected: false }, documentsAnalysis: [] },
  ],
  ['language', 'a document among the errors', languageAnswer([], [{ id: '0', error: { code: 'InvalidDocument' } }])],
  ['language', 'a document of another id', languageAnswer([{ id: '7', entities: [] }])],
  ['language', 'an offset beyond the text', languageAnswer([{ id: '0', entities: [{ ...entity, offset: 9 }] }])],
  ['language', 'another kind of answer', { kind: 'SentimentResults', results: {} }],
  ['bedrock', 'a missing category', bedrockAnswer({ promptAttack: scores(['JAILBREAK']) })],
  ['bedrock', 'no word on personal data', bedrockAnswer({ sensitiveInformation: undefined })],
  ['bedrock', 'a list that was cut', bedrockAnswer({ sensitiveInformation: { truncated: true, results: [hit] } })],
  [
    'bedrock',
    'an offset of no message',
    bedrockAnswer({ sensitiveInformation: { results: [{ ...hit, messageIndex: 3 }] } }),
  ],
  [
    'bedrock',
    'a score beyond the scale',
    bedrockAnswer({ contentFilter: { results: [{ category: 'HATE', severityScore: 2 }] } }),
  ],
  ['guardrail', 'an intervention without a reason', guardrailAnswer({})],
  ['guardrail', 'a text that is not ours', guardrailAnswer(entityOf('Joan'))],
  ['guardrail', 'an action that nobody knows', guardrailAnswer(entityOf('Jane', 'SHOUTED'))],
  ['guardrail', 'no action', { assessments: [] }],
  [
    'guardrail',
    'a text that was read in part',
    { action: 'NONE', assessments: [], guardrailCoverage: { textCharacters: { guarded: 2, total: 4 } } },
  ],
  [
    'guardrail',
    'a pattern without its text',
    guardrailAnswer({ sensitiveInformationPolicy: { regexes: [{ name: 'ticket', action: 'ANONYMIZED' }] } }),
  ],
]

for (const [name, what, body] of unsafe) {
  test(`${name}: ${what} is no verdict`, async () => {
    const service = makers[name]?.(answering(body))
    assert.ok(service)
    const segments: Segment[] = [{ text: 'Jane', kind: 'prompt' }]
    if (name === 'shield') segments.push({ text: 'a', kind: 'document' })
    await assert.rejects(service.judge(segments, {} as Trip), { name: 'NoVerdict' })
  })
}

test('good answers of the same shapes are verdicts', async () => {
  const judge = (name: string, body: unknown) =>
    makers[name]?.(answering(body)).judge([{ text: 'Jane', kind: 'prompt' }], {} as Trip)
  assert.equal((await judge('analyze', { categoriesAnalysis: CATEGORIES }))?.severities.size, 4)
  assert.deepEqual((await judge('language', languageAnswer([{ id: '0', entities: [entity] }])))?.spans, [
    [{ type: 'PERSON', start: 0, end: 4, score: 0.9, detector: 'azure-language' }],
  ])
  assert.equal(
    (await judge('bedrock', bedrockAnswer({ sensitiveInformation: { results: [hit] } })))?.spans[0]?.length,
    1,
  )
})

test('a guardrail blocks by what it says, names topics and words by their kind, and is replaced by its matches', async () => {
  const judge = (body: unknown, text = 'Jane, this is Jane') =>
    makers['guardrail']?.(answering(body)).judge([{ text, kind: 'prompt' }], {} as Trip)
  const replaced = await judge(guardrailAnswer(entityOf('Jane')))
  assert.equal(replaced?.severities.size, 0)
  assert.deepEqual(
    replaced?.spans[0]?.map(({ type, start, end }) => [type, start, end]),
    [
      ['PERSON', 0, 4],
      ['PERSON', 14, 18],
    ],
  )
  const blocked = await judge(
    guardrailAnswer({
      ...entityOf('Jane', 'BLOCKED'),
      topicPolicy: { topics: [{ name: 'the merger with Northwind', type: 'DENY', action: 'BLOCKED' }] },
      wordPolicy: { customWords: [{ match: 'falcon', action: 'BLOCKED' }], managedWordLists: [] },
      contentPolicy: {
        filters: [
          { type: 'PROMPT_ATTACK', confidence: 'HIGH', action: 'BLOCKED' },
          { type: 'HATE', confidence: 'LOW', action: 'NONE' },
        ],
      },
    }),
  )
  assert.deepEqual([...(blocked?.severities.keys() ?? [])].toSorted(), ['PERSON', 'PROMPT_ATTACK', 'TOPIC', 'WORD'])
  assert.equal((await judge({ action: 'NONE', assessments: [] }))?.severities.size, 0)
})
