import type { Ask, Message, Part, Tool, ToolChoice } from '#contract/ask.ts'
import type { Screened } from '#contract/screened.ts'
import type { Target } from '#contract/target.ts'
import type { EncodedRequest } from '#infer/provider.ts'

export function encode({ ask }: Screened, target: Target): EncodedRequest {
  const body = {
    ...(ask.dialect === 'openai-chat' ? ask.rest : {}),
    model: target.model,
    messages: ask.messages.flatMap((message) => encodeMessage(message, ask)),
    ...encodeTools(ask),
    ...encodeSampling(ask),
    ...(ask.stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  }
  return {
    url: `${target.endpoint}/v1/chat/completions`,
    headers: { 'content-type': 'application/json', accept: ask.stream ? 'text/event-stream' : 'application/json' },
    body: JSON.stringify(body),
  }
}

function encodeMessage(message: Message, ask: Ask): object[] {
  const rest = ask.dialect === 'openai-chat' ? (message.rest ?? {}) : {}
  const results = message.parts.filter((part) => part.type === 'tool-result')
  const texts = message.parts.filter((part) => part.type === 'text')
  const calls = message.parts.filter((part) => part.type === 'tool-call')
  const encoded: object[] = results.map(({ id, text }) => ({ ...rest, role: 'tool', tool_call_id: id, content: text }))
  if (message.role === 'tool') return encoded
  if (calls.length > 0) {
    encoded.push({
      ...rest,
      role: message.role,
      content: texts.length === 0 ? null : content(texts),
      tool_calls: calls.map(encodeCall),
    })
  } else if (texts.length > 0 || results.length === 0)
    encoded.push({ ...rest, role: message.role, content: content(texts) })
  return encoded
}

/** One text stays a plain string, as most servers expect; several stay apart. */
function content(texts: readonly Extract<Part, { type: 'text' }>[]): string | object[] {
  if (texts.length <= 1) return texts[0]?.text ?? ''
  return texts.map(({ text }) => ({ type: 'text', text }))
}

function encodeCall(call: Extract<Part, { type: 'tool-call' }>): object {
  return { id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } }
}

function encodeTools({ tools, toolChoice, dialect }: Ask): object {
  if (tools.length === 0) return {}
  const choice = toolChoice === undefined ? {} : { tool_choice: encodeChoice(toolChoice) }
  return { tools: tools.map((tool) => encodeTool(tool, dialect === 'openai-chat')), ...choice }
}

function encodeTool(tool: Tool, sameDialect: boolean): object {
  const description = tool.description === undefined ? {} : { description: tool.description }
  const rest = sameDialect ? (tool.rest ?? {}) : {}
  return { type: 'function', function: { ...rest, name: tool.name, ...description, parameters: tool.parameters } }
}

function encodeChoice(choice: ToolChoice): unknown {
  return typeof choice === 'string' ? choice : { type: 'function', function: { name: choice.name } }
}

function encodeSampling({ sampling }: Ask): object {
  const { maxTokens, temperature, topP, stop, seed } = sampling
  return {
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { top_p: topP }),
    ...(stop === undefined ? {} : { stop }),
    ...(seed === undefined ? {} : { seed }),
  }
}
