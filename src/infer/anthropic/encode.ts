import type { Ask, Message, Tool, ToolChoice } from '#contract/ask.ts'
import type { Screened } from '#contract/screened.ts'
import type { Target } from '#contract/target.ts'
import { type Feature, leftOut, unsupportedBy } from '#infer/carry.ts'
import { type ClaudeThinking, claudeDropped, claudeThinking, takesSampling } from '#infer/claude.ts'
import type { EncodedRequest } from '#infer/provider.ts'
import { namesInHistory, splitSystem } from '#infer/turns.ts'
import { asRecord } from '#kit/json.ts'
import { limitMarks, mark } from './cache-marks.ts'
import type { Call, Flavour } from './flavour.ts'
import { type Block, turns } from './messages.ts'

/** Longest answer in tokens where the caller sets no bound: the service wants one, and every Claude since 3.5 takes it. */
export const DEFAULT_MAX_TOKENS = 8192

const CARRIED: ReadonlySet<Feature> = new Set<Feature>([
  'topK',
  'schema',
  'reasoning',
  'parallelTools',
  'cache',
  'betas',
])
/** From callers of the same format, fields that nobody here knows too. */
const CARRIED_OF_OWN: ReadonlySet<Feature> = new Set<Feature>([...CARRIED, 'rest'])

/** Anthropic's `POST /v1/messages`, in the flavour of who serves it. */
export function encoder(flavour: Flavour): (screened: Screened, target: Target) => EncodedRequest {
  return ({ ask }, target) => {
    if (ask.operation === 'embed')
      throw unsupportedBy(target.name, 'input', 'ask a model for embeddings, Claude makes none')
    const isOwn = ask.dialect === 'anthropic-messages'
    const dropped = leftOut(ask, isOwn ? CARRIED_OF_OWN : CARRIED, target.name)
    const call: Call = ask.operation === 'count-tokens' ? 'count' : ask.stream ? 'stream' : 'whole'
    const betas = knownBetas(ask, flavour, dropped)
    const thinking = claudeThinking(ask, target.model)
    dropped.push(...claudeDropped(ask, thinking, target.model))
    const rest = isOwn ? knownRest(ask, flavour, dropped) : {}
    const body = {
      ...rest,
      ...flavour.head(target, call),
      ...conversation(ask, target, { flavour, isOwn, dropped }),
      ...outputOf(ask, rest, shown(thinking, ask, flavour)),
      ...(call === 'count' ? {} : answerFields(ask, target, thinking)),
      ...(betas.length > 0 && flavour.betasIn === 'body' ? { anthropic_beta: betas } : {}),
    }
    return {
      url: flavour.url(target, call),
      headers: {
        'content-type': 'application/json',
        accept: call === 'stream' ? 'text/event-stream' : 'application/json',
        ...flavour.headers,
        ...(betas.length > 0 && flavour.betasIn === 'header' ? { 'anthropic-beta': betas.join(',') } : {}),
      },
      body: JSON.stringify(body),
      dropped,
    }
  }
}

/** What a name may look like that is told to the caller. */
const SAYABLE = /^[a-z0-9-]{1,64}$/

function knownBetas({ betas = [] }: Ask, flavour: Flavour, dropped: string[]): readonly string[] {
  const known = betas.filter((flag) => flavour.betas.has(flag))
  for (const flag of betas)
    if (!flavour.betas.has(flag)) dropped.push(SAYABLE.test(flag) ? `anthropic-beta:${flag}` : 'anthropic-beta')
  return [...new Set(known)]
}

function knownRest({ rest }: Ask, { rest: allowed }: Flavour, dropped: string[]): Readonly<Record<string, unknown>> {
  if (allowed === undefined) return rest
  const names = Object.keys(rest)
  dropped.push(...names.filter((name) => !allowed.has(name)))
  return Object.fromEntries(names.filter((name) => allowed.has(name)).map((name) => [name, rest[name]]))
}

interface Manner {
  readonly flavour: Flavour
  readonly isOwn: boolean
  readonly dropped: string[]
}

