import { z } from 'zod'
import { isAttack, severityOf } from './content-safety-words.ts'
import { namedSpans } from './pii-words.ts'

const Request = z.strictObject({
  source: z.enum(['INPUT', 'OUTPUT']),
  content: z
    .array(
      z.strictObject({
        text: z.strictObject({
          text: z.string(),
          qualifiers: z.array(z.enum(['grounding_source', 'query', 'guard_content'])).optional(),
        }),
      }),
    )
    .min(1),
  outputScope: z.enum(['INTERVENTIONS', 'FULL']).optional(),
})

/** What the stand-in's guardrail replaces, under Amazon's names. */
const ENTITIES: Readonly<Record<string, string>> = {
  Person: 'NAME',
  Address: 'ADDRESS',
  Email: 'EMAIL',
  PhoneNumber: 'PHONE',
}

/**
 * Answers `ApplyGuardrail` as a guardrail would that has content filters at medium, prompt attacks for input, and
 * entities set to be anonymised.
 * @throws {z.ZodError} for a request that the service would refuse.
 */
export function applyGuardrail(body: unknown): unknown {
  const { source, content } = Request.parse(body)
  const texts = content.map(({ text: { text } }) => text)
  const all = texts.join('\n')
  const blocked = (type: string) => ({ type, confidence: 'HIGH', filterStrength: 'MEDIUM', action: 'BLOCKED' })
  const filters = (['Hate', 'Sexual', 'Violence'] as const)
    .filter((category) => severityOf(category, all) >= 4)
    .map((category) => blocked(category.toUpperCase()))
  if (source === 'INPUT' && isAttack(all)) filters.push(blocked('PROMPT_ATTACK'))
  const found = texts.map((text) => namedSpans(text))
  const piiEntities = found.flatMap((spans, at) =>
    spans.map(({ category, offset, length }) => ({
      match: texts[at]?.slice(offset, offset + length) ?? '',
      type: ENTITIES[category],
      action: 'ANONYMIZED',
    })),
  )
  const seen = piiEntities.filter(({ type }) => type !== undefined)
  const units = texts.reduce((sum, text) => sum + Math.ceil(text.length / 1000), 0)
  const isStopped = filters.length > 0
  const intervened = isStopped || seen.length > 0
  return {
    usage: {
      topicPolicyUnits: 0,
      contentPolicyUnits: units,
      wordPolicyUnits: 0,
      sensitiveInformationPolicyUnits: units,
      sensitiveInformationPolicyFreeUnits: 0,
      contextualGroundingPolicyUnits: 0,
    },
    action: intervened ? 'GUARDRAIL_INTERVENED' : 'NONE',
    outputs: intervened ? (isStopped ? [{ text: 'This is not answered.' }] : texts.map(anonymised)) : [],
    assessments: intervened
      ? [
          {
            ...(isStopped && { contentPolicy: { filters } }),
            ...(seen.length > 0 && { sensitiveInformationPolicy: { piiEntities: seen, regexes: [] } }),
          },
        ]
      : [],
    guardrailCoverage: { textCharacters: { guarded: all.length, total: all.length } },
  }
}

function anonymised(text: string): { text: string } {
  const spans = namedSpans(text).filter(({ category }) => ENTITIES[category] !== undefined)
  return {
    text: spans.reduceRight(
      (out, { category, offset, length }) =>
        `${out.slice(0, offset)}{${ENTITIES[category]}}${out.slice(offset + length)}`,
      text,
    ),
  }
}
