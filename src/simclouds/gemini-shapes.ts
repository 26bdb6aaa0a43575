import { z } from 'zod'

const record = z.record(z.string(), z.unknown())
const name = z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$/)
const imageType = z.enum(['image/png', 'image/jpeg', 'image/webp', 'image/heic', 'image/heif'])

const part = z
  .strictObject({
    text: z.string().optional(),
    thought: z.boolean().optional(),
    thoughtSignature: z.string().optional(),
    inlineData: z.strictObject({ mimeType: imageType, data: z.base64().min(4) }).optional(),
    fileData: z.strictObject({ mimeType: imageType, fileUri: z.string().regex(/^gs:\/\/./) }).optional(),
    functionCall: z.strictObject({ name, args: record.optional() }).optional(),
    functionResponse: z.strictObject({ name, response: record }).optional(),
  })
  .refine(
    ({ thought: _thought, thoughtSignature: _signature, ...data }) => Object.keys(data).length === 1,
    'required oneof field `data` must have one initialized field',
  )

const content = z.strictObject({ role: z.enum(['user', 'model']), parts: z.array(part).min(1) })

const declaration = z.strictObject({
  name,
  description: z.string().optional(),
  parameters: record.optional(),
  parametersJsonSchema: record.optional(),
})

const generationConfig = z.strictObject({
  maxOutputTokens: z.int().min(1).optional(),
  temperature: z.number().min(0).max(2).optional(),
  topP: z.number().min(0).max(1).optional(),
  topK: z.number().min(1).optional(),
  stopSequences: z.array(z.string().min(1)).max(5).optional(),
  seed: z
    .int()
    .min(-(2 ** 31))
    .max(2 ** 31 - 1)
    .optional(),
  frequencyPenalty: z.number().min(-2).max(2).optional(),
  presencePenalty: z.number().min(-2).max(2).optional(),
  candidateCount: z.int().min(1).max(8).optional(),
  responseLogprobs: z.boolean().optional(),
  logprobs: z.int().min(1).max(20).optional(),
  responseMimeType: z.enum(['text/plain', 'application/json']).optional(),
  responseSchema: record.optional(),
  responseJsonSchema: record.optional(),
  thinkingConfig: z
    .strictObject({
      includeThoughts: z.boolean().optional(),
      thinkingBudget: z.int().min(-1).max(32_768).optional(),
      thinkingLevel: z.enum(['MINIMAL', 'LOW', 'MEDIUM', 'HIGH']).optional(),
    })
    .optional(),
})

const prompt = {
  contents: z.array(content).min(1),
  systemInstruction: z.strictObject({ role: z.string().optional(), parts: z.array(part).min(1) }).optional(),
  tools: z.array(z.strictObject({ functionDeclarations: z.array(declaration).min(1) })).optional(),
}

/** Strict: a field that the service does not know is refused. */
export const GENERATE_SHAPE = z.strictObject({
  ...prompt,
  toolConfig: z
    .strictObject({
      functionCallingConfig: z
        .strictObject({
          mode: z.enum(['AUTO', 'ANY', 'NONE', 'VALIDATED']).optional(),
          allowedFunctionNames: z.array(name).optional(),
        })
        .optional(),
    })
    .optional(),
  generationConfig: generationConfig.optional(),
})

/** What `countTokens` takes. */
export const COUNT_SHAPE = GENERATE_SHAPE.omit({ toolConfig: true })

/** What `predict` of a text embedding model takes. */
export const EMBED_SHAPE = z.strictObject({
  instances: z
    .array(
      z.strictObject({ content: z.string().min(1), task_type: z.string().optional(), title: z.string().optional() }),
    )
    .min(1)
    .max(250),
  parameters: z
    .strictObject({ autoTruncate: z.boolean().optional(), outputDimensionality: z.int().min(1).max(3072).optional() })
    .optional(),
})

export type GeminiBody = z.infer<typeof GENERATE_SHAPE>
export type GeminiContent = GeminiBody['contents'][number]
export type GeminiPart = GeminiContent['parts'][number]
