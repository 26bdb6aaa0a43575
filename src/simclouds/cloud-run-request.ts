import { hash } from 'node:crypto'
import { z } from 'zod'
import type { Prompt, Turn } from './answer.ts'

/** A chat request that vLLM would take. */
export interface ChatRequest {
  readonly model: string
  readonly prompt: Prompt
  /** The whole prompt in the order of its messages, as a chat template would write it. */
  readonly template: string
  /** Who has another one shares nothing in the prefix cache. */
  readonly cacheSalt: string | undefined
  readonly stream: boolean
  readonly includeUsage: boolean
  readonly choices: number
  readonly maxTokens: number | undefined
  readonly stop: readonly string[]
  /** Whether `tool_choice` names one function: vLLM then finishes with `stop`. */
  readonly isToolForced: boolean
  /** Alternatives to each token; undefined: no log-probabilities. */
  readonly logprobs: number | undefined
}

/** Why a request is refused, in vLLM's words for the type. */
export class ChatProblem extends Error {
  readonly status: number
  readonly type: string
  readonly param: string | null

  constructor(status: number, type: string, message: string, param: string | null = null) {
    super(message)
    this.name = 'ChatProblem'
    this.status = status
    this.type = type
    this.param = param
  }
}

const textPart = z.looseObject({ type: z.literal('text'), text: z.string() })
const imagePart = z.looseObject({
  type: z.literal('image_url'),
  image_url: z.looseObject({ url: z.string().regex(/^(?:data:image\/[a-z]+;base64,|https?:)/) }),
})
const content = z.union([z.string(), z.array(z.discriminatedUnion('type', [textPart, imagePart]))])
const toolCall = z.looseObject({
  id: z.string(),
  type: z.literal('function'),
  function: z.looseObject({ name: z.string(), arguments: z.string() }),
})

const message = z.discriminatedUnion('role', [
  z.looseObject({ role: z.literal('system'), content }),
  z.looseObject({ role: z.literal('developer'), content }),
  z.looseObject({ role: z.literal('user'), content }),
  z.looseObject({
    role: z.literal('assistant'),
    content: content.nullish(),
    tool_calls: z.array(toolCall).nullish(),
  }),
  z.looseObject({ role: z.literal('tool'), content, tool_call_id: z.string() }),
])

const tool = z.looseObject({
  type: z.literal('function'),
  function: z.looseObject({
    name: z.string().min(1),
    description: z.string().nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
  }),
})

const toolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: z.string() }) }),
])

const responseFormat = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({ type: z.literal('json_object') }),
  z.looseObject({
    type: z.literal('json_schema'),
    json_schema: z.looseObject({ name: z.string(), schema: z.unknown() }),
  }),
])

const SALT_PROBLEM = "Parameter 'cache_salt' must be a non-empty string if provided."

/** Loose like vLLM's own: fields that it does not know are ignored. */
const schema = z.looseObject({
  model: z.string(),
  messages: z.array(message).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  n: z.int().min(1).max(8).nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  tools: z.array(tool).nullish(),
  tool_choice: toolChoice.nullish(),
  response_format: responseFormat.nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  cache_salt: z
    .string(SALT_PROBLEM)
    .min(1, SALT_PROBLEM)
    .max(1024, 'String should have at most 1024 characters')
    .nullish(),
})

type Body = z.infer<typeof schema>

/**
 * Reads the body of `/v1/chat/completions`.
 * @throws {ChatProblem} as vLLM would answer.
 */
export function readChatRequest(text: string, models: readonly string[]): ChatRequest {
  const body = readBody(text)
  if (!models.includes(body.model)) {
    throw new ChatProblem(404, 'NotFoundError', `the model \`${body.model}\` does not exist`, 'model')
  }
  const stream = body.stream ?? false
  if (body.stream_options !== undefined && body.stream_options !== null && !stream)
    throw bad('stream_options needs stream to be true', 'stream_options')
  checkTools(body)
  const stop = body.stop ?? []
  return {
    model: body.model,
    prompt: promptOf(body),
    template: templateOf(body),
    cacheSalt: body.cache_salt ?? undefined,
    stream,
    includeUsage: body.stream_options?.include_usage ?? false,
    choices: body.n ?? 1,
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
    stop: typeof stop === 'string' ? [stop] : stop,
    isToolForced: typeof body.tool_choice === 'object' && body.tool_choice !== null,
    logprobs: body.logprobs === true ? (body.top_logprobs ?? 0) : undefined,
  }
}

function readBody(text: string): Body {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw bad('the body is not JSON')
  }
  const read = schema.safeParse(value)
  if (read.success) return read.data
  const issue = read.error.issues[0]
  throw bad(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`, String(issue?.path[0] ?? '') || null)
}

function checkTools(body: Body): void {
  const tools = body.tools ?? []
  const choice = body.tool_choice ?? 'none'
  if (choice === 'none') return
  if (tools.length === 0) throw bad('tool_choice needs tools', 'tool_choice')
  if (typeof choice === 'object' && !tools.some((each) => each.function.name === choice.function.name)) {
    throw bad(`tool_choice names \`${choice.function.name}\`, which is not among the tools`, 'tool_choice')
  }
}

function promptOf(body: Body): Prompt {
  const choice = body.tool_choice ?? 'auto'
  const tools = (body.tools ?? []).map((each) => ({
    name: each.function.name,
    parameters: each.function.parameters ?? {},
  }))
  return {
    system: body.messages.filter(({ role }) => isSystem(role)).map((each) => textOf(each.content)),
    turns: body.messages.filter(({ role }) => !isSystem(role)).map(turnOf),
    tools,
    toolChoice: typeof choice === 'object' ? { name: choice.function.name } : choice,
    schema: schemaOf(body.response_format),
  }
}

/** A beginning that two requests share reads the same in both, and an answer reads as its turn does later. */
function templateOf({ messages, tools }: Body): string {
  const head = (tools ?? []).length === 0 ? '' : `<|tools|>${JSON.stringify(tools)}<|end|>`
  const turns = messages.map((each) => {
    const calls = each.role === 'assistant' && each.tool_calls ? JSON.stringify(each.tool_calls) : ''
    return `<|${each.role}|>${templateText(each.content)}${calls}<|end|>`
  })
  return `${head}${turns.join('')}<|assistant|>`
}

/** Two images are not the same because both are images. */
function templateText(value: z.infer<typeof content> | null | undefined): string {
  if (typeof value === 'string') return value
  return (value ?? [])
    .map((part) => (part.type === 'text' ? part.text : `[image ${hash('sha256', part.image_url.url)}]`))
    .join('')
}

function turnOf(each: Body['messages'][number]): Turn {
  const role = each.role === 'assistant' || each.role === 'tool' ? each.role : 'user'
  return { role, text: textOf(each.content) }
}

function schemaOf(format: Body['response_format']): unknown {
  if (format === undefined || format === null || format.type === 'text') return undefined
  if (format.type === 'json_schema') return format.json_schema.schema
  return { type: 'object', properties: { answer: { type: 'string' } } }
}

function textOf(value: z.infer<typeof content> | null | undefined): string {
  if (typeof value === 'string') return value
  // An image is so many patches to a model; this one tells that it saw one.
  return (value ?? []).map((part) => (part.type === 'text' ? part.text : '[image]')).join('')
}

function isSystem(role: string): boolean {
  return role === 'system' || role === 'developer'
}

function bad(message: string, param: string | null = null): ChatProblem {
  return new ChatProblem(400, 'BadRequestError', message, param)
}
