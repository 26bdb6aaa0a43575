import type { Ask, CacheTtl, ImageSource, Message, Part, PartOf, ToolChoice } from '#contract/ask.ts'
import type { Screened } from '#contract/screened.ts'
import type { Target } from '#contract/target.ts'
import { type Feature, leftOut, unsupportedBy } from '#infer/carry.ts'
import { asRecord, parseJson } from '#kit/json.ts'
import type { EncodedRequest } from '#infer/provider.ts'
import { encodeEmbedding } from './embed.ts'
import { request } from './request.ts'

export function encode({ ask }: Screened, target: Target): EncodedRequest {
  if (ask.operation === 'embed') return encodeEmbedding(ask, target)
  const dropped = leftOut(ask, carriedBy(target), target.name)
  const converse = conversation(ask, target)
  if (ask.operation === 'count-tokens') {
    return request(target, 'count-tokens', { input: { converse } }, dropped)
  }
  const body = { ...converse, ...inferenceConfig(ask), ...outputConfig(ask), ...furtherFields(ask, target) }
  return request(target, ask.stream ? 'converse-stream' : 'converse', body, dropped)
}

/** Converse itself has neither seed, penalties nor log-probabilities; fields of Claude's own go beside it. */
function carriedBy(target: Target): ReadonlySet<Feature> {
  return new Set<Feature>(isClaude(target) ? ['schema', 'reasoning', 'topK', 'cache'] : ['schema', 'cache'])
}

/** Profiles put a region before the vendor's name; an ARN may hide the model, then its alias has to say. */
function isClaude({ model }: Target): boolean {
  return model.includes('anthropic.') || model.includes('claude')
}

function conversation(ask: Ask, target: Target): object {
  const lead = leadingSystem(ask.messages)
  const system = ask.messages.slice(0, lead).flatMap(({ parts }) => textBlocks(parts))
  return {
    messages: turns(ask.messages.slice(lead), target),
    ...(system.length === 0 ? {} : { system }),
    ...toolConfig(ask),
  }
}

/** Only the leading run becomes `system`: moving later ones to the front would change what caches can share. */
function leadingSystem(messages: readonly Message[]): number {
  const at = messages.findIndex(({ role }) => role !== 'system')
  return at === -1 ? messages.length : at
}

interface Turn {
  readonly role: 'user' | 'assistant'
  readonly content: object[]
}

/** Roles have to alternate and begin with the user; results of one turn stand together, before the text. */
function turns(messages: readonly Message[], target: Target): Turn[] {
  const merged: Turn[] = []
  for (const message of messages) {
    const role = message.role === 'assistant' ? 'assistant' : 'user'
    const content = blocks(message, target)
    const last = merged.at(-1)
    if (last?.role === role) last.content.push(...content)
    else if (content.length > 0) merged.push({ role, content: [...content] })
  }
  if (merged[0]?.role === 'assistant')
    merged.unshift({ role: 'user', content: [{ text: '(the conversation begins with the assistant)' }] })
  return merged
}

/** Thoughts first, then text, then calls, as the service wants them; results stand before everything else. */
function blocks({ role, parts }: Message, target: Target): object[] {
  if (role === 'system')
    return parts.flatMap((part) =>
      part.type === 'text' && part.text.trim() !== ''
        ? [{ text: `<system-reminder>\n${part.text}\n</system-reminder>` }]
        : [],
    )
  return [
    ...parts.flatMap((part) => (part.type === 'reasoning' ? thought(part, target) : [])),
    ...parts.flatMap((part) => (part.type === 'tool-result' ? [toolResult(part, target), ...cachePoint(part)] : [])),
    ...parts.flatMap((part) => shown(part, target)),
    ...parts.flatMap((part) => (part.type === 'tool-call' ? [toolUse(part), ...cachePoint(part)] : [])),
  ]
}

function shown(part: Part, target: Target): object[] {
  if (part.type === 'text') return textBlocks([part])
  return part.type === 'image' ? [imageBlock(part.source, target), ...cachePoint(part)] : []
}

/** Blank text is rejected by the service, so it is left out. */
function textBlocks(parts: readonly Part[]): object[] {
  return parts.flatMap((part) =>
    part.type === 'text' && part.text.trim() !== '' ? [{ text: part.text }, ...cachePoint(part)] : [],
  )
}

/** The prompt up to here is kept; five minutes is the service's own default. */
function cachePoint({ cache }: { readonly cache?: CacheTtl }): object[] {
  if (cache === undefined) return []
  return [{ cachePoint: { type: 'default', ...(cache === '5m' ? {} : { ttl: cache }) } }]
}

/** Only what Claude signed or sealed can be given back to it. */
function thought({ text, signature, data, family }: PartOf<'reasoning'>, target: Target): object[] {
  if (family !== 'anthropic' || !isClaude(target)) return []
  if (data !== '') return [{ reasoningContent: { redactedContent: data } }]
  return signature === '' ? [] : [{ reasoningContent: { reasoningText: { text, signature } } }]
}

const IMAGE_FORMATS: Readonly<Record<string, string>> = {
  'image/png': 'png',
  'image/jpeg': 'jpeg',
  'image/jpg': 'jpeg',
  'image/gif': 'gif',
  'image/webp': 'webp',
}

function imageBlock(source: ImageSource, target: Target): object {
  if (source.kind === 'url') throw unsupportedBy(target.name, 'image_url', 'send the image as a data: URL')
  const format = IMAGE_FORMATS[source.mediaType]
  if (format === undefined) throw unsupportedBy(target.name, 'image', 'send it as PNG, JPEG, GIF or WebP')
  return { image: { format, source: { bytes: source.base64 } } }
}

