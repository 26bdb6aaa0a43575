import type { z } from 'zod'
import type { Prompt, Turn } from './answer.ts'
import { checkGemini } from './gemini-rules.ts'
import { COUNT_SHAPE, EMBED_SHAPE, GENERATE_SHAPE, type GeminiBody, type GeminiContent } from './gemini-shapes.ts'

/** A request that Gemini on Vertex would take. */
export interface GeminiRequest {
  readonly prompt: Prompt
  readonly model: string
  readonly version: number
  readonly maxTokens: number | undefined
  readonly stop: readonly string[]
  readonly candidates: number
  /** Whether thoughts are shown before the answer. */
  readonly showsThoughts: boolean
  readonly logprobs: boolean
}

/** A request that is refused with INVALID_ARGUMENT. */
export class GeminiProblem extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'GeminiProblem'
  }
}

/**
 * Reads the body of `generateContent`, `streamGenerateContent` or `countTokens`.
 * @throws {GeminiProblem} as the service would refuse it.
 */
export function readGeminiRequest(text: string, model: string, isCount: boolean): GeminiRequest {
  const body: GeminiBody = isCount ? parsed(text, COUNT_SHAPE) : parsed(text, GENERATE_SHAPE)
  const version = Number(/gemini-(\d+(?:\.\d+)?)/.exec(model)?.[1] ?? 3)
  const problem = checkGemini(body, version)
  if (problem !== undefined) throw new GeminiProblem(problem)
  const config = body.generationConfig
  return {
    prompt: promptOf(body),
    model,
    version,
    maxTokens: config?.maxOutputTokens,
    stop: config?.stopSequences ?? [],
    candidates: config?.candidateCount ?? 1,
    showsThoughts: config?.thinkingConfig?.includeThoughts ?? false,
    logprobs: config?.responseLogprobs ?? false,
  }
}

/**
 * Reads the body of `predict`: the texts, and the length of the vectors.
 * @throws {GeminiProblem} as the service would refuse it.
 */
export function readEmbedRequest(text: string): { readonly texts: readonly string[]; readonly dimensions: number } {
  const { instances, parameters } = parsed(text, EMBED_SHAPE)
  return { texts: instances.map(({ content }) => content), dimensions: parameters?.outputDimensionality ?? 768 }
}

function parsed<Shape extends z.ZodType>(text: string, shape: Shape): z.infer<Shape> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new GeminiProblem('Invalid JSON payload received.')
  }
  const read = shape.safeParse(value)
  if (read.success) return read.data
  const issue = read.error.issues[0]
  const at = issue?.path.join('.') ?? ''
  throw new GeminiProblem(
    issue?.code === 'unrecognized_keys'
      ? `Invalid JSON payload received. Unknown name "${issue.keys[0]}" at '${at}': Cannot find field.`
      : `Invalid value at '${at}': ${issue?.message ?? 'not valid'}`,
  )
}

function promptOf({ contents, systemInstruction, tools = [], toolConfig, generationConfig }: GeminiBody): Prompt {
  const calling = toolConfig?.functionCallingConfig
  const [only] = calling?.allowedFunctionNames ?? []
  const isJson = generationConfig?.responseMimeType === 'application/json'
  return {
    system: (systemInstruction?.parts ?? []).flatMap(({ text }) => text ?? []),
    turns: contents.map(turnOf),
    tools: tools.flatMap(({ functionDeclarations }) =>
      functionDeclarations.map(({ name, parameters, parametersJsonSchema }) => ({
        name,
        parameters: parametersJsonSchema ?? parameters ?? { type: 'object', properties: {} },
      })),
    ),
    toolChoice:
      only !== undefined
        ? { name: only }
        : calling?.mode === 'NONE'
          ? 'none'
          : calling?.mode === 'ANY'
            ? 'required'
            : 'auto',
    schema:
      generationConfig?.responseJsonSchema ??
      generationConfig?.responseSchema ??
      (isJson ? { type: 'object', properties: { answer: { type: 'string' } } } : undefined),
  }
}

function turnOf({ role, parts }: GeminiContent): Turn {
  const text = parts.flatMap((part) => (part.thought === true ? [] : (part.text ?? []))).join('')
  const results = parts.flatMap(({ functionResponse: given }) => (given === undefined ? [] : [given.response]))
  if (role === 'model') return { role: 'assistant', text }
  if (results.length === 0 || text !== '') return { role: 'user', text }
  const said = results.map((result) => result['output'] ?? result['error'] ?? result)
  return { role: 'tool', text: said.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('') }
}
