import { proofOf } from './claude-proof.ts'
import type { GeminiBody, GeminiContent, GeminiPart } from './gemini-shapes.ts'

/** What Google documents for calls that another model made. */
const SKIP = 'skip_thought_signature_validator'

/** What the service checks beyond the shapes. Undefined when all is well, else the reason to refuse. */
export function checkGemini(body: GeminiBody, version: number): string | undefined {
  return (
    checkContents(body.contents) ??
    checkCalls(body.contents) ??
    (version >= 3 ? checkProofs(body.contents) : undefined) ??
    checkTools(body) ??
    checkConfig(body, version)
  )
}

/** The proof that the stand-in gives for a call. */
export function callProof(call: NonNullable<GeminiPart['functionCall']>): string {
  return proofOf(`${call.name} ${JSON.stringify(call.args ?? {})}`)
}

function checkContents(contents: readonly GeminiContent[]): string | undefined {
  if (contents[0]?.role !== 'user') return 'Please ensure that multiturn requests start with a user turn.'
  for (const [at, { role, parts }] of contents.entries()) {
    if (role === contents[at - 1]?.role)
      return 'Please ensure that multiturn requests alternate between user and model.'
    const isEmpty = parts.some(({ text, thoughtSignature }) => text?.trim() === '' && thoughtSignature === undefined)
    if (isEmpty) return `Unable to submit request because contents[${at}] has an empty text parameter.`
    const stray = parts.find((part) => (role === 'user' ? part.functionCall : part.functionResponse) !== undefined)
    if (stray !== undefined)
      return `contents[${at}]: function calls belong to the model, function responses to the user.`
  }
  return undefined
}

/** As many responses as calls, in the turn right behind them and in their order. */
function checkCalls(contents: readonly GeminiContent[]): string | undefined {
  for (const [at, content] of contents.entries()) {
    const asked = (contents[at - 1]?.parts ?? []).flatMap(({ functionCall: call }) => call?.name ?? [])
    const given = content.parts.flatMap(({ functionResponse: response }) => response?.name ?? [])
    if (content.role === 'model') continue
    if (given.length !== asked.length)
      return 'Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.'
    if (given.some((name, index) => name !== asked[index]))
      return 'Please ensure that function response parts have the names of the function call parts, in their order.'
    const other = content.parts.findIndex(({ functionResponse: response }) => response === undefined)
    if (other !== -1 && other < given.length)
      return 'Please ensure that function response parts come first in their turn.'
  }
  return undefined
}

/** In the current turn the first call of each step needs its proof; one that is given must be genuine everywhere. */
function checkProofs(contents: readonly GeminiContent[]): string | undefined {
  const current = contents.findLastIndex(
    ({ role, parts }) => role === 'user' && parts.some(({ functionResponse: response }) => response === undefined),
  )
  for (const [at, { parts }] of contents.entries()) {
    const calls = parts.filter(({ functionCall: call }) => call !== undefined)
    for (const { functionCall: call, thoughtSignature: proof } of calls) {
      if (call === undefined || proof === undefined || proof === SKIP) continue
      if (proof !== callProof(call)) return 'Thought signature is not valid.'
    }
    if (at > current && calls.length > 0 && calls[0]?.thoughtSignature === undefined)
      return `Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly: function call \`${calls[0]?.functionCall?.name}\`, position ${at}.`
  }
  return undefined
}

function checkTools({ tools = [], toolConfig }: GeminiBody): string | undefined {
  const declared = tools.flatMap(({ functionDeclarations }) => functionDeclarations)
  const names = declared.map(({ name }) => name)
  if (new Set(names).size !== names.length) return 'Duplicate function declaration found.'
  if (declared.some(({ parameters, parametersJsonSchema: schema }) => parameters !== undefined && schema !== undefined))
    return 'parameters and parameters_json_schema are mutually exclusive.'
  const config = toolConfig?.functionCallingConfig
  const allowed = config?.allowedFunctionNames ?? []
  if (allowed.length > 0 && config?.mode !== 'ANY')
    return 'Allowed function names should only be set when function calling mode is ANY.'
  const stranger = allowed.find((name) => !names.includes(name))
  return stranger === undefined ? undefined : `allowed_function_names contains ${stranger}, which is not declared.`
}

function checkConfig({ generationConfig: config }: GeminiBody, version: number): string | undefined {
  if (config?.logprobs !== undefined && config.responseLogprobs !== true) return 'logprobs needs response_logprobs.'
  const hasSchema = config?.responseSchema !== undefined || config?.responseJsonSchema !== undefined
  if (hasSchema && config?.responseMimeType !== 'application/json')
    return 'response_schema needs response_mime_type to be application/json.'
  const thinking = config?.thinkingConfig
  if (thinking?.thinkingBudget !== undefined && thinking.thinkingLevel !== undefined)
    return 'You can only set only one of thinking budget and thinking level.'
  return thinking?.thinkingLevel !== undefined && version < 3
    ? 'thinking_level is not supported by this model.'
    : undefined
}