function toolResult({ id, text, isError, images = [] }: PartOf<'tool-result'>, target: Target): object {
  const content = [...(text === '' ? [] : [{ text }]), ...images.map((source) => imageBlock(source, target))]
  return { toolResult: { toolUseId: id, content, status: isError ? 'error' : 'success' } }
}

/** `input` has to be an object; arguments that are none are carried as they are, under a name that says so. */
function toolUse({ id, name, arguments: text }: PartOf<'tool-call'>): object {
  const input = text.trim() === '' ? {} : (asRecord(parseJson(text)) ?? { rawInvalidInput: text })
  return { toolUse: { toolUseId: id, name, input } }
}

function inferenceConfig({ sampling, reasoning }: Ask): object {
  const { maxTokens, temperature, topP, stop } = sampling
  // Claude takes neither while it thinks.
  const isThinking = reasoning !== undefined && reasoning.budget !== 0 && reasoning.effort !== 'none'
  const config = {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    // OpenAI's range is 0 to 2, the service's 0 to 1.
    ...(temperature === undefined || isThinking ? {} : { temperature: Math.min(1, temperature) }),
    ...(topP === undefined || isThinking ? {} : { topP }),
    ...(stop === undefined || stop.length === 0 ? {} : { stopSequences: stop.filter((sequence) => sequence !== '') }),
  }
  return Object.keys(config).length === 0 ? {} : { inferenceConfig: config }
}

/** The schema goes as JSON text. */
function outputConfig({ format }: Ask): object {
  if (format?.type !== 'schema') return {}
  const { name, schema, description } = format
  const jsonSchema = {
    schema: JSON.stringify(schema),
    name,
    ...(description === undefined ? {} : { description }),
  }
  return { outputConfig: { textFormat: { type: 'json_schema', structure: { jsonSchema } } } }
}

/** What Claude knows and Converse has no place for. */
function furtherFields(ask: Ask, target: Target): object {
  if (!isClaude(target)) return {}
  const { reasoning, sampling } = ask
  const fields = {
    ...(sampling.topK === undefined || reasoning !== undefined ? {} : { top_k: sampling.topK }),
    ...(reasoning === undefined ? {} : claudeThinking(ask)),
  }
  return {
    ...(Object.keys(fields).length === 0 ? {} : { additionalModelRequestFields: fields }),
    // Claude tells which stop sequence it met only when asked.
    ...(sampling.stop === undefined
      ? {}
      : { additionalModelResponseFieldPaths: ['/stop_sequence', '/delta/stop_sequence'] }),
  }
}

/** Tokens to think with for an effort, as Google documents them for its own compatible endpoint. */
const EFFORT_BUDGET: Readonly<Record<string, number>> = { minimal: 1024, low: 1024, medium: 8192, high: 24_576 }
/** The least that Claude thinks with. */
const MIN_BUDGET = 1024

/** `{thinking}` as Claude knows it. It may not think after a turn whose thoughts are not given back. */
export function claudeThinking({ reasoning, sampling, messages }: Ask): object {
  if (reasoning === undefined || reasoning.budget === 0 || reasoning.effort === 'none') return {}
  if (lacksThoughts(messages)) return {}
  if (reasoning.adaptive === true) {
    return {
      thinking: { type: 'adaptive' },
      ...(reasoning.effort === undefined ? {} : { output_config: { effort: reasoning.effort } }),
    }
  }
  const wanted = reasoning.budget ?? EFFORT_BUDGET[reasoning.effort ?? 'medium'] ?? 24_576
  // The budget has to be below the answer's own bound.
  const bound = sampling.maxTokens === undefined ? wanted : Math.min(wanted, sampling.maxTokens - 1)
  return bound < MIN_BUDGET ? {} : { thinking: { type: 'enabled', budget_tokens: bound } }
}

/** Whether the last assistant's turn called tools without signed thoughts before the calls. */
function lacksThoughts(messages: readonly Message[]): boolean {
  const last = messages.findLast(({ role }) => role === 'assistant')
  if (last === undefined || messages.at(-1)?.role === 'user') return false
  const calls = last.parts.some(({ type }) => type === 'tool-call')
  return calls && !last.parts.some((part) => part.type === 'reasoning' && part.family === 'anthropic')
}

function toolConfig({ tools, toolChoice, messages }: Ask): object {
  const specs = tools.flatMap((tool) => [
    {
      toolSpec: {
        name: tool.name,
        ...(tool.description === undefined || tool.description === '' ? {} : { description: tool.description }),
        inputSchema: { json: tool.parameters },
      },
    },
    ...cachePoint(tool),
  ])
  // There is no way to offer tools and forbid them: a caller who wants none called offers none.
  if (specs.length === 0 || toolChoice === 'none') {
    const named = namesInHistory(messages)
    // The service wants a toolConfig as soon as the history holds tool blocks.
    return named.length === 0
      ? {}
      : {
          toolConfig: {
            tools: named.map((name) => ({ toolSpec: { name, inputSchema: { json: { type: 'object' } } } })),
          },
        }
  }
  const choice = toolChoice === undefined ? undefined : encodeChoice(toolChoice)
  return { toolConfig: { tools: specs, ...(choice === undefined ? {} : { toolChoice: choice }) } }
}

function encodeChoice(choice: ToolChoice): object | undefined {
  if (choice === 'none') return undefined
  if (choice === 'auto') return { auto: {} }
  return choice === 'required' ? { any: {} } : { tool: { name: choice.name } }
}

function namesInHistory(messages: readonly Message[]): string[] {
  const names = new Set<string>()
  for (const { parts } of messages) for (const part of parts) if (part.type === 'tool-call') names.add(part.name)
  return [...names]
}
