import { isSealed, proofOf } from './claude-proof.ts'
import type { ClaudeBlock, ClaudeBody, ClaudeMessage } from './claude-shapes.ts'

/** What the service checks beyond the shapes. Undefined when all is well, else the reason to refuse. */
export function checkClaude(body: ClaudeBody): string | undefined {
  return (
    checkRoles(body.messages) ??
    first(body.messages, (message, at) => checkMessage(message, at, at === body.messages.length - 1)) ??
    checkSystem(body) ??
    checkPairs(body.messages) ??
    checkTools(body) ??
    checkThinking(body) ??
    checkMarks(body)
  )
}

/** A message's blocks; text is one block. */
export function blocksOf({ content }: ClaudeMessage): readonly ClaudeBlock[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content
}

function checkRoles(messages: readonly ClaudeMessage[]): string | undefined {
  if (messages[0]?.role !== 'user') return 'messages: first message must use the "user" role'
  return first(messages, ({ role }, at) =>
    role === messages[at - 1]?.role
      ? `messages: roles must alternate between "user" and "assistant", but found multiple "${role}" roles in a row`
      : undefined,
  )
}

function checkMessage(message: ClaudeMessage, at: number, isLast: boolean): string | undefined {
  const content = blocksOf(message)
  const isPrefill = isLast && message.role === 'assistant'
  if (content.length === 0 && !isPrefill)
    return `messages.${at}: all messages must have non-empty content except for the optional final assistant message`
  const ending = isPrefill ? content.at(-1) : undefined
  if (ending?.type === 'text' && ending.text !== ending.text.trimEnd())
    return `messages.${at}: final assistant content cannot end with trailing whitespace`
  return (
    first(content, (block, index) => checkBlock(block, message.role, `messages.${at}.content.${index}`)) ??
    checkOrder(content, at)
  )
}

const ASSISTANT_ONLY: ReadonlySet<string> = new Set(['tool_use', 'thinking', 'redacted_thinking'])

function checkBlock(block: ClaudeBlock, role: string, path: string): string | undefined {
  if (block.type === 'text') return checkText(block.text, path)
  if (ASSISTANT_ONLY.has(block.type) && role !== 'assistant')
    return `${path}: \`${block.type}\` blocks can only be in \`assistant\` messages`
  if (block.type === 'tool_result') {
    if (role !== 'user') return `${path}: \`tool_result\` blocks can only be in \`user\` messages`
    const content = typeof block.content === 'string' ? [] : (block.content ?? [])
    return first(content, (inner, at) =>
      inner.type === 'text' ? checkText(inner.text, `${path}.content.${at}`) : undefined,
    )
  }
  if (block.type === 'thinking' && block.signature !== proofOf(block.thinking))
    return `${path}: Invalid \`signature\` in \`thinking\` block`
  if (block.type === 'redacted_thinking' && !isSealed(block.data))
    return `${path}: Invalid \`data\` in \`redacted_thinking\` block`
  return undefined
}

function checkText(text: string, path: string): string | undefined {
  if (text === '') return `${path}: text content blocks must be non-empty`
  return text.trim() === '' ? `${path}: text content blocks must contain non-whitespace text` : undefined
}

function checkOrder(content: readonly ClaudeBlock[], at: number): string | undefined {
  const firstOther = content.findIndex(({ type }) => type !== 'tool_result')
  const lastResult = content.findLastIndex(({ type }) => type === 'tool_result')
  return firstOther !== -1 && firstOther < lastResult
    ? `messages.${at}: \`tool_result\` blocks must come first in the content`
    : undefined
}

function checkSystem({ system }: ClaudeBody): string | undefined {
  if (system === undefined || typeof system === 'string') return undefined
  return first(system, ({ text }, at) => checkText(text, `system.${at}`))
}

