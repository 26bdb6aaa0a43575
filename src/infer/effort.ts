import type { ReasoningAsk } from '#contract/ask.ts'

/** Tokens to think with for an effort, as Google documents them for its own compatible endpoint. */
const EFFORT_BUDGET: Readonly<Record<string, number>> = { minimal: 1024, low: 1024, medium: 8192, high: 24_576 }

/** Whether the caller wants no thinking at all. */
export function forbidsThinking({ budget, effort }: ReasoningAsk): boolean {
  return budget === 0 || effort === 'none'
}

/** Tokens to think with: what the caller gave, else by effort; without either as for `medium`. */
export function thinkingBudget({ budget, effort = 'medium' }: ReasoningAsk): number {
  return budget ?? EFFORT_BUDGET[effort] ?? 24_576
}
