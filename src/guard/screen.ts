import type { Ask, Message, Part, Tool } from '#contract/ask.ts'
import type { Passage } from '#contract/context.ts'
import { Refusal } from '#contract/refusal.ts'
import type { FindingCount, Screened } from '#contract/screened.ts'
import { RULES_VERSION, scan } from '#detect/scan.ts'
import { groundingText } from './grounding.ts'
import type { GuardProfile } from './profile.ts'
import { FindingTally, type Redaction, redact } from './redact.ts'
import type { LazyVault } from './vault.ts'

/** A request that the in-process detectors have been over: its texts may leave, but not to a model yet. */
export interface Draft {
  readonly ask: Ask
  readonly found: readonly FindingCount[]
  readonly profile: GuardProfile
  readonly vault: LazyVault
  /** Types whose action is `block`: `admit` refuses when there are any. */
  readonly blocking: readonly string[]
}

/**
 * Scans every text of the request that a model can see (messages, tool calls, tool results, tool definitions, and
 * the fields that pass through unread) and puts placeholders where the profile says so. Runs in-process: nothing
 * has left when it returns.
 */
export function screen(ask: Ask, profile: GuardProfile, vault: LazyVault): Draft {
  const tally = new FindingTally()
  const redaction: Redaction = { profile, vault, tally, where: 'prompt' }
  const clean: Ask = {
    ...ask,
    messages: ask.messages.map((message) => cleanMessage(message, redaction)),
    tools: ask.tools.map((tool) => cleanTool(tool, redaction)),
    rest: cleanRecord(ask.rest, redaction),
  }
  const found = tally.list()
  const blocking = found.filter(({ action }) => action === 'block').map(({ type }) => type)
  return { ask: clean, found, profile, vault, blocking }
}

/** @throws {Refusal} GUARD_BLOCKED when the profile blocks something that was found. */
export function admit(draft: Draft): void {
  if (draft.blocking.length === 0) return
  const kinds = draft.found
    .filter(({ action }) => action === 'block')
    .map(({ type, count }) => `${count} ${type}`)
    .join(', ')
  throw new Refusal('GUARD_BLOCKED', `the prompt holds ${kinds}, remove it and rotate what was real`, {
    param: 'messages',
  })
}

/**
 * Joins the request with what grounds it and makes the text that a model may be given.
 * Passages were screened at ingest; they are scanned again only when that was under other rules.
 */
export function seal(
  draft: Draft,
  passages: readonly Passage[],
): { readonly screened: Screened; readonly found: readonly FindingCount[] } {
  const tally = new FindingTally()
  const redaction: Redaction = { profile: draft.profile, vault: draft.vault, tally, where: 'passage' }
  const texts = passages.map((passage) => {
    const findings = passage.screened.rules === RULES_VERSION ? passage.screened.findings : scan(passage.text)
    return { source: passage.source, text: redact(passage.text, findings, redaction) }
  })
  const ask =
    texts.length === 0 ? draft.ask : { ...draft.ask, messages: withGrounding(draft.ask.messages, groundingText(texts)) }
  // The one place where the brand is given: after local screening, with the managed verdict awaited by the journey.
  return { screened: { ask } as Screened, found: tally.list() }
}

/** Behind the leading system messages, so that what a client sends first stays the longest common prefix. */
function withGrounding(messages: readonly Message[], text: string): Message[] {
  const at = messages.findIndex(({ role }) => role !== 'system')
  const lead = at === -1 ? messages.length : at
  return [...messages.slice(0, lead), { role: 'system', parts: [{ type: 'text', text }] }, ...messages.slice(lead)]
}

function cleanMessage(message: Message, redaction: Redaction): Message {
  const parts = message.parts.map((part) => cleanPart(part, redaction))
  return message.rest === undefined
    ? { role: message.role, parts }
    : { role: message.role, parts, rest: cleanRecord(message.rest, redaction) }
}

function cleanPart(part: Part, redaction: Redaction): Part {
  switch (part.type) {
    case 'text':
      return { type: 'text', text: clean(part.text, redaction) }
    case 'tool-call':
      return { ...part, arguments: clean(part.arguments, redaction) }
    case 'tool-result':
      return { ...part, text: clean(part.text, redaction) }
  }
}

function cleanTool(tool: Tool, redaction: Redaction): Tool {
  const description = tool.description === undefined ? undefined : clean(tool.description, redaction)
  const parameters = cleanRecord(tool.parameters, redaction)
  return tool.rest === undefined
    ? { name: tool.name, description, parameters }
    : { name: tool.name, description, parameters, rest: cleanRecord(tool.rest, redaction) }
}

const PLACEHOLDER = /<[A-Z][A-Z_]*_\d{5}>/

function clean(text: string, redaction: Redaction): string {
  // A history may come back with placeholders instead of originals: then the model may repeat them.
  if (PLACEHOLDER.test(text)) redaction.vault.opened()
  const findings = scan(text)
  return findings.length === 0 ? text : redact(text, findings, redaction)
}

function cleanRecord(record: Readonly<Record<string, unknown>>, redaction: Redaction): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(record))
    if (key !== '__proto__') copy[clean(key, redaction)] = cleanValue(record[key], redaction)
  return copy
}

function cleanValue(value: unknown, redaction: Redaction): unknown {
  if (typeof value === 'string') return clean(value, redaction)
  if (Array.isArray(value)) return value.map((item) => cleanValue(item, redaction))
  if (typeof value === 'object' && value !== null) return cleanRecord(value as Record<string, unknown>, redaction)
  return value
}
