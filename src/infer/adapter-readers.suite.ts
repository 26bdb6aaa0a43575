import { asList, asRecord, asText, parseJson } from '#kit/json.ts'

/** What a vendor reads in a request, in words that are the same for all: `text:hi`, `call:find {"a":1}`. */
export interface Read {
  readonly system: readonly string[]
  readonly turns: readonly { readonly role: 'user' | 'assistant'; readonly said: readonly string[] }[]
  /** Roles as they follow each other in the vendor's own list. */
  readonly roles: readonly string[]
  /** Names of the tools that are defined. */
  readonly tools: readonly string[]
  /** The schema of the answer. */
  readonly schema: unknown
}

type Fields = Readonly<Record<string, unknown>>
type Turns = { role: 'user' | 'assistant'; said: string[] }[]

const records = (value: unknown): Fields[] => asList(value).map((item) => asRecord(item) ?? {})
const at = (value: unknown, ...path: readonly string[]): unknown => {
  let here = value
  for (const step of path) here = asRecord(here)?.[step]
  return here
}
const json = (value: unknown): string => JSON.stringify(value) ?? ''

export function readOpenai(body: unknown): Read {
  const system: string[] = []
  const turns: Turns = []
  for (const message of records(at(body, 'messages'))) {
    const content = message['content']
    const said = typeof content === 'string' ? [`text:${content}`] : records(content).map(openaiPart)
    if (message['role'] === 'system') {
      system.push(...said.map((text) => text.slice('text:'.length)))
      continue
    }
    const calls = records(message['tool_calls']).map(
      (call) => `call:${asText(at(call, 'function', 'name'))} ${asText(at(call, 'function', 'arguments'))}`,
    )
    const isResult = message['role'] === 'tool'
    const all = isResult ? said.map((text) => text.replace(/^text:/, 'result:')) : [...said, ...calls]
    append(turns, message['role'] === 'assistant' ? 'assistant' : 'user', all)
  }
  return {
    system,
    turns,
    roles: rolesOf(at(body, 'messages')),
    tools: records(at(body, 'tools')).map((tool) => asText(at(tool, 'function', 'name')) ?? ''),
    schema: at(body, 'response_format', 'json_schema', 'schema'),
  }
}

function openaiPart(part: Fields): string {
  if (part['type'] === 'text') return `text:${asText(part['text'])}`
  return `image:${asText(at(part, 'image_url', 'url'))}`
}

export function readAnthropic(body: unknown): Read {
  const turns: Turns = []
  for (const message of records(at(body, 'messages')))
    append(
      turns,
      message['role'] === 'assistant' ? 'assistant' : 'user',
      records(message['content']).map(anthropicBlock),
    )
  return {
    system: records(at(body, 'system')).map((block) => asText(block['text']) ?? ''),
    turns,
    roles: rolesOf(at(body, 'messages')),
    tools: records(at(body, 'tools')).map((tool) => asText(tool['name']) ?? ''),
    schema: at(body, 'output_config', 'format', 'schema'),
  }
}

function anthropicBlock(block: Fields): string {
  switch (block['type']) {
    case 'text':
      return `text:${asText(block['text'])}`
    case 'image': {
      const url = asText(at(block, 'source', 'url'))
      return `image:${url ?? `data:${asText(at(block, 'source', 'media_type'))};base64,${asText(at(block, 'source', 'data'))}`}`
    }
    case 'thinking':
      return `thought:${asText(block['thinking'])} ${asText(block['signature'])}`
    case 'redacted_thinking':
      return `sealed:${asText(block['data'])}`
    case 'tool_use':
      return `call:${asText(block['name'])} ${json(block['input'])}`
    default:
      return `result:${records(block['content'])
        .map((one) => asText(one['text']))
        .join('')}`
  }
}

export function readBedrock(body: unknown): Read {
  const turns: Turns = []
  for (const message of records(at(body, 'messages')))
    append(turns, message['role'] === 'assistant' ? 'assistant' : 'user', records(message['content']).map(bedrockBlock))
  const schema = asText(at(body, 'outputConfig', 'textFormat', 'structure', 'jsonSchema', 'schema'))
  return {
    system: records(at(body, 'system')).map((block) => asText(block['text']) ?? ''),
    turns,
    roles: rolesOf(at(body, 'messages')),
    tools: records(at(body, 'toolConfig', 'tools')).map((tool) => asText(at(tool, 'toolSpec', 'name')) ?? ''),
    schema: schema === undefined ? undefined : parseJson(schema),
  }
}

function bedrockBlock(block: Fields): string {
  if (block['text'] !== undefined) return `text:${asText(block['text'])}`
  if (block['toolUse'] !== undefined)
    return `call:${asText(at(block, 'toolUse', 'name'))} ${json(at(block, 'toolUse', 'input'))}`
  if (block['toolResult'] !== undefined)
    return `result:${records(at(block, 'toolResult', 'content'))
      .map((one) => asText(one['text']))
      .join('')}`
  if (block['image'] !== undefined)
    return `image:data:image/${asText(at(block, 'image', 'format'))};base64,${asText(at(block, 'image', 'source', 'bytes'))}`
  const sealed = asText(at(block, 'reasoningContent', 'redactedContent'))
  if (sealed !== undefined) return `sealed:${sealed}`
  const thought = at(block, 'reasoningContent', 'reasoningText')
  return `thought:${asText(at(thought, 'text'))} ${asText(at(thought, 'signature'))}`
}

export function readGemini(body: unknown): Read {
  const turns: Turns = []
  for (const content of records(at(body, 'contents')))
    append(turns, content['role'] === 'model' ? 'assistant' : 'user', records(content['parts']).map(geminiPart))
  return {
    system: records(at(body, 'systemInstruction', 'parts')).map((part) => asText(part['text']) ?? ''),
    turns,
    roles: rolesOf(at(body, 'contents')).map((role) => (role === 'model' ? 'assistant' : role)),
    tools: records(at(body, 'tools')).flatMap((tool) =>
      records(tool['functionDeclarations']).map((one) => asText(one['name']) ?? ''),
    ),
    schema: at(body, 'generationConfig', 'responseJsonSchema'),
  }
}

function geminiPart(part: Fields): string {
  const call = asRecord(part['functionCall'])
  if (call !== undefined) return `call:${asText(call['name'])} ${json(call['args'])}`
  const response = at(part, 'functionResponse', 'response')
  if (response !== undefined) return `result:${asText(at(response, 'output')) ?? asText(at(response, 'error'))}`
  const data = asRecord(part['inlineData'])
  if (data !== undefined) return `image:data:${asText(data['mimeType'])};base64,${asText(data['data'])}`
  if (part['thought'] === true) return `thought:${asText(part['text'])} ${asText(part['thoughtSignature'])}`
  return `text:${asText(part['text'])}`
}

const rolesOf = (messages: unknown): string[] => records(messages).map(({ role }) => asText(role) ?? '')

/** Roles that follow themselves are one turn, however many messages the vendor makes of it. */
function append(turns: Turns, role: 'user' | 'assistant', said: readonly string[]): void {
  const last = turns.at(-1)
  if (last?.role === role) last.said.push(...said)
  else turns.push({ role, said: [...said] })
}
