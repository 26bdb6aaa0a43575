import type { Ask, Message, Part, Tool, ToolChoice } from '#contract/ask.ts'
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
import type { Header } from '#wire/dialect.ts'
import { thinplaneField } from '#wire/ground-field.ts'
import { imageFromData, imageFromUrl } from '#wire/image.ts'
import { jsonSchema } from '#wire/json-schema.ts'
import { cacheField, effortField } from '#wire/parameters.ts'
import { splitId, splitProof } from '#wire/proofs.ts'

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
  'top_k',
  'stop_sequences',
  'thinking',
  'output_config',
  'thinplane',
])
const KNOWN_BLOCKS: Readonly<Record<string, ReadonlySet<string>>> = {
  text: new Set(['type', 'text', 'cache_control']),
  image: new Set(['type', 'source', 'cache_control']),
  document: new Set(['type', 'source', 'title', 'context', 'cache_control']),
  search_result: new Set(['type', 'source', 'title', 'content', 'cache_control']),
  tool_use: new Set(['type', 'id', 'name', 'input', 'cache_control']),
  tool_result: new Set(['type', 'tool_use_id', 'content', 'is_error', 'cache_control']),
}
const KNOWN_TOOL = new Set(['name', 'description', 'input_schema', 'type', 'strict', 'cache_control'])

/** Anthropic's `POST /v1/messages`. */
export function decode(body: string, header: Header = () => undefined): Ask {
  return decodeRequest(parseBody(body), header, true)
}

/** Anthropic's `POST /v1/messages/count_tokens`: the same request without a bound for the answer. */
export function decodeCount(body: string, header: Header = () => undefined): Ask {
  return { ...decodeRequest(parseBody(body), header, false), operation: 'count-tokens', stream: false }
}

/** `needsBound`: the answer's length has to be bounded by `max_tokens`. */
function decodeRequest(request: Fields, header: Header, needsBound: boolean): Ask {
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
    ...decodeParallel(request['tool_choice']),
    sampling: decodeSampling(request, needsBound),
    ...decodeThinking(request['thinking'], request['output_config']),
    ...decodeOutput(request['output_config']),
    betas: decodeBetas(header('anthropic-beta')),
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
  if ((type === 'thinking' || type === 'redacted_thinking') && place === 'assistant')
    return [decodeThought(block, type, path)]
  const content = decodeContent(block, type, path, place)
  if (content !== undefined) return [{ ...content, ...marksOf(block, type, path) }]
  if (type === 'tool_use' || type === 'tool_result') {
    throw wrong(path, `text: \`${type}\` belongs to ${type === 'tool_use' ? 'the assistant' : 'the user'}`)
  }
  throw unsupported(path, `content of type \`${type.slice(0, 40)}\` is not carried, send text or images`)
}

function decodeContent(block: Fields, type: string, path: string, place: BlockPlace): Part | undefined {
  if (type === 'text') return { type: 'text', text: text(block['text'], `${path}.text`) }
  if (type === 'document' && place !== 'assistant') return decodeDocument(block, path)
  if (type === 'search_result' && place !== 'assistant') return decodeSearchResult(block, path)
  if (type === 'image' && (place === 'user' || place === 'result')) return decodeImage(block, path)
  if (type === 'tool_use' && place === 'assistant') return decodeCall(block, path)
  return type === 'tool_result' && place === 'user' ? decodeResult(block, path) : undefined
}

/** A document that is text already is one more text of the prompt; files stay where they are. */
function decodeDocument(block: Fields, path: string): Part {
  const source = fields(block['source'], `${path}.source`)
  const type = text(source['type'], `${path}.source.type`)
  if (type !== 'text' && type !== 'content')
    throw unsupported(path, 'documents do not leave whole: send their text, or put them into a collection')
  const title = optionalText(block['title'], `${path}.title`)
  const context = optionalText(block['context'], `${path}.context`)
  const said =
    type === 'text' ? text(source['data'], `${path}.source.data`) : textsOf(source['content'], `${path}.source.content`)
  return { type: 'text', text: quoted('document', [title, context], said) }
}

