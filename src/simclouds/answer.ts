import { extract } from './extract.ts'
import { fillSchema } from './fill-schema.ts'

/** What a simulated model is asked, free of any wire format. */
export interface Prompt {
  readonly system: readonly string[]
  readonly turns: readonly Turn[]
  readonly tools: readonly PromptTool[]
  readonly toolChoice: 'none' | 'auto' | 'required' | { readonly name: string }
  /** JSON Schema that the answer must meet; undefined for plain text. */
  readonly schema: unknown
}

export interface Turn {
  readonly role: 'user' | 'assistant' | 'tool'
  readonly text: string
}

interface PromptTool {
  readonly name: string
  /** JSON Schema of the arguments. */
  readonly parameters: unknown
}

export type Answer =
  | { readonly kind: 'text'; readonly text: string }
  /** `arguments` is JSON text. */
  | { readonly kind: 'tool-call'; readonly name: string; readonly arguments: string }

const MAX_ECHO_CHARS = 2_000
const CHARS_PER_TOKEN = 4

/**
 * Answers without a model, the same every time: a tool call when the request asks for one, sentences of the passages
 * in the system text when there are any, else what the user said.
 */
export function answer(prompt: Prompt): Answer {
  const last = prompt.turns.at(-1)
  const question = prompt.turns.findLast((turn) => turn.role === 'user')?.text ?? ''
  const tool = toolFor(prompt, question)
  if (tool !== undefined && last?.role !== 'tool') {
    return { kind: 'tool-call', name: tool.name, arguments: JSON.stringify(fillSchema(tool.parameters, question)) }
  }
  if (prompt.schema !== undefined) {
    return { kind: 'text', text: JSON.stringify(fillSchema(prompt.schema, question)) }
  }
  if (last?.role === 'tool') return { kind: 'text', text: `The tool answered: ${shortened(last.text)}` }
  return { kind: 'text', text: extract(prompt.system, question) ?? `You said: ${shortened(question)}` }
}

/** Estimate of the tokens in a text: a quarter of its characters, at least 1. */
export function tokenCount(text: string): number {
  return Math.max(1, Math.ceil(text.length / CHARS_PER_TOKEN))
}

/** Tokens of the whole prompt, by the same estimate. */
export function promptTokenCount(prompt: Prompt): number {
  const chars = [...prompt.system, ...prompt.turns.map((turn) => turn.text)].reduce((sum, text) => sum + text.length, 0)
  return Math.max(1, Math.ceil(chars / CHARS_PER_TOKEN))
}

/** Pieces of at most six characters, as a tokenizer might cut them; joined they are the text. */
export function piecesOf(text: string): readonly string[] {
  return text.match(/\s?\S{1,5}|\s/gu) ?? []
}

function toolFor(prompt: Prompt, question: string): PromptTool | undefined {
  const { toolChoice, tools } = prompt
  if (toolChoice === 'none') return undefined
  if (typeof toolChoice === 'object') return tools.find((tool) => tool.name === toolChoice.name)
  const asked = question.toLowerCase()
  const named = tools.find((tool) => asked.includes(tool.name.toLowerCase()) || asked.includes(spoken(tool.name)))
  return named ?? (toolChoice === 'required' ? tools[0] : undefined)
}

/** `send_email` as a person says it: `send email`. */
function spoken(name: string): string {
  return name
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll(/[_.-]+/g, ' ')
    .toLowerCase()
}

function shortened(text: string): string {
  if (text.length <= MAX_ECHO_CHARS) return text
  const space = text.lastIndexOf(' ', MAX_ECHO_CHARS)
  return `${text.slice(0, space > 0 ? space : MAX_ECHO_CHARS)} ...`
}
