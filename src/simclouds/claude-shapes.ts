import { z } from 'zod'

const record = z.record(z.string(), z.unknown())
const toolName = z.string().regex(/^[a-zA-Z0-9_-]{1,128}$/)
const toolId = z.string().regex(/^[a-zA-Z0-9_-]+$/)
const cache = {
  cache_control: z.strictObject({ type: z.literal('ephemeral'), ttl: z.enum(['5m', '1h']).optional() }).optional(),
}

const text = z.strictObject({ type: z.literal('text'), text: z.string(), citations: z.unknown().optional(), ...cache })
const imageType = z.enum(['image/png', 'image/jpeg', 'image/gif', 'image/webp'])
const image = (takesUrls: boolean) =>
  z.strictObject({
    type: z.literal('image'),
    source: z.union([
      z.strictObject({ type: z.literal('base64'), media_type: imageType, data: z.base64().min(4) }),
      ...(takesUrls ? [z.strictObject({ type: z.literal('url'), url: z.url() })] : []),
    ]),
    ...cache,
  })

const blocks = (takesUrls: boolean) =>
  z.discriminatedUnion('type', [
    text,
    image(takesUrls),
    z.strictObject({ type: z.literal('thinking'), thinking: z.string(), signature: z.string() }),
    z.strictObject({ type: z.literal('redacted_thinking'), data: z.string() }),
    z.strictObject({ type: z.literal('tool_use'), id: toolId, name: toolName, input: record, ...cache }),
    z.strictObject({
      type: z.literal('tool_result'),
      tool_use_id: toolId,
      content: z.union([z.string(), z.array(z.union([text, image(takesUrls)]))]).optional(),
      is_error: z.boolean().optional(),
      ...cache,
    }),
  ])

const tool = z.strictObject({
  type: z.literal('custom').optional(),
  name: toolName,
  description: z.string().optional(),
  input_schema: z.looseObject({ type: z.literal('object') }),
  strict: z.boolean().optional(),
  ...cache,
})

const single = { disable_parallel_tool_use: z.boolean().optional() }
const toolChoice = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('auto'), ...single }),
  z.strictObject({ type: z.literal('any'), ...single }),
  z.strictObject({ type: z.literal('tool'), name: toolName, ...single }),
  z.strictObject({ type: z.literal('none') }),
])

const display = { display: z.enum(['summarized', 'omitted']).optional() }
const thinking = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('enabled'), budget_tokens: z.int().min(1024), ...display }),
  z.strictObject({ type: z.literal('adaptive'), ...display }),
  z.strictObject({ type: z.literal('disabled') }),
])

/** Fields that count_tokens takes too. */
const prompt = (takesUrls: boolean) => ({
  messages: z
    .array(
      z.strictObject({
        role: z.enum(['user', 'assistant']),
        content: z.union([z.string(), z.array(blocks(takesUrls))]),
      }),
    )
    .min(1),
  system: z.union([z.string(), z.array(text)]).optional(),
  tools: z.array(takesUrls ? tool.extend({ defer_loading: z.boolean().optional() }) : tool).optional(),
  tool_choice: toolChoice.optional(),
  thinking: thinking.optional(),
  output_config: z
    .strictObject({
      effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).optional(),
      format: z.strictObject({ type: z.literal('json_schema'), schema: record }).optional(),
    })
    .optional(),
})

const answer = {
  max_tokens: z.int().min(1),
  stream: z.boolean().optional(),
  temperature: z.number().min(0).max(1).optional(),
  top_p: z.number().min(0).max(1).optional(),
  top_k: z.int().min(0).optional(),
  stop_sequences: z.array(z.string().regex(/\S/, 'each stop sequence must contain non-whitespace')).optional(),
  metadata: z.strictObject({ user_id: z.string().max(256).nullish() }).optional(),
}

const own = { model: z.string().min(1) }
const vertex = { anthropic_version: z.literal('vertex-2023-10-16'), anthropic_beta: z.array(z.string()).optional() }

/** Strict: a field that the service does not know is refused. By who serves Claude and what is asked. */
export const CLAUDE_SHAPES = {
  own: {
    answer: z.strictObject({
      ...own,
      ...prompt(true),
      ...answer,
      service_tier: z.enum(['auto', 'standard_only']).optional(),
    }),
    count: z.strictObject({ ...own, ...prompt(true) }),
  },
  vertex: {
    answer: z.strictObject({ ...vertex, ...prompt(false), ...answer }),
    count: z.strictObject({ ...vertex, ...own, ...prompt(false) }),
  },
} as const

type Prompt = z.infer<(typeof CLAUDE_SHAPES)['own']['count']>

/** The body of a request, as far as a text model takes it; what only an answer needs is absent in a count. */
export type ClaudeBody = Omit<Prompt, 'model'> &
  Partial<Omit<z.infer<(typeof CLAUDE_SHAPES)['own']['answer']>, keyof Prompt>> & {
    readonly model?: string | undefined
    readonly anthropic_beta?: readonly string[] | undefined
  }

/** One message of it. */
export type ClaudeMessage = ClaudeBody['messages'][number]
/** One block of a message. */
export type ClaudeBlock = Exclude<ClaudeMessage['content'], string>[number]
