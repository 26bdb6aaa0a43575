import type { Ask, Message, Part, Role, Tool, ToolChoice } from '#contract/ask.ts'
import {
  type Fields,
  NONE,
  fields,
  list,
  modelName,
  optionalFlag,
  optionalNumber,
  optionalText,
  parseBody,
  restOf,
  text,
  unsupported,
  wrong,
} from '#wire/fields.ts'
import { thinplaneField } from '#wire/ground-field.ts'

/** Messages that one request may carry. */
const MAX_MESSAGES = 4096
const MAX_TOOLS = 512

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
  'thinplane',
])
const KNOWN_MESSAGE = new Set(['role', 'content', 'tool_calls', 'tool_call_id'])
const KNOWN_TOOL = new Set(['name', 'description', 'parameters'])
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
  if (request['n'] !== undefined && request['n'] !== null && request['n'] !== 1)
    throw unsupported('n', '`n` other than 1 is not carried yet, send the request again instead')
  return {
    dialect: 'openai-chat',
    alias: modelName(request['model']),
    stream: optionalFlag(request['stream'], 'stream'),
    messages: decodeMessages(request['messages']),
    tools: decodeTools(request['tools']),
    toolChoice: decodeChoice(request['tool_choice']),
    sampling: decodeSampling(request),
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
  const parts = decodeContent(message['content'], `${path}.content`)
  if (message['tool_calls'] === undefined || message['tool_calls'] === null) {
    if (message['content'] === undefined || message['content'] === null) {
      if (role === 'assistant') return [{ type: 'text', text: '' }]
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
    const part = fields(item, `${path}[${at}]`)
    const type = text(part['type'], `${path}[${at}].type`)
    if (type !== 'text')
      throw unsupported(`${path}[${at}]`, `content of type \`${type.slice(0, 40)}\` is not carried yet, send text`)
    return { type: 'text', text: text(part['text'], `${path}[${at}].text`) }
  })
}

function decodeCall(call: Fields, path: string): Part {
  const called = fields(call['function'], `${path}.function`)
  return {
    type: 'tool-call',
    id: text(call['id'], `${path}.id`),
    name: text(called['name'], `${path}.function.name`),
    arguments: text(called['arguments'], `${path}.function.arguments`),
  }
}

function decodeResult(message: Fields, path: string): Part {
  const parts = decodeContent(message['content'], `${path}.content`)
  return {
    type: 'tool-result',
    id: text(message['tool_call_id'], `${path}.tool_call_id`),
    text: parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
    isError: false,
  }
}

function decodeTools(value: unknown): Tool[] {
  if (value === undefined || value === null) return []
  const items = list(value, 'tools')
  if (items.length > MAX_TOOLS) throw wrong('tools', `a list of at most ${MAX_TOOLS} tools, it has ${items.length}`)
  return items.map((item, at) => decodeTool(fields(item, `tools[${at}]`), `tools[${at}]`))
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
        : fields(called['parameters'], `${path}.function.parameters`),
  }
  return rest === NONE ? decoded : { ...decoded, rest }
}

function decodeChoice(value: unknown): ToolChoice | undefined {
  if (value === undefined || value === null) return undefined
  if (value === 'auto' || value === 'none' || value === 'required') return value
  if (typeof value === 'string') throw wrong('tool_choice', 'auto, none, required or an object that names a function')
  return {
    name: text(
      fields(fields(value, 'tool_choice')['function'], 'tool_choice.function')['name'],
      'tool_choice.function.name',
    ),
  }
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
  return {
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
