import { z } from 'zod'
import { isAttack, severityOf } from './content-safety-words.ts'
import { namedSpans } from './pii-words.ts'

const FILTERS = ['VIOLENCE', 'HATE', 'SEXUAL', 'MISCONDUCT', 'INSULTS'] as const
const ATTACKS = ['JAILBREAK', 'PROMPT_INJECTION', 'PROMPT_LEAKAGE'] as const

const Request = z.strictObject({
  messages: z
    .array(
      z.strictObject({
        role: z.enum(['user', 'assistant', 'system']),
        content: z.array(z.strictObject({ text: z.string().min(1) })).min(1),
      }),
    )
    .min(1),
  checks: z.strictObject({
    contentFilter: z.strictObject({ categories: categories(FILTERS).max(5) }).optional(),
    promptAttack: z.strictObject({ categories: categories(ATTACKS).max(3) }).optional(),
    sensitiveInformation: z
      .strictObject({
        entities: z
          .array(z.strictObject({ type: z.string() }))
          .min(1)
          .max(31),
      })
      .optional(),
  }),
})

function categories<const Name extends string>(names: readonly Name[]) {
  return z.array(z.strictObject({ category: z.enum(names) })).min(1)
}

/** What Amazon's own names for entities are in the word list. */
const TYPES: Readonly<Record<string, string>> = {
  NAME: 'Person',
  ADDRESS: 'Address',
  EMAIL: 'Email',
  PHONE: 'PhoneNumber',
}

/**
 * Answers `InvokeGuardrailChecks`.
 * @throws {z.ZodError} for a request that the service would refuse.
 */
export function guardrailChecks(body: unknown): unknown {
  const { messages, checks } = Request.parse(body)
  const texts = messages.flatMap(({ content }, messageIndex) =>
    content.map(({ text }, contentIndex) => ({ text, messageIndex, contentIndex })),
  )
  const all = texts.map(({ text }) => text).join('\n')
  const textUnits = texts.reduce((sum, { text }) => sum + Math.max(1, Math.ceil(text.length / 1000)), 0)
  const usage = { textUnits }
  return {
    results: {
      ...(checks.contentFilter && {
        contentFilter: {
          results: checks.contentFilter.categories.map(({ category }) => ({
            category,
            severityScore: filterScore(category, all),
          })),
        },
      }),
      ...(checks.promptAttack && {
        promptAttack: {
          results: checks.promptAttack.categories.map(({ category }) => ({
            category,
            severityScore: isAttack(all) ? 1 : 0,
          })),
        },
      }),
      ...(checks.sensitiveInformation && {
        sensitiveInformation: {
          truncated: false,
          results: texts.flatMap(({ text, messageIndex, contentIndex }) =>
            namedSpans(text)
              .filter(({ category }) =>
                checks.sensitiveInformation?.entities.some(({ type }) => TYPES[type] === category),
              )
              .map(({ category, offset, length, score }) => ({
                type: Object.keys(TYPES).find((name) => TYPES[name] === category) ?? '',
                confidenceScore: score,
                beginOffset: offset,
                endOffset: offset + length,
                messageIndex,
                contentIndex,
              })),
          ),
        },
      }),
    },
    usage: {
      ...(checks.contentFilter && { contentFilter: usage }),
      ...(checks.promptAttack && { promptAttack: usage }),
      ...(checks.sensitiveInformation && { sensitiveInformation: usage }),
    },
  }
}

function filterScore(category: (typeof FILTERS)[number], text: string): number {
  const own = { VIOLENCE: 'Violence', HATE: 'Hate', SEXUAL: 'Sexual' } as const
  return category === 'MISCONDUCT' || category === 'INSULTS' ? 0 : severityOf(own[category], text) / 7
}
