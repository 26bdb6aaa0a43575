import type { Message } from '#contract/ask.ts'

/** Said by the user where a target wants one to begin and the history begins with the assistant. */
export const OPENING = '(the conversation begins with the assistant)'

/** Only the leading run becomes the system prompt: moving later ones to the front would change what caches share. */
export function splitSystem(messages: readonly Message[]): {
  readonly system: readonly Message[]
  readonly others: readonly Message[]
} {
  const at = messages.findIndex(({ role }) => role !== 'system')
  const lead = at === -1 ? messages.length : at
  return { system: messages.slice(0, lead), others: messages.slice(lead) }
}

/** A system message in the middle, as the user's text: most targets know no other way. */
export function reminder(text: string): string {
  return `<system-reminder>\n${text}\n</system-reminder>`
}

/** Names of the tools that were called so far. */
export function namesInHistory(messages: readonly Message[]): string[] {
  const names = new Set<string>()
  for (const { parts } of messages) for (const part of parts) if (part.type === 'tool-call') names.add(part.name)
  return [...names]
}