/** Every call is answered in the very next message, and nothing else is. */
function checkPairs(messages: readonly ClaudeMessage[]): string | undefined {
  const seen = new Set<string>()
  return first(messages, (message, at) => {
    const before = messages[at - 1]
    const asked = before === undefined ? [] : callsOf(before)
    const given = blocksOf(message).flatMap((block) => (block.type === 'tool_result' ? [block.tool_use_id] : []))
    const stranger = given.find((id) => !asked.includes(id))
    if (stranger !== undefined)
      return `messages.${at}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${stranger}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message`
    if (new Set(given).size !== given.length) return `messages.${at}: each tool_use must have a single result`
    const open = asked.filter((id) => !given.includes(id))
    if (open.length > 0)
      return `messages.${at - 1}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${open.join(', ')}`
    const again = callsOf(message).find(
      (id) => seen.has(id) || callsOf(message).indexOf(id) !== callsOf(message).lastIndexOf(id),
    )
    for (const id of callsOf(message)) seen.add(id)
    return again === undefined ? undefined : 'messages: `tool_use` ids must be unique'
  })
}

function callsOf(message: ClaudeMessage): readonly string[] {
  return blocksOf(message).flatMap((block) => (block.type === 'tool_use' ? [block.id] : []))
}

function checkTools({ messages, tools = [], tool_choice: choice }: ClaudeBody): string | undefined {
  const used = messages.some((message) =>
    blocksOf(message).some(({ type }) => type === 'tool_use' || type === 'tool_result'),
  )
  if (used && tools.length === 0) return 'Requests which include `tool_use` or `tool_result` blocks must define tools'
  const names = tools.map(({ name }) => name)
  if (new Set(names).size !== names.length) return 'tools: Tool names must be unique'
  if (choice === undefined || choice.type === 'none') return undefined
  if (tools.length === 0) return 'tool_choice: tool_choice may only be specified while providing tools'
  return choice.type === 'tool' && !names.includes(choice.name)
    ? `Tool '${choice.name}' not found in provided tools`
    : undefined
}

function checkThinking(body: ClaudeBody): string | undefined {
  const { thinking, tool_choice: choice, temperature, top_k: topK, max_tokens: maxTokens } = body
  if (thinking === undefined || thinking.type === 'disabled') return undefined
  if (thinking.type === 'enabled' && maxTokens !== undefined && maxTokens <= thinking.budget_tokens)
    return '`max_tokens` must be greater than `thinking.budget_tokens`'
  if (choice?.type === 'any' || choice?.type === 'tool')
    return 'Thinking may not be enabled when tool_choice forces tool use.'
  if (temperature !== undefined && temperature !== 1)
    return '`temperature` may only be set to 1 when thinking is enabled'
  if (topK !== undefined) return '`top_k` must be unset when thinking is enabled'
  return checkLoop(body.messages)
}

/** While tools answer a turn, the turn has to begin with what was thought in it. */
function checkLoop(messages: readonly ClaudeMessage[]): string | undefined {
  const last = messages.at(-1)
  const before = messages.at(-2)
  if (last === undefined || before === undefined) return undefined
  if (!blocksOf(last).some(({ type }) => type === 'tool_result')) return undefined
  const found = blocksOf(before)[0]?.type ?? ''
  return found === 'thinking' || found === 'redacted_thinking'
    ? undefined
    : `messages.${messages.length - 2}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found \`${found}\``
}

const MAX_MARKS = 4

function checkMarks({ messages, system, tools = [] }: ClaudeBody): string | undefined {
  const blocks = [
    ...messages.flatMap((message) => blocksOf(message)),
    ...(typeof system === 'string' ? [] : (system ?? [])),
    ...tools,
  ]
  const found = blocks.filter((block) => 'cache_control' in block && block.cache_control !== undefined).length
  return found > MAX_MARKS ? `A maximum of 4 blocks with cache_control may be provided. Found ${found}.` : undefined
}

function first<Item>(
  items: readonly Item[],
  check: (item: Item, index: number) => string | undefined,
): string | undefined {
  for (const [index, item] of items.entries()) {
    const problem = check(item, index)
    if (problem !== undefined) return problem
  }
  return undefined
}
