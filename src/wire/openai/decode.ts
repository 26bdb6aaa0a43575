import type { Ask, Message, OutputFormat, Part, Role, Tool } from '#contract/ask.ts'
import { asRecord, asText } from '#kit/json.ts'
import {
  type Fields,
  NONE,
  fields,
  list,
  modelName,
  optionalFlag,
  optionalFlagOrNone,
  optionalNumber,
  optionalText,
  parseBody,
  restOf,
  text,
  unsupported,
  wrong,
} from '#wire/fields.ts'
import { thinplaneField } from '#wire/ground-field.ts'
import { imageFromUrl } from '#wire/image.ts'
import { jsonSchema } from '#wire/json-schema.ts'
import { cacheField, effortField, formatField, schemaField, toolChoiceField, toolsField } from '#wire/parameters.ts'
import { splitId } from '#wire/proofs.ts'

/** Messages that one request may carry. */
const MAX_MESSAGES = 4096
/** OpenAI's own bound of `n`. */
const MAX_CHOICES = 128

const KNOWN = new Set([
  'model',
  'messages',
  'stream',
  'stream_options',
  'tools',
  'tool_choice',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'stop',
  'seed',
  'n',
  'top_k',
  'frequency_penalty',
  'presence_penalty',
  'logprobs',
  'top_logprobs',
  'response_format',
  'reasoning_effort',
  'parallel_tool_calls',
  'thinplane',
])
const KNOWN_MESSAGE = new Set(['role', 'content', 'tool_calls', 'tool_call_id', 'reasoning_details'])
const KNOWN_PART = new Set(['type', 'text', 'image_url', 'cache_control'])
const KNOWN_TOOL = new Set(['name', 'description', 'parameters', 'strict'])
const ROLES: Readonly<Record<string, Role>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
  tool: 'tool',
}

/** OpenAI's `POST /v1/chat/completions`. */
export function decode(body: string): Ask {
  const request = parseBody(body)
  const own = thinplaneField(request['thinplane'])
  const format = formatField(request['response_format'], 'response_format', schemaOf)
  const effort = effortField(request['reasoning_effort'], 'reasoning_effort')
  const logprobs = decodeLogprobs(request)
  const parallelTools = optionalFlagOrNone(request['parallel_tool_calls'], 'parallel_tool_calls')
  return {
    dialect: 'openai-chat',
    alias: modelName(request['model']),
    stream: optionalFlag(request['stream'], 'stream'),
    messages: decodeMessages(request['messages']),
    tools: toolsField(request['tools'], decodeTool),
    toolChoice: toolChoiceField(request['tool_choice'], nameOfChoice),
    ...(parallelTools === undefined ? {} : { parallelTools }),
    sampling: decodeSampling(request),
    ...(format === undefined ? {} : { format }),
    ...(effort === undefined ? {} : { reasoning: { effort } }),
    ...(logprobs === undefined ? {} : { logprobs }),
    includeUsage: decodeIncludeUsage(request['stream_options']),
    ground: own.ground,
    conversation: own.conversation,
    purpose: own.purpose,
    rest: restOf(request, KNOWN),
  }
}

function decodeMessages(value: unknown): Message[] {
  const items = list(value, 'messages')
  if (items.length === 0) throw wrong('messages', 'a list with at least one message')
  if (items.length > MAX_MESSAGES)
    throw wrong('messages', `a list of at most ${MAX_MESSAGES} messages, it has ${items.length}`)
  return items.map((item, at) => decodeMessage(fields(item, `messages[${at}]`), `messages[${at}]`))
}

function decodeMessage(message: Fields, path: string): Message {
  const named = text(message['role'], `${path}.role`)
  const role = Object.hasOwn(ROLES, named) ? ROLES[named] : undefined
  if (role === undefined) throw wrong(`${path}.role`, `one of ${Object.keys(ROLES).join(', ')}`)
  const rest = restOf(message, KNOWN_MESSAGE)
  const parts = role === 'tool' ? [decodeResult(message, path)] : decodeParts(message, role, path)
  return rest === NONE ? { role, parts } : { role, parts, rest }
}