function decodeSearchResult(block: Fields, path: string): Part {
  const title = optionalText(block['title'], `${path}.title`)
  const source = optionalText(block['source'], `${path}.source`)
  return { type: 'text', text: quoted('search_result', [title, source], textsOf(block['content'], `${path}.content`)) }
}

function textsOf(content: unknown, path: string): string {
  const parts = decodeBlocks(content, path, 'system')
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('\n')
}

/** Models tell what is quoted by the tags around it. */
function quoted(tag: string, heads: readonly (string | undefined)[], said: string): string {
  const head = heads.filter((each) => each !== undefined && each !== '')
  return `<${tag}>\n${[...head, said].join('\n')}\n</${tag}>`
}

function marksOf(block: Fields, type: string, path: string): Pick<Part, 'cache' | 'rest'> {
  const cache = cacheField(block['cache_control'], `${path}.cache_control`)
  const rest = restOf(block, KNOWN_BLOCKS[type] ?? new Set())
  return { ...(cache === undefined ? {} : { cache }), ...(rest === NONE ? {} : { rest }) }
}

/** What a model thought in an earlier turn is for its own vendor to read, by a proof that others do not have. */
function decodeThought(block: Fields, type: 'thinking' | 'redacted_thinking', path: string): Part {
  if (type === 'redacted_thinking') {
    const { proof, family } = splitProof(text(block['data'], `${path}.data`))
    return { type: 'reasoning', text: '', signature: '', data: proof, family }
  }
  const { proof, family } = splitProof(optionalText(block['signature'], `${path}.signature`) ?? '')
  return {
    type: 'reasoning',
    text: text(block['thinking'], `${path}.thinking`),
    signature: proof,
    data: '',
    family: proof === '' ? '' : family,
  }
}

function decodeImage(block: Fields, path: string): Part {
  const source = fields(block['source'], `${path}.source`)
  const type = text(source['type'], `${path}.source.type`)
  if (type === 'url') return { type: 'image', source: imageFromUrl(source['url'], `${path}.source.url`) }
  if (type !== 'base64') throw unsupported(`${path}.source.type`, 'send the image as `base64` or by `url`')
  const mediaType = text(source['media_type'], `${path}.source.media_type`)
  return {
    type: 'image',
    source: imageFromData(mediaType, text(source['data'], `${path}.source.data`), `${path}.source.data`),
  }
}

function decodeCall(block: Fields, path: string): Part {
  return {
    type: 'tool-call',
    ...splitId(text(block['id'], `${path}.id`)),
    name: text(block['name'], `${path}.name`),
    arguments: JSON.stringify(fields(block['input'] ?? {}, `${path}.input`)),
  }
}

function decodeResult(block: Fields, path: string): Part {
  const parts = block['content'] === undefined ? [] : decodeBlocks(block['content'], `${path}.content`, 'result')
  const images = parts.flatMap((part) => (part.type === 'image' ? [part.source] : []))
  return {
    type: 'tool-result',
    id: splitId(text(block['tool_use_id'], `${path}.tool_use_id`)).id,
    text: parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
    isError: optionalFlag(block['is_error'], `${path}.is_error`),
    ...(images.length === 0 ? {} : { images }),
  }
}

function decodeTool(tool: Fields, path: string): Tool {
  const rest = restOf(tool, KNOWN_TOOL)
  const type = optionalText(tool['type'], `${path}.type`)
  if (type !== undefined && type !== 'custom')
    throw unsupported(
      `${path}.type`,
      `\`${type.slice(0, 40)}\` runs at the vendor, where nothing of it can be screened: offer a tool of your own`,
    )
  const decoded = {
    name: text(tool['name'], `${path}.name`),
    description: optionalText(tool['description'], `${path}.description`),
    parameters: jsonSchema(tool['input_schema'], `${path}.input_schema`),
  }
  const strict = optionalFlagOrNone(tool['strict'], `${path}.strict`)
  const cache = cacheField(tool['cache_control'], `${path}.cache_control`)
  return {
    ...decoded,
    ...(strict === undefined ? {} : { strict }),
    ...(cache === undefined ? {} : { cache }),
    ...(rest === NONE ? {} : { rest }),
  }
}

