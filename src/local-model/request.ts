import { z } from 'zod'
import { parseJson } from '#kit/json.ts'
import type { ChatTurn, GenerateRequest } from './engine.ts'

/** A request that this server can not do; the message says what to change. */
export class BadRequest extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'BadRequest'
  }
}

/** What was asked for, and how it is to be answered. */
export interface ChatRequest {
  readonly generate: GenerateRequest
  readonly stream: boolean
  /** Whether a usage block ends the stream. */
  readonly includeUsage: boolean
}

const Content = z.union([z.string(), z.array(z.object({ type: z.literal('text'), text: z.string() }))])

const Body = z.object({
  model: z.string(),
  messages: z.array(z.object({ role: z.enum(['system', 'developer', 'user', 'assistant']), content: Content })).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
  max_tokens: z.number().int().min(1).nullish(),
  max_completion_tokens: z.number().int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  seed: z.number().int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(8)]).nullish(),
  n: z.literal(1).nullish(),
  tools: z.array(z.unknown()).max(0, 'this model can not call tools').nullish(),
})

/** OpenAI's own default is 1; a model this small wanders off at that. */
const DEFAULT_TEMPERATURE = 0.2

/** Reads a chat completion request. @throws {BadRequest} */
export function readChatRequest(text: string): ChatRequest {
  const read = Body.safeParse(parseJson(text))
  if (!read.success) throw new BadRequest(problemOf(read.error))
  const { data } = read
  return {
    stream: data.stream === true,
    includeUsage: data.stream_options?.include_usage === true,
    generate: {
      turns: data.messages.map(({ role, content }): ChatTurn => ({
        role: role === 'developer' ? 'system' : role,
        text: textOf(content),
      })),
      maxTokens: data.max_completion_tokens ?? data.max_tokens ?? undefined,
      temperature: data.temperature ?? DEFAULT_TEMPERATURE,
      topP: data.top_p ?? undefined,
      seed: data.seed ?? undefined,
      stop: typeof data.stop === 'string' ? [data.stop] : (data.stop ?? []),
    },
  }
}

function textOf(content: z.infer<typeof Content>): string {
  return typeof content === 'string' ? content : content.map(({ text }) => text).join('\n')
}

function problemOf(error: z.ZodError): string {
  const [issue] = error.issues
  if (issue === undefined) return 'the body can not be read'
  const path = issue.path.map(String).join('.')
  return path === '' ? 'the body is not a chat completion request in JSON' : `\`${path}\`: ${issue.message}`
}