function decodeParts(message: Fields, role: Role, path: string): Part[] {
  const thoughts = role === 'assistant' ? decodeThoughts(message['reasoning_details'], `${path}.reasoning_details`) : []
  const parts = [...thoughts, ...decodeContent(message['content'], `${path}.content`)]
  if (message['tool_calls'] === undefined || message['tool_calls'] === null) {
    if (message['content'] === undefined || message['content'] === null) {
      if (role === 'assistant') return [...parts, { type: 'text', text: '' }]
      throw wrong(`${path}.content`, 'text or a list of parts')
    }
    return parts
  }
  if (role !== 'assistant') throw wrong(`${path}.tool_calls`, 'absent: only the assistant calls tools')
  const calls = list(message['tool_calls'], `${path}.tool_calls`)
  return [
    ...parts,
    ...calls.map((call, at) => decodeCall(fields(call, `${path}.tool_calls[${at}]`), `${path}.tool_calls[${at}]`)),
  ]
}

function decodeContent(content: unknown, path: string): Part[] {
  if (typeof content === 'string') return [{ type: 'text', text: text(content, path) }]
  if (content === undefined || content === null) return []
  if (!Array.isArray(content)) throw wrong(path, 'text or a list of parts')
  return content.map((item: unknown, at) => {
    return decodePart(fields(item, `${path}[${at}]`), `${path}[${at}]`)
  })
}

function decodePart(part: Fields, path: string): Part {
  const type = text(part['type'], `${path}.type`)
  const cache = cacheField(part['cache_control'], `${path}.cache_control`)
  const rest = restOf(part, KNOWN_PART)
  const marks = { ...(cache === undefined ? {} : { cache }), ...(rest === NONE ? {} : { rest }) }
  if (type === 'text') return { type: 'text', text: text(part['text'], `${path}.text`), ...marks }
  if (type === 'refusal') return { type: 'text', text: text(part['refusal'], `${path}.refusal`) }
  if (type === 'image_url') {
    const image = fields(part['image_url'], `${path}.image_url`)
    const detail = optionalText(image['detail'], `${path}.image_url.detail`)
    const source = imageFromUrl(image['url'], `${path}.image_url.url`)
    return { type: 'image', source, ...(detail === undefined ? {} : { detail }), ...marks }
  }
  if (type === 'file')
    throw unsupported(path, 'documents do not leave whole: send their text, or put them into a collection')
  throw unsupported(path, `content of type \`${type.slice(0, 40)}\` is not carried, send text or images`)
}

/** What the model thought in this turn, as an earlier answer gave it out. */
function decodeThoughts(value: unknown, path: string): Part[] {
  if (value === undefined || value === null) return []
  return list(value, path).flatMap((item, at): Part[] => {
    const detail = fields(item, `${path}[${at}]`)
    const named = optionalText(detail['format'], `${path}[${at}].format`) ?? ''
    const family = named === 'anthropic' || named === 'gemini' ? named : ''
    const thought = optionalText(detail['text'], `${path}[${at}].text`) ?? ''
    const signature = optionalText(detail['signature'], `${path}[${at}].signature`) ?? ''
    const data = optionalText(detail['data'], `${path}[${at}].data`) ?? ''
    return [{ type: 'reasoning', text: thought, signature, data, family }]
  })
}

function decodeCall(call: Fields, path: string): Part {
  const called = fields(call['function'], `${path}.function`)
  return {
    type: 'tool-call',
    ...splitId(text(call['id'], `${path}.id`)),
    ...googleProof(call['extra_content']),
    name: text(called['name'], `${path}.function.name`),
    arguments: text(called['arguments'], `${path}.function.arguments`),
  }
}

/** Where Google's own compatible endpoint puts the proof of a call. */
function googleProof(extra: unknown): { readonly signature?: string } {
  const signature = asText(asRecord(asRecord(extra)?.['google'])?.['thought_signature'])
  return signature === undefined ? {} : { signature }
}

