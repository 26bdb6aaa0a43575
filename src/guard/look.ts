import { type Ask, type Message, textOfPart } from '#contract/ask.ts'
import { injectionScore, toxicityScore } from '#detect/triage/triage.ts'
import type { GuardProfile } from './profile.ts'
import type { FindingTally } from './redact.ts'

/** Score from which a text counts as found: the threshold of the models. */
const FOUND_FROM = 0.5

/**
 * A first look at what the caller and tools say: how risky it is, 0 to 1. Taken only where a profile asks for it: it
 * costs some 50 µs a kilobyte. What an application tells the model is not looked at.
 */
export function firstLook(ask: Ask, { managed, triage }: GuardProfile, tally: FindingTally): number {
  const looksAtOrders = managed === 'by-risk' || triage.injection !== 'off'
  const looksAtTone = managed === 'by-risk' || triage.toxicity !== 'off'
  if (!looksAtOrders && !looksAtTone) return 0
  let risk = 0
  for (const message of ask.messages) {
    if (message.role === 'system' || message.role === 'assistant') continue
    for (const text of textsOf(message)) {
      const injection = looksAtOrders ? injectionScore(text) : 0
      const toxicity = looksAtTone ? toxicityScore(text) : 0
      risk = Math.max(risk, injection, toxicity)
      if (triage.injection !== 'off' && injection >= FOUND_FROM)
        tally.add('PROMPT_INJECTION', triage.injection, 'prompt')
      if (triage.toxicity !== 'off' && toxicity >= FOUND_FROM) tally.add('TOXICITY', triage.toxicity, 'prompt')
    }
  }
  return risk
}

function textsOf({ parts }: Message): string[] {
  return parts.map(textOfPart)
}
