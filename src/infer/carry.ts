import type { Ask, Dialect } from '#contract/ask.ts'
import { Refusal } from '#contract/refusal.ts'

/** What an ask may hold beyond messages, tools and the usual sampling; each target carries some of it. */
export type Feature =
  | 'seed'
  | 'topK'
  | 'penalties'
  | 'n'
  | 'logprobs'
  | 'json'
  | 'schema'
  | 'reasoning'
  | 'parallelTools'
  | 'cache'
  | 'betas'
  | 'dimensions'
  | 'rest'

/** Names by which callers know a feature. */
const NAMES: Readonly<
  Record<Exclude<Feature, 'rest' | 'penalties'>, Partial<Record<Dialect, string>> & { any: string }>
> = {
  seed: { any: 'seed' },
  topK: { any: 'top_k' },
  n: { any: 'n' },
  logprobs: { any: 'logprobs', 'openai-responses': 'top_logprobs' },
  json: { any: 'response_format', 'openai-responses': 'text.format' },
  schema: { any: 'response_format', 'openai-responses': 'text.format', 'anthropic-messages': 'output_config.format' },
  reasoning: { any: 'reasoning_effort', 'openai-responses': 'reasoning', 'anthropic-messages': 'thinking' },
  parallelTools: { any: 'parallel_tool_calls', 'anthropic-messages': 'tool_choice.disable_parallel_tool_use' },
  cache: { any: 'cache_control' },
  betas: { any: 'anthropic-beta' },
  dimensions: { any: 'dimensions' },
}

/** Without these the caller would get something else than was asked for, so they are refused, not left out. */
const VITAL: ReadonlySet<Feature> = new Set(['n', 'logprobs', 'json', 'schema', 'dimensions'])

/**
 * The fields that a target which carries only `carried` does not get, by the caller's names for them.
 * @throws {Refusal} INFER_UNSUPPORTED for one that may not be left out.
 */
export function leftOut(ask: Ask, carried: ReadonlySet<Feature>, target: string): string[] {
  const out: string[] = []
  for (const feature of featuresOf(ask)) {
    if (carried.has(feature)) continue
    if (feature === 'rest') out.push(...Object.keys(ask.rest))
    else if (feature === 'penalties') {
      if (ask.sampling.frequencyPenalty !== undefined) out.push('frequency_penalty')
      if (ask.sampling.presencePenalty !== undefined) out.push('presence_penalty')
    } else {
      const name = fieldName(ask, feature)
      if (VITAL.has(feature)) throw unsupportedBy(target, name)
      out.push(name)
    }
  }
  return out
}

/** What the caller calls a feature. */
export function fieldName({ dialect }: Ask, feature: keyof typeof NAMES): string {
  return NAMES[feature][dialect] ?? NAMES[feature].any
}

/** The target can not do what the field asks for. */
export function unsupportedBy(target: string, field: string, instead = 'leave it out'): Refusal {
  return new Refusal('INFER_UNSUPPORTED', `target \`${target}\` does not support \`${field}\`, ${instead}`, {
    param: field,
  })
}

function featuresOf(ask: Ask): Feature[] {
  const { sampling, format, reasoning, rest } = ask
  const features: Feature[] = []
  if (sampling.seed !== undefined) features.push('seed')
  if (sampling.topK !== undefined) features.push('topK')
  if (sampling.frequencyPenalty !== undefined || sampling.presencePenalty !== undefined) features.push('penalties')
  if (sampling.n !== undefined && sampling.n > 1) features.push('n')
  if (ask.logprobs !== undefined) features.push('logprobs')
  if (format !== undefined) features.push(format.type)
  if (reasoning !== undefined) features.push('reasoning')
  if (ask.parallelTools !== undefined && ask.tools.length > 0) features.push('parallelTools')
  if (ask.betas !== undefined && ask.betas.length > 0) features.push('betas')
  if (ask.dimensions !== undefined) features.push('dimensions')
  if (marksCache(ask)) features.push('cache')
  for (const _ in rest) {
    features.push('rest')
    break
  }
  return features
}

function marksCache({ messages, tools }: Ask): boolean {
  return (
    tools.some(({ cache }) => cache !== undefined) ||
    messages.some(({ parts }) => parts.some(({ cache }) => cache !== undefined))
  )
}
