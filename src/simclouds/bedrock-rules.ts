import type { ConverseBody, ConverseMessage } from './bedrock-shapes.ts'

/** What the service checks beyond the shapes. Undefined when all is well, else the reason to refuse. */
export function checkConversation(body: ConverseBody): string | undefined {
  return (
    checkTurns(body.messages) ??
    first(body.messages, (message, index) => checkMessage(message, index, index === body.messages.length - 1)) ??
    first(body.system ?? [], ({ text }, index) => (isBlank(text) ? `system.${index}: the text is blank` : undefined)) ??
    checkToolPairs(body.messages) ??
    checkToolConfig(body)
  )
}

function checkTurns(messages: readonly ConverseMessage[]): string | undefined {
  if (messages[0]?.role !== 'user') return 'a conversation must start with a user message'
  return first(messages, (message, index) =>
    message.role === messages[index - 1]?.role
      ? `messages.${index}: roles must alternate between user and assistant`
      : undefined,
  )
}

function checkMessage(message: ConverseMessage, index: number, isLast: boolean): string | undefined {
  const at = `messages.${index}.content`
  if (message.content.length === 0) return `${at} is empty`
  const blank = message.content.findIndex((block) => isBlank(block.text))
  if (blank !== -1) return `${at}.${blank}: the text is blank`
  if (message.role === 'user') return checkUserOrder(message, at)
  const misplaced = message.content.findIndex((block) => block.toolResult !== undefined)
  if (misplaced !== -1) return `${at}.${misplaced}: toolResult belongs into a user message`
  const firstUse = message.content.findIndex((block) => block.toolUse !== undefined)
  if (firstUse !== -1 && message.content.slice(firstUse).some((block) => block.text !== undefined)) {
    return `${at}: text must come before toolUse`
  }
  const ending = message.content.at(-1)?.text
  return isLast && ending !== undefined && ending !== ending.trimEnd()
    ? `${at}: the last assistant text must not end in white space`
    : undefined
}

function checkUserOrder(message: ConverseMessage, at: string): string | undefined {
  const misplaced = message.content.findIndex(
    (block) => block.toolUse !== undefined || block.reasoningContent !== undefined,
  )
  if (misplaced !== -1) return `${at}.${misplaced}: toolUse and reasoningContent belong into an assistant message`
  const firstOther = message.content.findIndex((block) => block.toolResult === undefined)
  const lastResult = message.content.findLastIndex((block) => block.toolResult !== undefined)
  return firstOther !== -1 && firstOther < lastResult ? `${at}: toolResult blocks must come first` : undefined
}

/** Every call is answered in the very next message, and nothing else is. */
function checkToolPairs(messages: readonly ConverseMessage[]): string | undefined {
  return first(messages, (message, index) => {
    const asked = message.content.flatMap((block) => block.toolUse?.toolUseId ?? [])
    if (new Set(asked).size !== asked.length) return `messages.${index}: toolUseId must be unique`
    const given = message.content.flatMap((block) => block.toolResult?.toolUseId ?? [])
    const before = messages[index - 1]?.content.flatMap((block) => block.toolUse?.toolUseId ?? []) ?? []
    if (given.length > before.length) {
      return `messages.${index}: more toolResult blocks than toolUse blocks in the turn before`
    }
    const stranger = given.find((id) => !before.includes(id))
    if (stranger !== undefined) return `messages.${index}: no toolUse ${stranger} in the turn before`
    const open = message.role === 'user' ? before.find((id) => !given.includes(id)) : undefined
    return open === undefined ? undefined : `messages.${index}: toolUse ${open} has no toolResult`
  })
}

function checkToolConfig(body: ConverseBody): string | undefined {
  const usesTools = body.messages.some(({ content }) =>
    content.some((block) => block.toolUse !== undefined || block.toolResult !== undefined),
  )
  if (usesTools && body.toolConfig === undefined) {
    return 'toolConfig must be defined when a message has toolUse or toolResult blocks'
  }
  const names = (body.toolConfig?.tools ?? []).flatMap(({ toolSpec }) => toolSpec?.name ?? [])
  if (body.toolConfig !== undefined && names.length === 0) return 'toolConfig.tools has no toolSpec'
  if (new Set(names).size !== names.length) return 'toolConfig.tools: names must be unique'
  const chosen = body.toolConfig?.toolChoice?.tool?.name
  return chosen !== undefined && !names.includes(chosen)
    ? `toolConfig.toolChoice names ${chosen}, which is not among the tools`
    : checkSchemas(body)
}

function checkSchemas(body: ConverseBody): string | undefined {
  return first(body.toolConfig?.tools ?? [], ({ toolSpec }, index) =>
    toolSpec !== undefined && toolSpec.inputSchema.json['type'] !== 'object'
      ? `toolConfig.tools.${index}: inputSchema.json.type must be object`
      : undefined,
  )
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

function isBlank(text: string | undefined): boolean {
  return text !== undefined && text.trim() === ''
}
