import type { Ask, CacheTtl, ImageSource, Message, Part, PartOf, ToolChoice } from '#contract/ask.ts'
import type { Screened } from '#contract/screened.ts'
import type { Target } from '#contract/target.ts'
import { type Feature, leftOut, unsupportedBy } from '#infer/carry.ts'
import { type ClaudeThinking, claudeDropped, claudeThinking, isClaudeProof, takesSampling } from '#infer/claude.ts'
import { ToolIds } from '#infer/tool-ids.ts'
import { OPENING, namesInHistory, reminder, splitSystem } from '#infer/turns.ts'
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
  const thinking = isClaude(target) ? claudeThinking(ask, target.model) : {}
  if (isClaude(target)) dropped.push(...claudeDropped(ask, thinking, target.model))
  const body = {
    ...converse,
    ...inferenceConfig(ask, isSampled(thinking, target)),
    ...outputConfig(ask),
    ...furtherFields(ask, target, thinking),
  }
  return request(target, ask.stream ? 'converse-stream' : 'converse', body, dropped)
}

/** Converse itself has neither seed, penalties nor log-probabilities; fields of Claude's own go beside it. */
function carriedBy(target: Target): ReadonlySet<Feature> {
  return isClaude(target) ? CARRIED_TO_CLAUDE : CARRIED
}

const CARRIED: ReadonlySet<Feature> = new Set<Feature>(['schema', 'cache'])
const CARRIED_TO_CLAUDE: ReadonlySet<Feature> = new Set<Feature>([...CARRIED, 'reasoning', 'topK'])

/** Profiles put a region before the vendor's name; an ARN may hide the model, then its alias has to say. */
function isClaude({ model }: Target): boolean {
  return model.includes('anthropic.') || model.includes('claude')
}

function conversation(ask: Ask, target: Target): object {
  const { system: lead, others } = splitSystem(ask.messages)
  const system = lead.flatMap(({ parts }) => textBlocks(parts))
  return {
    messages: turns(others, target),
    ...(system.length === 0 ? {} : { system }),
    ...toolConfig(ask),
  }
}

interface Turn {
  readonly role: 'user' | 'assistant'
  readonly content: object[]
}

/** Ids of calls that the service takes. */
const TOOL_ID = /^[a-zA-Z0-9_.:-]{1,64}$/

/** Roles have to alternate and begin with the user; results of one turn stand together, before the text. */
function turns(messages: readonly Message[], target: Target): Turn[] {
  const ids = new ToolIds(TOOL_ID)
  const merged: Turn[] = []
  for (const message of messages) {
    const role = message.role === 'assistant' ? 'assistant' : 'user'
    const content = blocks(message, target, ids)
    const last = merged.at(-1)
    if (last?.role === role) last.content.push(...content)
    else if (content.length > 0) merged.push({ role, content: [...content] })
  }
  if (merged.length === 0) throw unsupportedBy(target.name, 'messages', 'send at least one with text')
  if (merged[0]?.role === 'assistant') merged.unshift({ role: 'user', content: [{ text: OPENING }] })
  return merged.map((turn) => (turn.role === 'user' ? { ...turn, content: resultsFirst(turn.content) } : turn))
}

/** Results before everything else, each with the cache point behind it. */
function resultsFirst(content: readonly object[]): object[] {
  const groups: object[][] = []
  for (const block of content) {
    const last = groups.at(-1)
    if ('cachePoint' in block && last !== undefined) last.push(block)
    else groups.push([block])
  }
  const isResult = ([first]: readonly object[]) => first !== undefined && 'toolResult' in first
  return [...groups.filter(isResult), ...groups.filter((group) => !isResult(group))].flat()
}

/** Thoughts first, then text, then calls, as the service wants them; results stand before everything else. */
function blocks({ role, parts }: Message, target: Target, ids: ToolIds): object[] {
  if (role === 'system')
    return parts.flatMap((part) =>
      part.type === 'text' && part.text.trim() !== '' ? [{ text: reminder(part.text) }] : [],
    )
  return [
    ...parts.flatMap((part) => (part.type === 'reasoning' ? thought(part, target) : [])),
    ...parts.flatMap((part) =>
      part.type === 'tool-result' ? [toolResult(part, target, ids), ...cachePoint(part)] : [],
    ),
    ...parts.flatMap((part) => shown(part, target)),
    ...parts.flatMap((part) => (part.type === 'tool-call' ? [toolUse(part, ids), ...cachePoint(part)] : [])),
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

function thought(part: PartOf<'reasoning'>, target: Target): object[] {
  if (!isClaude(target) || !isClaudeProof(part)) return []
  const { text, signature, data } = part
  if (data !== '') return [{ reasoningContent: { redactedContent: data } }]
  return [{ reasoningContent: { reasoningText: { text, signature } } }]
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

function toolResult({ id, text, isError, images = [] }: PartOf<'tool-result'>, target: Target, ids: ToolIds): object {
  const content = [...(text === '' ? [] : [{ text }]), ...images.map((source) => imageBlock(source, target))]
  return { toolResult: { toolUseId: ids.forResult(id), content, status: isError ? 'error' : 'success' } }
}

/** `input` has to be an object; arguments that are none are carried as they are, under a name that says so. */
function toolUse({ id, name, arguments: text }: PartOf<'tool-call'>, ids: ToolIds): object {
  const input = text.trim() === '' ? {} : (asRecord(parseJson(text)) ?? { rawInvalidInput: text })
  return { toolUse: { toolUseId: ids.forCall(id), name, input } }
}

/** Claude takes neither temperature nor top_p while it thinks, and newer versions never do. */
function isSampled({ thinking }: ClaudeThinking, target: Target): boolean {
  return thinking === undefined && (!isClaude(target) || takesSampling(target.model))
}

function inferenceConfig({ sampling }: Ask, sampled: boolean): object {
  const { maxTokens, temperature, topP, stop } = sampling
  const config = {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    // OpenAI's range is 0 to 2, the service's 0 to 1.
    ...(temperature === undefined || !sampled ? {} : { temperature: Math.min(1, temperature) }),
    ...(topP === undefined || !sampled ? {} : { topP }),
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
function furtherFields({ sampling }: Ask, target: Target, thinking: ClaudeThinking): object {
  if (!isClaude(target)) return {}
  const fields = {
    ...(sampling.topK === undefined || !isSampled(thinking, target) ? {} : { top_k: sampling.topK }),
    ...thinking,
  }
  return {
    ...(Object.keys(fields).length === 0 ? {} : { additionalModelRequestFields: fields }),
    // Claude tells which stop sequence it met only when asked.
    ...(sampling.stop === undefined
      ? {}
      : { additionalModelResponseFieldPaths: ['/stop_sequence', '/delta/stop_sequence'] }),
  }
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
