import type { Ask, Message, OutputFormat, Part, ReasoningAsk, Role, Tool } from '#contract/ask.ts'
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
import { effortField, formatField, schemaField, toolChoiceField, toolsField } from '#wire/parameters.ts'
import { splitId } from '#wire/proofs.ts'
import { openThought } from './thought.ts'

const MAX_ITEMS = 4096

const KNOWN = new Set([
  'model',
  'input',
  'instructions',
  'stream',
  'stream_options',
  'store',
  'previous_response_id',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'max_output_tokens',
  'temperature',
  'top_p',
  'top_logprobs',
  'reasoning',
  'text',
  'include',
  'background',
  'truncation',
  'thinplane',
])
const KNOWN_PART = new Set(['type', 'text', 'refusal', 'image_url', 'detail', 'annotations', 'logprobs'])
const KNOWN_TOOL = new Set(['type', 'name', 'description', 'parameters', 'strict'])
const ROLES: Readonly<Record<string, Role>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
}
/** What clients ask to be told beside the answer, and is told where the target gives it. */
const INCLUDABLE = new Set(['message.output_text.logprobs', 'reasoning.encrypted_content'])

/** OpenAI's `POST /v1/responses`. */
export function decode(body: string): Ask {
  const request = parseBody(body)
  const own = thinplaneField(request['thinplane'])
  refuseForeign(request)
  const stream = optionalFlag(request['stream'], 'stream')
  const include = decodeInclude(request['include'])
  const logprobs = decodeLogprobs(request, include)
  const parallelTools = optionalFlagOrNone(request['parallel_tool_calls'], 'parallel_tool_calls')
  const previous = optionalText(request['previous_response_id'], 'previous_response_id')
  const reasoning = decodeReasoning(request['reasoning'])
  const format = decodeFormat(request['text'])
  return {
    dialect: 'openai-responses',
    alias: modelName(request['model']),
    stream,
    messages: [...decodeInstructions(request['instructions']), ...decodeInput(request['input'])],
    tools: toolsField(request['tools'], decodeTool),
    toolChoice: toolChoiceField(request['tool_choice'], nameOfChoice),
    ...(parallelTools === undefined ? {} : { parallelTools }),
    sampling: decodeSampling(request),
    ...(format === undefined ? {} : { format }),
    ...(reasoning === undefined ? {} : { reasoning }),
    ...(logprobs === undefined ? {} : { logprobs }),
    ...(previous === undefined ? {} : { previous }),
    store: optionalFlagOrNone(request['store'], 'store') ?? true,
    includeUsage: true,
    ground: own.ground,
    conversation: own.conversation,
    purpose: own.purpose,
    rest: restOf(request, KNOWN),
  }
}

/** What would run or be kept at OpenAI, out of this plane's sight. */
function refuseForeign(request: Fields): void {
  if (optionalFlag(request['background'], 'background'))
    throw unsupported('background', 'answers are not made in the background, leave `background` out')
  for (const field of ['conversation', 'prompt'] as const) {
    if (request[field] !== undefined && request[field] !== null)
      throw unsupported(field, `\`${field}\` is kept at OpenAI, send the text itself as \`input\``)
  }
  const truncation = optionalText(request['truncation'], 'truncation')
  if (truncation !== undefined && truncation !== 'disabled')
    throw unsupported('truncation', '`truncation` can only be `disabled`: nothing of a request is left out')
}

function decodeInclude(value: unknown): ReadonlySet<string> {
  if (value === undefined || value === null) return new Set()
  const wanted = list(value, 'include').map((item, at) => text(item, `include[${at}]`))
  const unknown = wanted.find((name) => !INCLUDABLE.has(name))
  if (unknown !== undefined)
    throw unsupported('include', `\`include\` knows ${[...INCLUDABLE].join(' and ')}, not \`${unknown.slice(0, 60)}\``)
  return new Set(wanted)
}

function decodeLogprobs(request: Fields, include: ReadonlySet<string>): number | undefined {
  const top = optionalNumber(request['top_logprobs'], 'top_logprobs', { min: 0, max: 20, whole: true })
  if (top !== undefined && top > 0) return top
  return include.has('message.output_text.logprobs') ? 0 : undefined
}

function decodeInstructions(value: unknown): Message[] {
  const given = optionalText(value, 'instructions')
  return given === undefined ? [] : [{ role: 'system', parts: [{ type: 'text', text: given }] }]
}

function decodeInput(value: unknown): Message[] {
  if (typeof value === 'string') return [{ role: 'user', parts: [{ type: 'text', text: text(value, 'input') }] }]
  if (!Array.isArray(value)) throw wrong('input', 'text or a list of items')
  if (value.length === 0) throw wrong('input', 'a list with at least one item')
  if (value.length > MAX_ITEMS) throw wrong('input', `a list of at most ${MAX_ITEMS} items, it has ${value.length}`)
  return joined(value.map((item: unknown, at) => decodeItem(fields(item, `input[${at}]`), `input[${at}]`)))
}

/** What the model thought, said and called in one turn comes in several items; inside Thinplane it is one message. */
function joined(messages: readonly Message[]): Message[] {
  const out: Message[] = []
  for (const message of messages) {
    const last = out.at(-1)
    const isSame =
      last !== undefined && last.role === message.role && (last.role === 'assistant' || last.role === 'tool')
    if (isSame) out[out.length - 1] = { ...last, parts: [...last.parts, ...message.parts] }
    else out.push(message)
  }
  return out
}

