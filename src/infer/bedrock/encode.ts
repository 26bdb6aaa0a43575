import type { Ask, Message, Part, ToolChoice } from '#contract/ask.ts'
import type { Screened } from '#contract/screened.ts'
import type { Target } from '#contract/target.ts'
import { asRecord, parseJson } from '#kit/json.ts'
import type { EncodedRequest } from '#infer/provider.ts'

export function encode({ ask }: Screened, target: Target): EncodedRequest {
  const system = ask.messages.slice(0, leadingSystem(ask.messages)).flatMap(textBlocks)
  const body = {
    messages: conversation(ask.messages.slice(leadingSystem(ask.messages))),
    ...(system.length === 0 ? {} : { system }),
    ...inferenceConfig(ask),
    ...toolConfig(ask),
  }
  const operation = ask.stream ? 'converse-stream' : 'converse'
  return {
    // The model id is one path segment: an ARN's colons and slashes are encoded too.
    url: `${target.endpoint}/model/${encodeURIComponent(target.model)}/${operation}`,
    headers: {
      'content-type': 'application/json',
      accept: ask.stream ? 'application/vnd.amazon.eventstream' : 'application/json',
    },
    body: JSON.stringify(body),
  }
}

/** Only the leading run becomes `system`: moving later ones to the front would change what caches can share. */
function leadingSystem(messages: readonly Message[]): number {
  const at = messages.findIndex(({ role }) => role !== 'system')
  return at === -1 ? messages.length : at
}

interface ConverseMessage {
  readonly role: 'user' | 'assistant'
  readonly content: object[]
}

/** Roles have to alternate and begin with the user; results of one turn stand together, before the text. */
function conversation(messages: readonly Message[]): ConverseMessage[] {
  const merged: ConverseMessage[] = []
  for (const message of messages) {
    const role = message.role === 'assistant' ? 'assistant' : 'user'
    const content = blocks(message)
    const last = merged.at(-1)
    if (last?.role === role) last.content.push(...content)
    else if (content.length > 0) merged.push({ role, content: [...content] })
  }
  if (merged[0]?.role === 'assistant')
    merged.unshift({ role: 'user', content: [{ text: '(the conversation begins with the assistant)' }] })
  return merged
}

function blocks(message: Message): object[] {
  if (message.role === 'system') {
    return textBlocks(message).map(({ text }) => ({ text: `<system-reminder>\n${text}\n</system-reminder>` }))
  }
  const results = message.parts.flatMap((part) => (part.type === 'tool-result' ? [toolResult(part)] : []))
  const calls = message.parts.flatMap((part) => (part.type === 'tool-call' ? [toolUse(part)] : []))
  return [...results, ...textBlocks(message), ...calls]
}

/** Blank text is rejected by the service, so it is left out. */
function textBlocks(message: Message): { readonly text: string }[] {
  return message.parts.flatMap((part) => (part.type === 'text' && part.text.trim() !== '' ? [{ text: part.text }] : []))
}

function toolResult({ id, text, isError }: Extract<Part, { type: 'tool-result' }>): object {
  return {
    toolResult: { toolUseId: id, content: text === '' ? [] : [{ text }], status: isError ? 'error' : 'success' },
  }
}

/** `input` has to be an object; arguments that are none are carried as they are, under a name that says so. */
function toolUse({ id, name, arguments: text }: Extract<Part, { type: 'tool-call' }>): object {
  const input = text.trim() === '' ? {} : (asRecord(parseJson(text)) ?? { rawInvalidInput: text })
  return { toolUse: { toolUseId: id, name, input } }
}

function inferenceConfig({ sampling }: Ask): object {
  const { maxTokens, temperature, topP, stop } = sampling
  const config = {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    // OpenAI's range is 0 to 2, the service's 0 to 1.
    ...(temperature === undefined ? {} : { temperature: Math.min(1, temperature) }),
    ...(topP === undefined ? {} : { topP }),
    ...(stop === undefined || stop.length === 0 ? {} : { stopSequences: stop.filter((sequence) => sequence !== '') }),
  }
  return Object.keys(config).length === 0 ? {} : { inferenceConfig: config }
}

function toolConfig({ tools, toolChoice, messages }: Ask): object {
  const specs = tools.map(({ name, description, parameters }) => ({
    toolSpec: {
      name,
      ...(description === undefined || description === '' ? {} : { description }),
      inputSchema: { json: parameters },
    },
  }))
  // There is no way to offer tools and forbid them: a caller who wants none called offers none.
  if (specs.length === 0 || toolChoice === 'none') {
    const named = namesInHistory(messages)
    // The service wants a toolConfig as soon as the history holds tool blocks.
    return named.length === 0
      ? {}
      : {
          toolConfig: {
            tools: named.map((name) => ({ toolSpec: { name, inputSchema: { json: { type: 'object' } } } })),
          },
        }
  }
  const choice = toolChoice === undefined ? undefined : encodeChoice(toolChoice)
  return { toolConfig: { tools: specs, ...(choice === undefined ? {} : { toolChoice: choice }) } }
}

function encodeChoice(choice: ToolChoice): object | undefined {
  if (choice === 'none') return undefined
  if (choice === 'auto') return { auto: {} }
  return choice === 'required' ? { any: {} } : { tool: { name: choice.name } }
}

function namesInHistory(messages: readonly Message[]): string[] {
  const names = new Set<string>()
  for (const { parts } of messages) for (const part of parts) if (part.type === 'tool-call') names.add(part.name)
  return [...names]
}