function decodeParallel(choice: unknown): Pick<Ask, 'parallelTools'> {
  if (choice === undefined || choice === null) return {}
  const forbids = optionalFlagOrNone(
    fields(choice, 'tool_choice')['disable_parallel_tool_use'],
    'tool_choice.disable_parallel_tool_use',
  )
  return forbids === undefined ? {} : { parallelTools: !forbids }
}

function decodeThinking(value: unknown, output: unknown): Pick<Ask, 'reasoning'> {
  const effort = isGiven(output)
    ? effortField(fields(output, 'output_config')['effort'], 'output_config.effort')
    : undefined
  const chosen = effort === undefined ? {} : { effort }
  if (!isGiven(value)) return effort === undefined ? {} : { reasoning: chosen }
  const thinking = fields(value, 'thinking')
  const type = text(thinking['type'], 'thinking.type')
  const hidden = thinking['display'] === 'omitted' ? { hidden: true } : {}
  if (type === 'disabled') return { reasoning: { budget: 0 } }
  if (type === 'adaptive') return { reasoning: { ...chosen, ...hidden, adaptive: true } }
  if (type !== 'enabled') throw wrong('thinking.type', 'enabled, disabled or adaptive')
  const budget = optionalNumber(thinking['budget_tokens'], 'thinking.budget_tokens', {
    min: 1024,
    max: 10_000_000,
    whole: true,
  })
  if (budget === undefined) throw wrong('thinking.budget_tokens', 'a whole number from 1024')
  return { reasoning: { ...chosen, ...hidden, budget } }
}

function decodeOutput(value: unknown): Pick<Ask, 'format'> {
  if (!isGiven(value)) return {}
  const format = fields(value, 'output_config')['format']
  if (!isGiven(format)) return {}
  const given = fields(format, 'output_config.format')
  if (given['type'] !== 'json_schema') throw wrong('output_config.format.type', '`json_schema`')
  const schema = jsonSchema(given['schema'], 'output_config.format.schema')
  return { format: { type: 'schema', name: 'answer', schema, strict: true } }
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

const MAX_BETAS = 64

/** Flags as Anthropic's clients send them, separated by commas. */
function decodeBetas(header: string | undefined): readonly string[] {
  if (header === undefined) return []
  const flags = header.split(',').map((flag) => flag.trim())
  return flags.filter((flag) => /^[a-z0-9][a-z0-9.-]{0,63}$/.test(flag)).slice(0, MAX_BETAS)
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

function decodeSampling(request: Fields, needsBound: boolean): Ask['sampling'] {
  const maxTokens = optionalNumber(request['max_tokens'], 'max_tokens', { min: 1, max: 10_000_000, whole: true })
  if (maxTokens === undefined && needsBound) throw wrong('max_tokens', 'a whole number from 1, it is required')
  const temperature = optionalNumber(request['temperature'], 'temperature', { min: 0, max: 1 })
  const topP = optionalNumber(request['top_p'], 'top_p', { min: 0, max: 1 })
  const topK = optionalNumber(request['top_k'], 'top_k', { min: 0, max: 1_000_000, whole: true })
  const stops = request['stop_sequences']
  const stop =
    stops === undefined || stops === null
      ? undefined
      : list(stops, 'stop_sequences').map((item, at) => text(item, `stop_sequences[${at}]`))
  return {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(topK === undefined ? {} : { topK }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(stop === undefined ? {} : { stop }),
  }
}