function decodeResult(message: Fields, path: string): Part {
  const parts = decodeContent(message['content'], `${path}.content`)
  const images = parts.flatMap((part) => (part.type === 'image' ? [part.source] : []))
  return {
    type: 'tool-result',
    id: splitId(text(message['tool_call_id'], `${path}.tool_call_id`)).id,
    text: parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
    isError: false,
    ...(images.length === 0 ? {} : { images }),
  }
}

function decodeTool(tool: Fields, path: string): Tool {
  if (tool['type'] !== 'function') throw unsupported(`${path}.type`, `\`${path}.type\` must be \`function\``)
  const called = fields(tool['function'], `${path}.function`)
  const rest = restOf(called, KNOWN_TOOL)
  const decoded = {
    name: text(called['name'], `${path}.function.name`),
    description: optionalText(called['description'], `${path}.function.description`),
    parameters:
      called['parameters'] === undefined
        ? { type: 'object' }
        : jsonSchema(called['parameters'], `${path}.function.parameters`),
  }
  const strict = optionalFlagOrNone(called['strict'], `${path}.function.strict`)
  const cache = cacheField(tool['cache_control'], `${path}.cache_control`)
  return {
    ...decoded,
    ...(strict === undefined ? {} : { strict }),
    ...(cache === undefined ? {} : { cache }),
    ...(rest === NONE ? {} : { rest }),
  }
}

function schemaOf(format: Fields): OutputFormat {
  return schemaField(fields(format['json_schema'], 'response_format.json_schema'), 'response_format.json_schema')
}

function decodeLogprobs(request: Fields): number | undefined {
  const top = optionalNumber(request['top_logprobs'], 'top_logprobs', { min: 0, max: 20, whole: true })
  if (!optionalFlag(request['logprobs'], 'logprobs')) {
    if (top !== undefined && top > 0) throw wrong('logprobs', 'true where `top_logprobs` is given')
    return undefined
  }
  return top ?? 0
}

function nameOfChoice(choice: Fields): string {
  return text(fields(choice['function'], 'tool_choice.function')['name'], 'tool_choice.function.name')
}

function decodeSampling(request: Fields): Ask['sampling'] {
  const limit = { min: 1, max: 10_000_000, whole: true }
  const maxTokens =
    optionalNumber(request['max_completion_tokens'], 'max_completion_tokens', limit) ??
    optionalNumber(request['max_tokens'], 'max_tokens', limit)
  const temperature = optionalNumber(request['temperature'], 'temperature', { min: 0, max: 2 })
  const topP = optionalNumber(request['top_p'], 'top_p', { min: 0, max: 1 })
  const seed = optionalNumber(request['seed'], 'seed', {
    min: Number.MIN_SAFE_INTEGER,
    max: Number.MAX_SAFE_INTEGER,
    whole: true,
  })
  const stop = decodeStop(request['stop'])
  const topK = optionalNumber(request['top_k'], 'top_k', { min: -1, max: 1_000_000, whole: true })
  const frequencyPenalty = optionalNumber(request['frequency_penalty'], 'frequency_penalty', { min: -2, max: 2 })
  const presencePenalty = optionalNumber(request['presence_penalty'], 'presence_penalty', { min: -2, max: 2 })
  const n = optionalNumber(request['n'], 'n', { min: 1, max: MAX_CHOICES, whole: true })
  return {
    ...(topK === undefined ? {} : { topK }),
    ...(frequencyPenalty === undefined ? {} : { frequencyPenalty }),
    ...(presencePenalty === undefined ? {} : { presencePenalty }),
    ...(n === undefined ? {} : { n }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(seed === undefined ? {} : { seed }),
    ...(stop === undefined ? {} : { stop }),
  }
}

function decodeStop(value: unknown): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return [value]
  const items = list(value, 'stop').map((item, at) => text(item, `stop[${at}]`))
  if (items.length > 16) throw wrong('stop', 'text or a list of at most 16 texts')
  return items
}

function decodeIncludeUsage(value: unknown): boolean {
  if (value === undefined || value === null) return false
  return optionalFlag(fields(value, 'stream_options')['include_usage'], 'stream_options.include_usage')
}
