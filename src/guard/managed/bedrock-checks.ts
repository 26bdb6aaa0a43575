import { z } from 'zod'
import type { Cross } from '#contract/crossing.ts'
import type { Finding } from '#contract/screened.ts'
import { BEDROCK_ENTITIES } from './bedrock-entities.ts'
import { type ManagedService, NoVerdict, type Segment, type ServiceAccess, ask, recordsOf } from './service.ts'
import { type Part, batchesOf, partsOf } from './pieces.ts'
import { ownSpans } from './spans.ts'

export interface BedrockChecksOptions extends ServiceAccess {
  /** Entities less sure than this are left alone, 0 to 1. */
  readonly minScore: number
  /** Whether personal data is asked about as well. */
  readonly sensitive: boolean
}

/** A call carries at most this many characters, which keeps it well under the service's size of a request. */
const MAX_CHARS = 20_000
const OVERLAP = 400
/** Severities come as 0 to 1; ours are 0 to 7. */
const SCALE = 7
const FILTERS = ['VIOLENCE', 'HATE', 'SEXUAL', 'MISCONDUCT', 'INSULTS'] as const
const ATTACKS = ['JAILBREAK', 'PROMPT_INJECTION', 'PROMPT_LEAKAGE'] as const
const score = z.number().min(0).max(1)
const Scores = z.object({ results: z.array(z.object({ category: z.string(), severityScore: score })) })
const Answer = z.object({
  results: z.object({
    contentFilter: Scores,
    promptAttack: Scores,
    sensitiveInformation: z
      .object({
        truncated: z.boolean().optional(),
        results: z.array(
          z.object({
            type: z.string(),
            confidenceScore: score,
            beginOffset: z.number().int().min(0),
            endOffset: z.number().int().min(0),
            messageIndex: z.number().int().min(0),
            contentIndex: z.number().int().min(0),
          }),
        ),
      })
      .optional(),
  }),
})

/** Amazon Bedrock's guardrail checks, which need no guardrail resource: content, prompt attacks, personal data. */
export function bedrockChecks(options: BedrockChecksOptions, cross: Cross): ManagedService {
  const { place, usdPerThousandRecords, sensitive, minScore } = options
  return {
    name: 'bedrock-guardrail-checks',
    version: `1 ${sensitive ? `sensitive ${minScore}` : ''}`,
    place,
    usdPerThousandRecords,
    judge: async (segments, trip) => {
      const parts = partsOf(segments, MAX_CHARS / 2, OVERLAP)
      const batches = batchesOf(parts, 50, MAX_CHARS, ({ text }) => text.length)
      const answers = await Promise.all(
        batches.map(async (batch) => ({
          batch,
          answer: await invoke(options, batch, (body) => ask(cross, trip, options, '/guardrail-checks/invoke', body)),
        })),
      )
      const severities = new Map<string, number>()
      const spans: Finding[][] = segments.map(() => [])
      for (const { batch, answer } of answers) {
        for (const { category, severityScore } of [...answer.contentFilter.results, ...answer.promptAttack.results]) {
          const severity = Math.round(severityScore * SCALE)
          severities.set(category, Math.max(severity, severities.get(category) ?? 0))
        }
        collect(answer.sensitiveInformation?.results ?? [], batch, spans, minScore)
      }
      return {
        severities,
        spans: segments.map(({ text }: Segment, at) => ownSpans(text, spans[at] ?? [])),
        records: parts.reduce((sum, { text }) => sum + recordsOf(text), 0),
      }
    },
  }
}

type Results = z.infer<typeof Answer>['results']

async function invoke(
  { sensitive }: BedrockChecksOptions,
  batch: readonly Part[],
  send: (body: unknown) => Promise<unknown>,
): Promise<Results> {
  const parsed = Answer.safeParse(
    await send({
      messages: batch.map(({ text }) => ({ role: 'user', content: [{ text }] })),
      checks: {
        contentFilter: { categories: FILTERS.map((category) => ({ category })) },
        promptAttack: { categories: ATTACKS.map((category) => ({ category })) },
        ...(sensitive
          ? { sensitiveInformation: { entities: Object.keys(BEDROCK_ENTITIES).map((type) => ({ type })) } }
          : {}),
      },
    }),
  )
  if (!parsed.success) throw new NoVerdict('answered something of another shape')
  const { results } = parsed.data
  for (const [wanted, got] of [
    [FILTERS, results.contentFilter],
    [ATTACKS, results.promptAttack],
  ] as const) {
    const missing = wanted.find((category) => !got.results.some((result) => result.category === category))
    if (missing !== undefined) throw new NoVerdict(`left out category ${missing}`)
  }
  if (sensitive && results.sensitiveInformation === undefined) throw new NoVerdict('left out personal data')
  if (results.sensitiveInformation?.truncated === true) throw new NoVerdict('found more than it lists')
  return results
}

type Hits = NonNullable<Results['sensitiveInformation']>['results']

/** The service does not say what its offsets count: a span covers what they mean as code units and as code points. */
function collect(hits: Hits, batch: readonly Part[], spans: readonly Finding[][], minScore: number): void {
  for (const { type, confidenceScore, beginOffset, endOffset, messageIndex } of hits) {
    const part = batch[messageIndex]
    if (part === undefined || endOffset <= beginOffset) throw new NoVerdict('gave an offset of no message')
    if (confidenceScore < minScore) continue
    const start = Math.min(beginOffset, unitsOf(part.text, beginOffset))
    const end = Math.min(part.text.length, Math.max(endOffset, unitsOf(part.text, endOffset)))
    if (end <= start) throw new NoVerdict('gave an offset beyond the message')
    spans[part.segment]?.push({
      type: BEDROCK_ENTITIES[type] ?? type,
      start: part.start + start,
      end: part.start + end,
      score: confidenceScore,
      detector: 'bedrock-guardrail-checks',
    })
  }
}

/** Code units before a code point. */
function unitsOf(text: string, points: number): number {
  let at = 0
  for (let point = 0; point < points && at < text.length; point += 1) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
  return at
}
