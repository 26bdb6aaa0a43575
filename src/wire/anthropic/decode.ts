import type { Ask, Message, Part, Tool, ToolChoice } from '#contract/ask.ts'
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

const MAX_MESSAGES = 4096

const KNOWN = new Set([
  'model',
  'messages',
  'system',
  'stream',
  'tools',
  'tool_choice',
  'max_tokens',
  'temperature',
  'top_p',
  'stop_sequences',
  'thinplane',
])
const KNOWN_TOOL = new Set(['name', 'description', 'input_schema', 'type'])

/** Anthropic's `POST /v1/messages`. */
export function decode(body: string): Ask {
  const request = parseBody(body)
  const own = thinplaneField(request['thinplane'])
  return {
    dialect: 'anthropic-messages',
    alias: modelName(request['model']),
    stream: optionalFlag(request['stream'], 'stream'),
    messages: [...decodeSystem(request['system']), ...decodeMessages(request['messages'])],
    tools:
      request['tools'] === undefined
        ? []
        : list(request['tools'], 'tools').map((tool, at) => decodeTool(fields(tool, `tools[${at}]`), `tools[${at}]`)),
    toolChoice: decodeChoice(request['tool_choice']),
    sampling: decodeSampling(request),
    includeUsage: true,
    ground: own.ground,
    conversation: own.conversation,
    purpose: own.purpose,
    rest: restOf(request, KNOWN),
  }
}

function decodeSystem(value: unknown): Message[] {
  if (value === undefined || value === null) return []
  const parts = decodeBlocks(value, 'system', 'system')
  return [{ role: 'system', parts }]
}

function decodeMessages(value: unknown): Message[] {
  const items = list(value, 'messages')
  if (items.length === 0) throw wrong('messages', 'a list with at least one message')
  if (items.length > MAX_MESSAGES)
    throw wrong('messages', `a list of at most ${MAX_MESSAGES} messages, it has ${items.length}`)
  return items.flatMap((item, at) => decodeMessage(fields(item, `messages[${at}]`), `messages[${at}]`))
}

/** Tool results stand inside user messages here; inside Thinplane they are messages of their own. */
function decodeMessage(message: Fields, path: string): Message[] {
  const role = text(message['role'], `${path}.role`)
  if (role !== 'user' && role !== 'assistant') throw wrong(`${path}.role`, 'user or assistant')
  const parts = decodeBlocks(message['content'], `${path}.content`, role)
  const results = parts.filter(({ type }) => type === 'tool-result')
  const others = parts.filter(({ type }) => type !== 'tool-result')
  const messages: Message[] = []
  if (results.length > 0) messages.push({ role: 'tool', parts: results })
  if (others.length > 0 || results.length === 0) messages.push({ role, parts: others })
  return messages
}

/** Where blocks stand: each kind is allowed in some places only. */
type BlockPlace = 'system' | 'user' | 'assistant' | 'result'

function decodeBlocks(content: unknown, path: string, place: BlockPlace): Part[] {
  if (typeof content === 'string') return [{ type: 'text', text: text(content, path) }]
  if (!Array.isArray(content)) throw wrong(path, 'text or a list of blocks')
  return content.flatMap((item: unknown, at) => decodeBlock(fields(item, `${path}[${at}]`), `${path}[${at}]`, place))
}

function decodeBlock(block: Fields, path: string, place: BlockPlace): Part[] {
  const type = text(block['type'], `${path}.type`)
  if (type === 'text') return [{ type: 'text', text: text(block['text'], `${path}.text`) }]
  // What a model thought in an earlier turn is for its own vendor to read, by a signature that others do not have.
  if ((type === 'thinking' || type === 'redacted_thinking') && place === 'assistant') return []
  if (type === 'tool_use' && place === 'assistant') return [decodeCall(block, path)]
  if (type === 'tool_result' && place === 'user') return [decodeResult(block, path)]
  if (type === 'tool_use' || type === 'tool_result') {
    throw wrong(path, `text: \`${type}\` belongs to ${type === 'tool_use' ? 'the assistant' : 'the user'}`)
  }
  throw unsupported(path, `content of type \`${type.slice(0, 40)}\` is not carried yet, send text`)
}

function decodeCall(block: Fields, path: string): Part {
  return {
    type: 'tool-call',
    id: text(block['id'], `${path}.id`),
    name: text(block['name'], `${path}.name`),
    arguments: JSON.stringify(fields(block['input'] ?? {}, `${path}.input`)),
  }
}

function decodeResult(block: Fields, path: string): Part {
  const parts = block['content'] === undefined ? [] : decodeBlocks(block['content'], `${path}.content`, 'result')
  return {
    type: 'tool-result',
    id: text(block['tool_use_id'], `${path}.tool_use_id`),
    text: parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
    isError: optionalFlag(block['is_error'], `${path}.is_error`),
  }
}

function decodeTool(tool: Fields, path: string): Tool {
  const rest = restOf(tool, KNOWN_TOOL)
  const type = optionalText(tool['type'], `${path}.type`)
  if (type !== undefined && type !== 'custom')
    throw unsupported(`${path}.type`, `tools of type \`${type.slice(0, 40)}\` are not carried yet`)
  const decoded = {
    name: text(tool['name'], `${path}.name`),
    description: optionalText(tool['description'], `${path}.description`),
    parameters: fields(tool['input_schema'], `${path}.input_schema`),
  }
  return rest === NONE ? decoded : { ...decoded, rest }
}

function decodeChoice(value: unknown): ToolChoice | undefined {
  if (value === undefined || value === null) return undefined
  const choice = fields(value, 'tool_choice')
  const type = text(choice['type'], 'tool_choice.type')
  if (type === 'auto' || type === 'none') return type
  if (type === 'any') return 'required'
  if (type === 'tool') return { name: text(choice['name'], 'tool_choice.name') }
  throw wrong('tool_choice.type', 'auto, any, tool or none')
}

function decodeSampling(request: Fields): Ask['sampling'] {
  const maxTokens = optionalNumber(request['max_tokens'], 'max_tokens', { min: 1, max: 10_000_000, whole: true })
  if (maxTokens === undefined) throw wrong('max_tokens', 'a whole number from 1, it is required')
  const temperature = optionalNumber(request['temperature'], 'temperature', { min: 0, max: 1 })
  const topP = optionalNumber(request['top_p'], 'top_p', { min: 0, max: 1 })
  const stops = request['stop_sequences']
  const stop =
    stops === undefined || stops === null
      ? undefined
      : list(stops, 'stop_sequences').map((item, at) => text(item, `stop_sequences[${at}]`))
  return {
    maxTokens,
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(stop === undefined ? {} : { stop }),
  }
}
