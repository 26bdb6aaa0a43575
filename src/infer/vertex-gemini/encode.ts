import type { Ask, Tool, ToolChoice } from '#contract/ask.ts'
import type { Screened } from '#contract/screened.ts'
import type { Target } from '#contract/target.ts'
import { type Feature, fieldName, leftOut, unsupportedBy } from '#infer/carry.ts'
import type { EncodedRequest } from '#infer/provider.ts'
import { splitSystem } from '#infer/turns.ts'
import { asRecord } from '#kit/json.ts'
import { contents } from './contents.ts'
import { encodeEmbedding } from './embed.ts'
import { request } from './request.ts'
import { cleanSchema } from './schema.ts'
import { thinkingConfig } from './thinking.ts'

const CARRIED: ReadonlySet<Feature> = new Set<Feature>([
  'seed',
  'topK',
  'penalties',
  'n',
  'logprobs',
  'json',
  'schema',
  'reasoning',
])

export function encode({ ask }: Screened, target: Target): EncodedRequest {
  if (ask.operation === 'embed') return encodeEmbedding(ask, target)
  const dropped = leftOut(ask, CARRIED, target.name)
  const prompt = promptOf(ask, target)
  if (ask.operation === 'count-tokens') return request(target, 'countTokens', prompt, dropped)
  const config = generationConfig(ask, target, dropped)
  const body = { ...prompt, ...(Object.keys(config).length === 0 ? {} : { generationConfig: config }) }
  return request(target, ask.stream ? 'streamGenerateContent' : 'generateContent', body, dropped)
}

function promptOf(ask: Ask, target: Target): object {
  const { system: lead, others } = splitSystem(ask.messages)
  const system = lead.flatMap(({ parts }) =>
    parts.flatMap((part) => (part.type === 'text' && part.text.trim() !== '' ? [{ text: part.text }] : [])),
  )
  const turns = contents(others, target)
  if (turns.length === 0) throw unsupportedBy(target.name, 'messages', 'send at least one with text')
  return {
    ...(system.length === 0 ? {} : { systemInstruction: { parts: system } }),
    contents: turns,
    ...toolFields(ask),
  }
}

function toolFields({ tools, toolChoice }: Ask): object {
  if (tools.length === 0) return {}
  return {
    tools: [{ functionDeclarations: tools.map(declaration) }],
    ...(toolChoice === undefined ? {} : { toolConfig: { functionCallingConfig: encodeChoice(toolChoice) } }),
  }
}

/** An object without properties is refused; a function without parameters has none. */
function declaration({ name, description, parameters }: Tool): object {
  const schema = cleanSchema(parameters)
  const isEmpty = Object.keys(asRecord(schema['properties']) ?? {}).length === 0 && schema['$ref'] === undefined
  return {
    name,
    ...(description === undefined || description === '' ? {} : { description }),
    ...(isEmpty ? {} : { parametersJsonSchema: schema }),
  }
}

function encodeChoice(choice: ToolChoice): object {
  if (typeof choice === 'object') return { mode: 'ANY', allowedFunctionNames: [choice.name] }
  return { mode: choice === 'required' ? 'ANY' : choice === 'none' ? 'NONE' : 'AUTO' }
}

/** The service counts in 32 bits. */
const MAX_SEED = 2 ** 31

function generationConfig(ask: Ask, target: Target, dropped: string[]): object {
  const { sampling, logprobs, reasoning } = ask
  const { maxTokens, temperature, topP, topK, stop, seed, frequencyPenalty, presencePenalty, n } = sampling
  const stops = (stop ?? []).filter((sequence) => sequence !== '')
  const thinking = reasoning === undefined ? undefined : thinkingConfig(reasoning, target.model)
  if (reasoning !== undefined && thinking === undefined) dropped.push(fieldName(ask, 'reasoning'))
  return {
    ...(maxTokens === undefined ? {} : { maxOutputTokens: maxTokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(topK === undefined ? {} : { topK }),
    ...(stops.length === 0 ? {} : { stopSequences: stops }),
    ...(seed === undefined ? {} : { seed: seed % MAX_SEED }),
    ...(frequencyPenalty === undefined ? {} : { frequencyPenalty }),
    ...(presencePenalty === undefined ? {} : { presencePenalty }),
    ...(n === undefined || n === 1 ? {} : { candidateCount: n }),
    ...(logprobs === undefined ? {} : { responseLogprobs: true, ...(logprobs === 0 ? {} : { logprobs }) }),
    ...formatOf(ask),
    ...(thinking === undefined ? {} : { thinkingConfig: thinking }),
  }
}

function formatOf({ format }: Ask): object {
  if (format === undefined) return {}
  const schema = format.type === 'schema' ? { responseJsonSchema: cleanSchema(format.schema) } : {}
  return { responseMimeType: 'application/json', ...schema }
}