function conversation(ask: Ask, target: Target, { flavour, isOwn, dropped }: Manner): object {
  const { system: lead, others } = splitSystem(ask.messages)
  const manner = { target, isOwn, imageUrls: flavour.imageUrls }
  const system = lead.flatMap((message) => systemBlocks(message, isOwn))
  const messages = turns(others, manner)
  if (messages.length === 0) throw unsupportedBy(target.name, 'messages', 'send at least one with text')
  const tools = ask.tools.map((tool) => toolOf(tool, isOwn && flavour.toolRest))
  // In the order in which the service puts the prompt together.
  const prompt = [...tools, ...system, ...messages.flatMap(({ content }) => content)]
  if (limitMarks(prompt, isOwn && asRecord(ask.rest['cache_control']) !== undefined)) dropped.push('cache_control')
  return { messages, ...(system.length === 0 ? {} : { system }), ...toolFields(ask, tools) }
}

function systemBlocks({ parts }: Message, isOwn: boolean): Block[] {
  return parts.flatMap((part) =>
    part.type === 'text' && part.text.trim() !== ''
      ? [mark({ ...(isOwn ? part.rest : {}), type: 'text', text: part.text }, part.cache)]
      : [],
  )
}

function toolOf({ name, description, parameters, strict, cache, rest }: Tool, keepsRest: boolean) {
  const tool = {
    ...(keepsRest ? rest : {}),
    name,
    ...(description === undefined ? {} : { description }),
    // The service wants the type said.
    input_schema: parameters['type'] === undefined ? { type: 'object', ...parameters } : parameters,
    ...(strict === true ? { strict } : {}),
  }
  return mark(tool, cache)
}

function toolFields({ toolChoice, parallelTools, messages }: Ask, tools: readonly object[]): object {
  if (tools.length === 0) {
    // A history with calls is refused where no tool is defined.
    const stubs = namesInHistory(messages).map((name) => ({ name, input_schema: { type: 'object' } }))
    return stubs.length === 0 ? {} : { tools: stubs, tool_choice: { type: 'none' } }
  }
  const choice = toolChoice ?? (parallelTools === false ? 'auto' : undefined)
  return { tools, ...(choice === undefined ? {} : { tool_choice: encodeChoice(choice, parallelTools) }) }
}

function encodeChoice(choice: ToolChoice, parallelTools: boolean | undefined): object {
  if (choice === 'none') return { type: 'none' }
  const single = parallelTools === false ? { disable_parallel_tool_use: true } : {}
  if (choice === 'auto') return { type: 'auto', ...single }
  return choice === 'required' ? { type: 'any', ...single } : { type: 'tool', name: choice.name, ...single }
}

/** With the summary of the thoughts, or without, where the caller says. */
function shown(thinking: ClaudeThinking, { reasoning }: Ask, { display }: Flavour): ClaudeThinking {
  if (!display || thinking.thinking === undefined || reasoning?.hidden === undefined) return thinking
  return { ...thinking, thinking: { ...thinking.thinking, display: reasoning.hidden ? 'omitted' : 'summarized' } }
}

/** `thinking` and `output_config`; what the caller of the same format put there beside stays. */
function outputOf({ format }: Ask, rest: Readonly<Record<string, unknown>>, thinking: ClaudeThinking): object {
  const config = {
    ...asRecord(rest['output_config']),
    ...thinking.output_config,
    ...(format?.type === 'schema' ? { format: { type: 'json_schema', schema: format.schema } } : {}),
  }
  return {
    ...(thinking.thinking === undefined ? {} : { thinking: thinking.thinking }),
    ...(Object.keys(config).length === 0 ? {} : { output_config: config }),
  }
}

function answerFields({ sampling, stream }: Ask, { model }: Target, { thinking }: ClaudeThinking): object {
  const { maxTokens, temperature, topP, topK, stop } = sampling
  const stops = (stop ?? []).filter((sequence) => sequence.trim() !== '')
  const isSampled = thinking === undefined && takesSampling(model)
  return {
    max_tokens: maxTokens ?? DEFAULT_MAX_TOKENS + budgetOf(thinking),
    // OpenAI's range is 0 to 2, the service's 0 to 1.
    ...(temperature === undefined || !isSampled ? {} : { temperature: Math.min(1, Math.max(0, temperature)) }),
    ...(topP === undefined || !isSampled ? {} : { top_p: topP }),
    ...(topK === undefined || !isSampled ? {} : { top_k: topK }),
    ...(stops.length === 0 ? {} : { stop_sequences: stops }),
    ...(stream ? { stream: true } : {}),
  }
}

/** Thoughts count toward the bound, so that a bound of ours leaves room for them. */
function budgetOf(thinking: object | undefined): number {
  const budget = asRecord(thinking)?.['budget_tokens']
  return typeof budget === 'number' ? budget : 0
}
