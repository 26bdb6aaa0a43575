import type { Trip } from '#contract/crossing.ts'
import type { EntrySafety } from '#contract/entry.ts'
import type { Batch, Event } from '#contract/event.ts'
import type { GuardProfile } from '#guard/profile.ts'
import { type ManagedDeps, type Verdict, NOTHING, NOT_ASKED, admitAnswer, isGone, problemOf } from './check.ts'

/** As severe as can be: it is there or it is not. */
const CERTAIN = 7

/**
 * Asks about what the model said once it has said it all, before the caller is told that the answer is complete: an
 * answer that is sent whole is not sent, one that was streamed ends with an error. It runs before placeholders are put
 * back, so that the caller's values do not go to the service. `note` gets the verdict before it refuses.
 * @throws {Refusal} GUARD_BLOCKED or GUARD_UNAVAILABLE, inside the answer.
 */
export function checkAnswer(
  deps: ManagedDeps | undefined,
  batches: AsyncIterable<Batch>,
  profile: GuardProfile,
  trip: Trip,
  note: (verdict: Verdict) => void,
): AsyncIterable<Batch> {
  if (profile.protectedMaterial === 'off') return batches
  return {
    [Symbol.asyncIterator]: () => {
      const source = batches[Symbol.asyncIterator]()
      const texts = new Map<number, string>()
      return {
        next: async () => {
          const step = await source.next()
          if (step.done === true) return step
          for (const event of step.value)
            if (event.type === 'text-delta') texts.set(event.choice, (texts.get(event.choice) ?? '') + event.text)
          if (!step.value.some(isLast) || texts.size === 0) return step
          const said = [...texts.values()]
          texts.clear()
          try {
            const verdict = await judge(deps, profile, said, trip)
            note(verdict)
            admitAnswer(verdict, profile)
          } catch (error) {
            await source.return?.()
            throw error
          }
          return step
        },
        return: async () => {
          await source.return?.()
          return { done: true, value: undefined }
        },
      }
    },
  }
}

function isLast({ type }: Event): boolean {
  return type === 'finish' || type === 'end'
}

async function judge(
  deps: ManagedDeps | undefined,
  { protectedMaterial, shadow }: GuardProfile,
  texts: readonly string[],
  trip: Trip,
): Promise<Verdict> {
  const service = deps?.answer
  const base: EntrySafety = { ...NOT_ASKED, shadow, services: service === undefined ? [] : [service.name] }
  if (service === undefined)
    return { safety: { ...base, verdict: 'unavailable', problem: 'no check of answers is configured' }, spans: NOTHING }
  try {
    const answers = await Promise.all(texts.map((text) => service.judge(text, trip)))
    const records = answers.reduce((sum, answer) => sum + answer.records, 0)
    const isFound = answers.some((answer) => answer.isFound)
    const safety: EntrySafety = {
      ...base,
      records,
      microUsd: records * service.usdPerThousandRecords * 1000,
      over: isFound ? [{ category: 'ProtectedMaterial', severity: CERTAIN }] : [],
      verdict: isFound && protectedMaterial === 'block' ? 'block' : 'pass',
    }
    return { safety, spans: NOTHING }
  } catch (error) {
    if (isGone(error)) throw error
    return {
      safety: { ...base, verdict: 'unavailable', problem: `${service.name}: ${problemOf(error)}` },
      spans: NOTHING,
    }
  }
}
