import type { Ask, ImageSource, Message, PartOf, Tool, ToolChoice } from '#contract/ask.ts'
import type { Target } from '#contract/target.ts'
import { type Feature, leftOut } from '#infer/carry.ts'
import type { EncodedRequest, Provider } from '#infer/provider.ts'

/** In what the servers of this format differ. */
export interface Flavour {
  /** What stands between the endpoint and `/chat/completions`. */
  readonly path: string
  readonly maxTokensField: 'max_tokens' | 'max_completion_tokens'
  /** Whether `top_k` is known. */
  readonly topK: boolean
}

const CARRIED: readonly Feature[] = [
  'seed',
  'penalties',
  'n',
  'logprobs',
  'json',
  'schema',
  'reasoning',
  'parallelTools',
]

export function encoder(flavour: Flavour): Provider['encode'] {
  const carried: readonly Feature[] = flavour.topK ? [...CARRIED, 'topK'] : CARRIED
  const manner = (isOwn: boolean, more: readonly Feature[]): Manner => ({
    flavour,
    isOwn,
    carried: new Set<Feature>(isOwn ? [...carried, ...more, 'rest'] : [...carried, ...more]),
  })
  const [own, foreign] = [manner(true, []), manner(false, [])]
  const [ownEmbed, foreignEmbed] = [manner(true, ['dimensions']), manner(false, ['dimensions'])]
  return ({ ask }, target, salt) => {
    const isOwn = ask.dialect === 'openai-chat' || ask.dialect === 'openai-embeddings'
    if (ask.operation === 'embed') return embeddings(ask, target, isOwn ? ownEmbed : foreignEmbed)
    return chat(ask, target, isOwn ? own : foreign, salt)
  }
}

interface Manner {
  readonly flavour: Flavour
  /** The caller speaks this format too: unknown fields go on. */
  readonly isOwn: boolean
  readonly carried: ReadonlySet<Feature>
}

function chat(ask: Ask, target: Target, { flavour, isOwn, carried }: Manner, salt?: string): EncodedRequest {
  const body = {
    ...(isOwn ? ask.rest : {}),
    model: target.model,
    messages: ask.messages.flatMap((message) => encodeMessage(message, isOwn)),
    ...encodeTools(ask, isOwn),
    ...encodeSampling(ask, flavour),
    ...encodeFormat(ask),
    ...encodeReasoning(ask),
    ...encodeLogprobs(ask),
    ...(ask.stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    // Behind the caller's own fields: whose cache is shared with whom is not theirs to say.
    ...(salt === undefined || target.vllm?.cacheSalt !== true ? {} : { cache_salt: salt }),
  }
  return {
    url: `${target.endpoint}${flavour.path}/chat/completions`,
    headers: { 'content-type': 'application/json', accept: ask.stream ? 'text/event-stream' : 'application/json' },
    body: JSON.stringify(body),
    dropped: leftOut(ask, carried, target.name),
  }
}

/** Many texts in one call; vectors come back as Base64 floats, a quarter of their length in JSON. */
function embeddings(ask: Ask, target: Target, { flavour, isOwn, carried }: Manner): EncodedRequest {
  return {
    url: `${target.endpoint}${flavour.path}/embeddings`,
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({
      ...(isOwn ? ask.rest : {}),
      model: target.model,
      input: ask.messages.map(({ parts }) => parts.map((part) => (part.type === 'text' ? part.text : '')).join('')),
      ...(ask.dimensions === undefined ? {} : { dimensions: ask.dimensions }),
      encoding_format: 'base64',
    }),
    dropped: leftOut(ask, carried, target.name),
  }
}

function encodeMessage(message: Message, isOwn: boolean): object[] {
  const rest = isOwn ? (message.rest ?? {}) : {}
  const results = message.parts.filter((part) => part.type === 'tool-result')
  const shown = message.parts.filter((part) => part.type === 'text' || part.type === 'image')
  const calls = message.parts.filter((part) => part.type === 'tool-call')
  const encoded: object[] = results.map(({ id, text }) => ({ ...rest, role: 'tool', tool_call_id: id, content: text }))
  // Results are text here: pictures of a result follow as the user's.
  const pictures = results.flatMap(({ images = [] }) => images)
  if (pictures.length > 0) encoded.push({ role: 'user', content: pictures.map((source) => imagePart(source)) })
  if (message.role === 'tool') return encoded
  if (calls.length > 0) {
    encoded.push({
      ...rest,
      role: message.role,
      content: shown.length === 0 ? null : content(shown, isOwn),
      tool_calls: calls.map(encodeCall),
    })
  } else if (shown.length > 0 || results.length === 0)
    encoded.push({ ...rest, role: message.role, content: content(shown, isOwn) })
  return encoded
}

type Shown = PartOf<'text'> | PartOf<'image'>

/** One text stays a plain string, as most servers expect; several stay apart. */
function content(parts: readonly Shown[], isOwn: boolean): string | object[] {
  const [only] = parts
  if (only === undefined) return ''
  if (parts.length === 1 && only.type === 'text' && only.rest === undefined) return only.text
  return parts.map((part) => {
    const rest = isOwn ? (part.rest ?? {}) : {}
    return part.type === 'text'
      ? { ...rest, type: 'text', text: part.text }
      : { ...rest, ...imagePart(part.source, part.detail) }
  })
}

function imagePart(source: ImageSource, detail?: string): object {
  const url = source.kind === 'url' ? source.url : `data:${source.mediaType};base64,${source.base64}`
  return { type: 'image_url', image_url: { url, ...(detail === undefined ? {} : { detail }) } }
}

function encodeCall(call: PartOf<'tool-call'>): object {
  return { id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } }
}

