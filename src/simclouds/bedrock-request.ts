import type { Prompt, Turn } from './answer.ts'
import { checkConversation } from './bedrock-rules.ts'
import { converseSchema, type ConverseBody, type ConverseMessage } from './bedrock-shapes.ts'

/** A Converse request that Bedrock would take. */
export interface ConverseRequest {
  readonly prompt: Prompt
  readonly maxTokens: number | undefined
  readonly stop: readonly string[]
}

/** A request that is refused with a `ValidationException`. */
export class ConverseProblem extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ConverseProblem'
  }
}

/**
 * Reads the body of Converse or ConverseStream.
 * @throws {ConverseProblem} as the service would refuse it.
 */
export function readConverseRequest(text: string): ConverseRequest {
  const body = readBody(text)
  const problem = checkConversation(body)
  if (problem !== undefined) throw new ConverseProblem(problem)
  return {
    prompt: promptOf(body),
    maxTokens: body.inferenceConfig?.maxTokens,
    stop: body.inferenceConfig?.stopSequences ?? [],
  }
}

function readBody(text: string): ConverseBody {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new ConverseProblem('the body is not JSON')
  }
  const read = converseSchema.safeParse(value)
  if (read.success) return read.data
  const issue = read.error.issues[0]
  throw new ConverseProblem(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`)
}

function promptOf(body: ConverseBody): Prompt {
  const choice = body.toolConfig?.toolChoice
  const schemaText = body.outputConfig?.textFormat?.structure.jsonSchema.schema
  return {
    system: (body.system ?? []).flatMap((block) => block.text ?? []),
    turns: body.messages.map(turnOf),
    tools: (body.toolConfig?.tools ?? []).flatMap(({ toolSpec }) =>
      toolSpec === undefined ? [] : [{ name: toolSpec.name, parameters: toolSpec.inputSchema.json }],
    ),
    toolChoice: choice?.tool ?? (choice?.any === undefined ? 'auto' : 'required'),
    schema: schemaText === undefined ? undefined : parsed(schemaText),
  }
}

function turnOf(each: ConverseMessage): Turn {
  const results = each.content.flatMap(({ toolResult: result }) => result?.content ?? [])
  const text = each.content.flatMap((block) => block.text ?? []).join('')
  if (results.length === 0) return { role: each.role, text }
  const said = results.map((block) => block.text ?? JSON.stringify(block.json)).join('')
  return { role: text === '' ? 'tool' : 'user', text: text === '' ? said : text }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ConverseProblem('outputConfig.textFormat.structure.jsonSchema.schema is not JSON text')
  }
}