function decodeItem(item: Fields, path: string): Message {
  const type = item['type'] === undefined ? 'message' : text(item['type'], `${path}.type`)
  if (type === 'message') return decodeMessage(item, path)
  if (type === 'function_call') return { role: 'assistant', parts: [decodeCall(item, path)] }
  if (type === 'function_call_output') return { role: 'tool', parts: [decodeResult(item, path)] }
  if (type === 'reasoning') return { role: 'assistant', parts: decodeThought(item, path) }
  throw unsupported(
    path,
    `items of type \`${type.slice(0, 40)}\` are not carried: send message, function_call, function_call_output or reasoning`,
  )
}

function decodeMessage(item: Fields, path: string): Message {
  const named = text(item['role'], `${path}.role`)
  const role = Object.hasOwn(ROLES, named) ? ROLES[named] : undefined
  if (role === undefined) throw wrong(`${path}.role`, `one of ${Object.keys(ROLES).join(', ')}`)
  return { role, parts: decodeContent(item['content'], `${path}.content`) }
}

function decodeContent(content: unknown, path: string): Part[] {
  if (typeof content === 'string') return [{ type: 'text', text: text(content, path) }]
  return list(content, path).map((item, at) => decodePart(fields(item, `${path}[${at}]`), `${path}[${at}]`))
}

function decodePart(part: Fields, path: string): Part {
  const type = text(part['type'], `${path}.type`)
  const rest = restOf(part, KNOWN_PART)
  const unknown = rest === NONE ? {} : { rest }
  if (type === 'input_text' || type === 'output_text' || type === 'text')
    return { type: 'text', text: text(part['text'], `${path}.text`), ...unknown }
  if (type === 'refusal') return { type: 'text', text: text(part['refusal'], `${path}.refusal`) }
  if (type === 'input_image') {
    if (part['image_url'] === undefined || part['image_url'] === null)
      throw unsupported(`${path}.file_id`, 'files are kept at OpenAI, send the image itself as `image_url`')
    const detail = optionalText(part['detail'], `${path}.detail`)
    const source = imageFromUrl(part['image_url'], `${path}.image_url`)
    return { type: 'image', source, ...(detail === undefined ? {} : { detail }) }
  }
  if (type === 'input_file')
    throw unsupported(path, 'documents do not leave whole: send their text, or put them into a collection')
  throw unsupported(path, `content of type \`${type.slice(0, 40)}\` is not carried, send text or images`)
}

function decodeCall(item: Fields, path: string): Part {
  return {
    type: 'tool-call',
    ...splitId(text(item['call_id'], `${path}.call_id`)),
    name: text(item['name'], `${path}.name`),
    arguments: text(item['arguments'], `${path}.arguments`),
  }
}

function decodeResult(item: Fields, path: string): Part {
  const parts = decodeContent(item['output'], `${path}.output`)
  const images = parts.flatMap((part) => (part.type === 'image' ? [part.source] : []))
  return {
    type: 'tool-result',
    id: splitId(text(item['call_id'], `${path}.call_id`)).id,
    text: parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
    isError: false,
    ...(images.length === 0 ? {} : { images }),
  }
}

/** The summary is what was thought; the sealed part says what its vendor has to say to it. */
function decodeThought(item: Fields, path: string): Part[] {
  const summary =
    item['summary'] === undefined || item['summary'] === null ? [] : list(item['summary'], `${path}.summary`)
  const thought = summary.map((part, at) =>
    text(fields(part, `${path}.summary[${at}]`)['text'], `${path}.summary[${at}].text`),
  )
  const sealed = optionalText(item['encrypted_content'], `${path}.encrypted_content`)
  return [openThought(thought.join('\n'), sealed)]
}

function decodeTool(tool: Fields, path: string): Tool {
  const type = text(tool['type'], `${path}.type`)
  if (type !== 'function')
    throw unsupported(
      `${path}.type`,
      `\`${type.slice(0, 40)}\` runs at the vendor, where nothing of it can be screened: offer a function of your own`,
    )
  const strict = optionalFlagOrNone(tool['strict'], `${path}.strict`)
  const rest = restOf(tool, KNOWN_TOOL)
  const given = tool['parameters']
  return {
    name: text(tool['name'], `${path}.name`),
    description: optionalText(tool['description'], `${path}.description`),
    parameters: given === undefined || given === null ? { type: 'object' } : jsonSchema(given, `${path}.parameters`),
    ...(strict === undefined ? {} : { strict }),
    ...(rest === NONE ? {} : { rest }),
  }
}

function nameOfChoice(choice: Fields): string {
  if (choice['type'] !== 'function')
    throw unsupported('tool_choice.type', '`tool_choice` can name one function, or be auto, none or required')
  return text(choice['name'], 'tool_choice.name')
}

function decodeSampling(request: Fields): Ask['sampling'] {
  const maxTokens = optionalNumber(request['max_output_tokens'], 'max_output_tokens', {
    min: 1,
    max: 10_000_000,
    whole: true,
  })
  const temperature = optionalNumber(request['temperature'], 'temperature', { min: 0, max: 2 })
  const topP = optionalNumber(request['top_p'], 'top_p', { min: 0, max: 1 })
  return {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
  }
}

function decodeReasoning(value: unknown): ReasoningAsk | undefined {
  if (value === undefined || value === null) return undefined
  const effort = effortField(fields(value, 'reasoning')['effort'], 'reasoning.effort')
  return effort === undefined ? undefined : { effort }
}

function decodeFormat(value: unknown): OutputFormat | undefined {
  if (value === undefined || value === null) return undefined
  return formatField(fields(value, 'text')['format'], 'text.format', (format) => schemaField(format, 'text.format'))
}
