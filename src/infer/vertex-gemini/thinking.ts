import type { ReasoningAsk } from '#contract/ask.ts'
import { forbidsThinking, thinkingBudget } from '#infer/effort.ts'
import { geminiVersion } from './model.ts'

/**
 * `thinkingConfig` of a request; undefined for models that do not think. Version 2.5 counts tokens, from 3 on there are
 * levels. Bounds from Google's page on thinking (Vertex AI, read November 2026).
 */
export function thinkingConfig(reasoning: ReasoningAsk, model: string): object | undefined {
  const version = geminiVersion(model)
  if (version < 2.5) return undefined
  const amount = version < 3 ? budgetOf(reasoning, model) : levelOf(reasoning, model)
  return { ...amount, includeThoughts: reasoning.hidden !== true && !forbidsThinking(reasoning) }
}

/** Least and most tokens; only `pro` can't be told not to think. */
function budgetOf(reasoning: ReasoningAsk, model: string): object {
  const [min, max] = model.includes('pro') ? [128, 32_768] : model.includes('lite') ? [512, 24_576] : [1, 24_576]
  if (forbidsThinking(reasoning)) return { thinkingBudget: model.includes('pro') ? min : 0 }
  if (reasoning.adaptive === true && reasoning.budget === undefined) return { thinkingBudget: -1 }
  return { thinkingBudget: Math.min(max, Math.max(min, thinkingBudget(reasoning))) }
}

function levelOf(reasoning: ReasoningAsk, model: string): object {
  const least = model.includes('pro') ? 'LOW' : 'MINIMAL'
  if (forbidsThinking(reasoning)) return { thinkingLevel: least }
  if (reasoning.effort === 'minimal') return { thinkingLevel: least }
  if (reasoning.adaptive === true && reasoning.effort === undefined && reasoning.budget === undefined) return {}
  const budget =
    reasoning.effort === undefined ? thinkingBudget(reasoning) : thinkingBudget({ effort: reasoning.effort })
  if (budget <= 1024) return { thinkingLevel: 'LOW' }
  // The first 3 Pro knows two levels only.
  if (budget <= 8192 && !model.includes('gemini-3-pro')) return { thinkingLevel: 'MEDIUM' }
  return { thinkingLevel: 'HIGH' }
}
