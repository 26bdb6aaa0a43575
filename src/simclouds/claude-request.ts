import type { Prompt, Turn } from './answer.ts'
import { blocksOf, checkClaude } from './claude-rules.ts'
import { CLAUDE_SHAPES, type ClaudeBlock, type ClaudeBody, type ClaudeMessage } from './claude-shapes.ts'

/** A request in Anthropic's format that the service would take. */
export interface ClaudeRequest {
  readonly prompt: Prompt
  readonly model: string
  readonly stream: boolean
  readonly maxTokens: number | undefined
  readonly stop: readonly string[]
  /** Whether thoughts come before the answer, and whether they are sealed. */
  readonly thinks: 'no' | 'openly' | 'sealed'
  readonly betas: readonly string[]
}

/** A request that is refused with an `invalid_request_error`. */
export class ClaudeProblem extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ClaudeProblem'
  }
}

/** What makes the stand-in seal its thoughts, as Anthropic's own models have such words for tests. */
const SEAL_WORDS = 'ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING'

/**
 * Reads the body of a request.
 * @throws {ClaudeProblem} as the service would refuse it.
 */
export function readClaudeRequest(
  text: string,
  served: keyof typeof CLAUDE_SHAPES,
  call: keyof (typeof CLAUDE_SHAPES)['own'],
): ClaudeRequest {
  const body = readBody(text, served, call)
  const problem = checkClaude(body)
  if (problem !== undefined) throw new ClaudeProblem(problem)
  const isThinking = body.thinking !== undefined && body.thinking.type !== 'disabled'
  return {
    prompt: promptOf(body),
    model: body.model ?? '',
    stream: body.stream ?? false,
    maxTokens: body.max_tokens,
    stop: body.stop_sequences ?? [],
    thinks: !isThinking ? 'no' : text.includes(SEAL_WORDS) ? 'sealed' : 'openly',
    betas: body.anthropic_beta ?? [],
  }
}

function readBody(
  text: string,
  served: keyof typeof CLAUDE_SHAPES,
  call: keyof (typeof CLAUDE_SHAPES)['own'],
): ClaudeBody {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new ClaudeProblem('The request body is not valid JSON')
  }
  const read = CLAUDE_SHAPES[served][call].safeParse(value)
  if (read.success) return read.data
  const issue = read.error.issues[0]
  const path = [...(issue?.path ?? []), ...(issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [])]
  throw new ClaudeProblem(
    `${path.join('.')}: ${issue?.code === 'unrecognized_keys' ? 'Extra inputs are not permitted' : (issue?.message ?? 'not valid')}`,
  )
}

function promptOf(body: ClaudeBody): Prompt {
  const { system, tools = [], tool_choice: choice, messages } = body
  return {
    system: typeof system === 'string' ? [system] : (system ?? []).map(({ text }) => text),
    turns: messages.map(turnOf),
    tools: tools.map((tool) => ({ name: tool.name, parameters: tool.input_schema })),
    toolChoice:
      choice?.type === 'tool' ? { name: choice.name } : choice?.type === 'any' ? 'required' : (choice?.type ?? 'auto'),
    schema: body.output_config?.format?.schema,
  }
}

function turnOf(message: ClaudeMessage): Turn {
  const blocks = blocksOf(message)
  const text = blocks.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('')
  const results = blocks.filter(({ type }) => type === 'tool_result')
  if (results.length === 0) return { role: message.role, text }
  const said = results.map(resultText).join('')
  return { role: text === '' ? 'tool' : 'user', text: text === '' ? said : text }
}

function resultText(block: ClaudeBlock): string {
  if (block.type !== 'tool_result') return ''
  if (typeof block.content === 'string') return block.content
  return (block.content ?? []).map((inner) => (inner.type === 'text' ? inner.text : '')).join('')
}
