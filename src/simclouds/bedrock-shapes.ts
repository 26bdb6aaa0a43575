import { z } from 'zod'

const document = z.record(z.string(), z.unknown())
const toolName = z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/)
const toolUseId = z.string().regex(/^[a-zA-Z0-9_.:-]{1,64}$/)
const cachePoint = z.strictObject({ type: z.literal('default'), ttl: z.enum(['5m', '1h']).optional() })

const toolUse = z.strictObject({ toolUseId, name: toolName, input: document })
const toolResult = z.strictObject({
  toolUseId,
  content: z.array(one({ text: z.string().optional(), json: document.optional() })),
  status: z.enum(['success', 'error']).optional(),
})
const reasoningContent = one({
  reasoningText: z.strictObject({ text: z.string(), signature: z.string().optional() }).optional(),
  redactedContent: z.string().optional(),
})

/** The simulated models read text only: an image or a document is refused as a text model refuses it. */
const contentBlock = one({
  text: z.string().optional(),
  toolUse: toolUse.optional(),
  toolResult: toolResult.optional(),
  cachePoint: cachePoint.optional(),
  reasoningContent: reasoningContent.optional(),
})

const message = z.strictObject({ role: z.enum(['user', 'assistant']), content: z.array(contentBlock) })

const tool = one({
  toolSpec: z
    .strictObject({
      name: toolName,
      description: z.string().min(1).optional(),
      inputSchema: z.strictObject({ json: document }),
      strict: z.boolean().optional(),
    })
    .optional(),
  cachePoint: cachePoint.optional(),
})

const empty = z.strictObject({})
const toolChoice = one({
  auto: empty.optional(),
  any: empty.optional(),
  tool: z.strictObject({ name: toolName }).optional(),
})

const metadataText = z
  .string()
  .max(256)
  .regex(/^[a-zA-Z0-9\s:_@$#=/+,.-]*$/)

/** Strict: a member that the service does not know is refused. */
export const converseSchema = z.strictObject({
  messages: z.array(message).min(1),
  system: z.array(one({ text: z.string().min(1).optional(), cachePoint: cachePoint.optional() })).optional(),
  inferenceConfig: z
    .strictObject({
      maxTokens: z.int().min(1).optional(),
      temperature: z.number().min(0).max(1).optional(),
      topP: z.number().min(0).max(1).optional(),
      stopSequences: z.array(z.string().min(1)).max(2500).optional(),
    })
    .optional(),
  toolConfig: z.strictObject({ tools: z.array(tool).min(1), toolChoice: toolChoice.optional() }).optional(),
  guardrailConfig: z
    .strictObject({
      guardrailIdentifier: z.string().optional(),
      guardrailVersion: z.string().optional(),
      trace: z.enum(['enabled', 'disabled', 'enabled_full']).optional(),
      streamProcessingMode: z.enum(['sync', 'async']).optional(),
    })
    .optional(),
  additionalModelRequestFields: document.optional(),
  additionalModelResponseFieldPaths: z.array(z.string().min(1).max(256)).max(10).optional(),
  requestMetadata: z
    .record(metadataText.min(1), metadataText)
    .refine((map) => Object.keys(map).length >= 1 && Object.keys(map).length <= 16, 'needs 1 to 16 entries')
    .optional(),
  performanceConfig: z.strictObject({ latency: z.enum(['standard', 'optimized']).optional() }).optional(),
  serviceTier: z.strictObject({ type: z.enum(['priority', 'default', 'flex', 'reserved']) }).optional(),
  outputConfig: z
    .strictObject({
      textFormat: z
        .strictObject({
          type: z.literal('json_schema'),
          structure: z.strictObject({
            jsonSchema: z.strictObject({
              schema: z.string(),
              name: z.string().optional(),
              description: z.string().optional(),
            }),
          }),
        })
        .optional(),
      effort: z.string().max(16).optional(),
    })
    .optional(),
})

/** The body of Converse and ConverseStream, as far as a text model takes it. */
export type ConverseBody = z.infer<typeof converseSchema>

/** One message of it. */
export type ConverseMessage = ConverseBody['messages'][number]

/** A union as the service writes it: an object with exactly one of these members. */
function one<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z
    .strictObject(shape)
    .refine((value) => Object.keys(value).length === 1, `needs exactly one of ${Object.keys(shape).join(', ')}`)
}