function encodeTools({ tools, toolChoice, parallelTools }: Ask, isOwn: boolean): object {
  if (tools.length === 0) return {}
  return {
    tools: tools.map((tool) => encodeTool(tool, isOwn)),
    ...(toolChoice === undefined ? {} : { tool_choice: encodeChoice(toolChoice) }),
    ...(parallelTools === undefined ? {} : { parallel_tool_calls: parallelTools }),
  }
}

function encodeTool(tool: Tool, isOwn: boolean): object {
  const description = tool.description === undefined ? {} : { description: tool.description }
  const strict = tool.strict === undefined ? {} : { strict: tool.strict }
  const rest = isOwn ? (tool.rest ?? {}) : {}
  return {
    type: 'function',
    function: { ...rest, name: tool.name, ...description, parameters: tool.parameters, ...strict },
  }
}

function encodeChoice(choice: ToolChoice): unknown {
  return typeof choice === 'string' ? choice : { type: 'function', function: { name: choice.name } }
}

function encodeSampling({ sampling }: Ask, { maxTokensField, topK: knowsTopK }: Flavour): object {
  const { maxTokens, temperature, topP, topK, frequencyPenalty, presencePenalty, stop, seed, n } = sampling
  return {
    ...(maxTokens === undefined ? {} : { [maxTokensField]: maxTokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { top_p: topP }),
    ...(topK === undefined || !knowsTopK ? {} : { top_k: topK }),
    ...(frequencyPenalty === undefined ? {} : { frequency_penalty: frequencyPenalty }),
    ...(presencePenalty === undefined ? {} : { presence_penalty: presencePenalty }),
    ...(stop === undefined ? {} : { stop }),
    ...(seed === undefined ? {} : { seed }),
    ...(n === undefined ? {} : { n }),
  }
}

function encodeFormat({ format }: Ask): object {
  if (format === undefined) return {}
  if (format.type === 'json') return { response_format: { type: 'json_object' } }
  const { name, schema, strict, description } = format
  return {
    response_format: {
      type: 'json_schema',
      json_schema: {
        name,
        ...(description === undefined ? {} : { description }),
        schema,
        ...(strict === undefined ? {} : { strict }),
      },
    },
  }
}

/** The format knows efforts only; a budget becomes the effort that Google documents for as many tokens. */
function encodeReasoning({ reasoning }: Ask): object {
  if (reasoning === undefined) return {}
  const { effort, budget } = reasoning
  if (effort !== undefined) return { reasoning_effort: effort }
  if (budget === undefined) return {}
  if (budget === 0) return { reasoning_effort: 'none' }
  return { reasoning_effort: budget <= 1024 ? 'low' : budget <= 8192 ? 'medium' : 'high' }
}

function encodeLogprobs({ logprobs }: Ask): object {
  if (logprobs === undefined) return {}
  return { logprobs: true, ...(logprobs === 0 ? {} : { top_logprobs: logprobs }) }
}
