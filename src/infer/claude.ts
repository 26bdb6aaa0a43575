import type { Ask, Effort, Message, PartOf } from '#contract/ask.ts'
import { fieldName } from './carry.ts'
import { forbidsThinking, thinkingBudget } from './effort.ts'

/*
 * What Claude wants wherever it is served: Anthropic's own API, Bedrock, Vertex. The limits by version are those of
 * Anthropic's migration guides up to November 2026.
 */

/** The least that Claude thinks with. */
const MIN_BUDGET = 1024

/**
 * The version in a model's name, minor as a hundredth: `claude-opus-4-7` is 4.07, `claude-3-7-sonnet-20250219` 3.07,
 * `claude-sonnet-4@20250514` 4. Undefined where a name tells none, such as an ARN.
 */
export function claudeVersion(model: string): number | undefined {
  const found = /claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)/.exec(model)
  return found === null ? undefined : Number(found[1]) + Number(found[2] ?? 0) / 100
}

/** From 4.7 on, Claude refuses temperature, top_p and top_k, and thinks adaptively only. */
export function takesSampling(model: string): boolean {
  return (claudeVersion(model) ?? 0) < 4.07
}

/** Only what Claude signed or sealed can be given back to it. */
export function isClaudeProof({ family, signature, data }: PartOf<'reasoning'>): boolean {
  return family === 'anthropic' && (signature !== '' || data !== '')
}

/** `thinking` and `output_config` of a request; empty when Claude is not to think. */
export interface ClaudeThinking {
  readonly thinking?: object
  readonly output_config?: { readonly effort: string }
}

/**
 * How Claude is to think. It may not after a turn whose thoughts are not given back, nor when a tool is forced: then
 * this is empty, as without `reasoning`.
 */
export function claudeThinking(ask: Ask, model: string): ClaudeThinking {
  const { reasoning, sampling, messages, tools, toolChoice } = ask
  if (reasoning === undefined || forbidsThinking(reasoning)) return {}
  const isForced = tools.length > 0 && (toolChoice === 'required' || typeof toolChoice === 'object')
  if (isForced || lacksThoughts(messages)) return {}
  const version = claudeVersion(model)
  const isAdaptive =
    version === undefined
      ? reasoning.adaptive === true
      : version >= 4.07 || (version >= 4.06 && reasoning.adaptive === true)
  if (isAdaptive) {
    const effort = reasoning.effort === undefined ? undefined : claudeEffort(reasoning.effort)
    return { thinking: { type: 'adaptive' }, ...(effort === undefined ? {} : { output_config: { effort } }) }
  }
  const wanted = Math.max(MIN_BUDGET, thinkingBudget(reasoning))
  // The budget has to be below the answer's own bound.
  const bound = sampling.maxTokens === undefined ? wanted : Math.min(wanted, sampling.maxTokens - 1)
  return bound < MIN_BUDGET ? {} : { thinking: { type: 'enabled', budget_tokens: bound } }
}

/** Names of the fields that Claude does not get beside those of the target: thinking or sampling that it can't do now. */
export function claudeDropped(ask: Ask, { thinking }: ClaudeThinking, model: string): string[] {
  const { reasoning, sampling } = ask
  const dropped: string[] = []
  if (reasoning !== undefined && !forbidsThinking(reasoning) && thinking === undefined)
    dropped.push(fieldName(ask, 'reasoning'))
  if (thinking === undefined && takesSampling(model)) return dropped
  if (sampling.temperature !== undefined) dropped.push('temperature')
  if (sampling.topP !== undefined) dropped.push('top_p')
  if (sampling.topK !== undefined) dropped.push('top_k')
  return dropped
}

/** Claude knows no effort below `low`. */
function claudeEffort(effort: Effort): string {
  return effort === 'minimal' ? 'low' : effort
}

/** Whether the turn that tools now answer has no thoughts that can be given back. */
function lacksThoughts(messages: readonly Message[]): boolean {
  const last = messages.findLast(({ role }) => role === 'assistant')
  if (last === undefined || messages.at(-1)?.role === 'user') return false
  const calls = last.parts.some(({ type }) => type === 'tool-call')
  return calls && !last.parts.some((part) => part.type === 'reasoning' && isClaudeProof(part))
}
