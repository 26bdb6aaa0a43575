import { type Ask, textOfPart } from '#contract/ask.ts'

/**
 * Which conversation a request belongs to: the client's own id, else what stays the same in every turn of one
 * because clients send the whole history: the alias and the first message that is not a system message.
 */
export function conversationOf(ask: Ask): string {
  if (ask.conversation !== undefined) return `id\n${ask.conversation}`
  const first = ask.messages.find(({ role }) => role !== 'system')
  const text = first?.parts.map(textOfPart).join('\n') ?? ''
  return `first\n${ask.alias}\n${text}`
}
