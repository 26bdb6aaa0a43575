import { z } from 'zod'
import type { Cross } from '#contract/crossing.ts'
import type { Finding } from '#contract/screened.ts'
import { BEDROCK_ENTITIES } from './bedrock-entities.ts'
import { type Part, batchesOf, partsOf } from './pieces.ts'
import { type ManagedService, NoVerdict, type ServiceAccess, ask, recordsOf } from './service.ts'
import { ownSpans } from './spans.ts'

export interface BedrockGuardrailOptions extends ServiceAccess {
  /** Id or ARN of the guardrail. */
  readonly guardrail: string
  /** Its version: a number, or `DRAFT`. */
  readonly guardrailVersion: string
}

/** A call carries at most this many characters, which keeps it well under the service's size of a request. */
const MAX_CHARS = 20_000
const OVERLAP = 400
/** The guardrail itself decides how strong is too strong: what it blocks is as severe as can be. */
const BLOCKED = 7

const action = z.enum(['BLOCKED', 'NONE'])
const replacing = z.enum(['BLOCKED', 'ANONYMIZED', 'NONE'])
const filters = z.array(z.object({ type: z.string(), action })).default([])
const Assessment = z.object({
  topicPolicy: z.object({ topics: z.array(z.object({ action })).default([]) }).optional(),
  contentPolicy: z.object({ filters }).optional(),
  wordPolicy: z
    .object({
      customWords: z.array(z.object({ action })).default([]),
      managedWordLists: z.array(z.object({ type: z.string(), action })).default([]),
    })
    .optional(),
  sensitiveInformationPolicy: z
    .object({
      piiEntities: z.array(z.object({ type: z.string(), match: z.string().min(1), action: replacing })).default([]),
      regexes: z
        .array(z.object({ name: z.string().optional(), match: z.string().min(1).optional(), action: replacing }))
        .default([]),
    })
    .optional(),
  contextualGroundingPolicy: z.object({ filters }).optional(),
})
const Answer = z.object({
  action: z.enum(['NONE', 'GUARDRAIL_INTERVENED']),
  assessments: z.array(Assessment),
  guardrailCoverage: z
    .object({ textCharacters: z.object({ guarded: z.int().min(0), total: z.int().min(0) }).optional() })
    .optional(),
})

/** A value that the guardrail wants replaced, or blocks by. */
interface Match {
  readonly type: string
  readonly value: string
}

/** A guardrail of Amazon Bedrock, asked by `ApplyGuardrail`: topics, filters, words and entities are set there. */
export function bedrockGuardrail(options: BedrockGuardrailOptions, cross: Cross): ManagedService {
  const { place, usdPerThousandRecords, guardrail, guardrailVersion } = options
  const path = `/guardrail/${encodeURIComponent(guardrail)}/version/${encodeURIComponent(guardrailVersion)}/apply`
  return {
    name: 'bedrock-guardrail',
    version: `1 ${guardrail} ${guardrailVersion}`,
    place,
    usdPerThousandRecords,
    judge: async (segments, trip) => {
      const parts = partsOf(segments, MAX_CHARS / 2, OVERLAP)
      const batches = batchesOf(parts, 50, MAX_CHARS, ({ text }) => text.length)
      const outcomes = await Promise.all(
        batches.map(async (batch) => {
          const body = { source: 'INPUT', content: batch.map(({ text }) => ({ text: { text } })) }
          return { batch, outcome: outcomeOf(await ask(cross, trip, options, path, body)) }
        }),
      )
      const severities = new Map<string, number>()
      const spans: Finding[][] = segments.map(() => [])
      for (const { batch, outcome } of outcomes) {
        for (const category of outcome.blocked) severities.set(category, BLOCKED)
        for (const match of outcome.replaced) locate(match, batch, spans)
      }
      return {
        severities,
        spans: segments.map(({ text }, at) => ownSpans(text, spans[at] ?? [])),
        records: parts.reduce((sum, { text }) => sum + recordsOf(text), 0),
      }
    },
  }
}

interface Outcome {
  /** Categories by which it blocks. Topics and words are named by their kind: their names may say what was written. */
  readonly blocked: readonly string[]
  readonly replaced: readonly Match[]
}

function outcomeOf(body: unknown): Outcome {
  const parsed = Answer.safeParse(body)
  if (!parsed.success) throw new NoVerdict('answered something of another shape')
  const { assessments, guardrailCoverage } = parsed.data
  const read = guardrailCoverage?.textCharacters
  if (read !== undefined && read.guarded < read.total)
    throw new NoVerdict(`read ${read.guarded} of ${read.total} characters`)
  const blocked: string[] = []
  const replaced: Match[] = []
  const note = (category: string, { action: taken }: { action: string }): void => {
    if (taken === 'BLOCKED') blocked.push(category)
  }
  for (const { topicPolicy, contentPolicy, wordPolicy, ...rest } of assessments) {
    for (const topic of topicPolicy?.topics ?? []) note('TOPIC', topic)
    for (const filter of contentPolicy?.filters ?? []) note(filter.type, filter)
    for (const word of wordPolicy?.customWords ?? []) note('WORD', word)
    for (const word of wordPolicy?.managedWordLists ?? []) note(word.type, word)
    for (const filter of rest.contextualGroundingPolicy?.filters ?? []) note(filter.type, filter)
    const { piiEntities = [], regexes = [] } = rest.sensitiveInformationPolicy ?? {}
    for (const { type, match, action: taken } of [
      ...piiEntities,
      ...regexes.map((regex) => ({ ...regex, type: 'CUSTOM' })),
    ]) {
      const ours = BEDROCK_ENTITIES[type] ?? type
      if (taken === 'BLOCKED') blocked.push(ours)
      if (taken !== 'ANONYMIZED') continue
      if (match === undefined) throw new NoVerdict('replaced something and does not say what')
      replaced.push({ type: ours, value: match })
    }
  }
  if (parsed.data.action === 'GUARDRAIL_INTERVENED' && blocked.length + replaced.length === 0)
    throw new NoVerdict('intervened and does not say why')
  return { blocked, replaced }
}

/** The service names the text that it replaced and not where it stands: every place where it stands is meant. */
function locate({ type, value }: Match, batch: readonly Part[], spans: readonly Finding[][]): void {
  let isFound = false
  for (const { segment, start, text } of batch) {
    for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + value.length)) {
      isFound = true
      const from = start + at
      spans[segment]?.push({ type, start: from, end: from + value.length, score: 1, detector: 'bedrock-guardrail' })
    }
  }
  if (!isFound) throw new NoVerdict('replaced something that is not in the text')
}
