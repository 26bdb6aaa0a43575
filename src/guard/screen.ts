import { setImmediate } from 'node:timers/promises'
import type { Ask, Message } from '#contract/ask.ts'
import type { Passage } from '#contract/context.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Finding, FindingCount, Screened } from '#contract/screened.ts'
import { LONG_CHARS, scanLong } from '#detect/scan-long.ts'
import { scanParts } from '#detect/scan-parts.ts'
import { RULES_VERSION, scan } from '#detect/scan.ts'
import { groundingText } from './grounding.ts'
import { firstLook } from './look.ts'
import { type GuardProfile, actionFor } from './profile.ts'
import { FindingTally, type Redaction, redact } from './redact.ts'
import { type Treatment, treated, withText } from './texts.ts'
import type { LazyVault } from './vault.ts'

/** A request that the in-process detectors have been over: its texts may leave, but not to a model yet. */
export interface Draft {
  readonly ask: Ask
  readonly found: readonly FindingCount[]
  readonly profile: GuardProfile
  readonly vault: LazyVault
  /** Types whose action is `block`: `admit` refuses when there are any. */
  readonly blocking: readonly string[]
  /** How risky the prompt looks, 0 to 1; 1 when something was found: decides whether `by-risk` profiles ask further. */
  readonly risk: number
}

/** What was found in texts before they are screened, by text. */
type Known = ReadonlyMap<string, readonly Finding[]>

const NOTHING_KNOWN: Known = new Map()

/**
 * Scans every text of the request that a model can see (messages, tool calls, tool results, tool definitions, stop
 * sequences, and the fields that pass through unread) and puts placeholders where the profile says so. Runs
 * in-process: nothing has left when it returns. For long requests use `screenLong`, which lets others go on.
 */
export function screen(ask: Ask, profile: GuardProfile, vault: LazyVault, known: Known = NOTHING_KNOWN): Draft {
  const tally = new FindingTally()
  // The same text has to give the same vector, whoever asks: placeholders differ by conversation.
  const oneWay = ask.operation === 'embed'
  const redaction: Redaction = { profile, vault, tally, where: 'prompt', oneWay }
  const findingsOf = (text: string): readonly Finding[] => known.get(text) ?? scan(text)
  const treating = (given: Redaction): Treatment => ({
    one: (text) => cleaned(text, findingsOf(text), given),
    adjacent: (texts) => {
      const found = scanParts(texts, findingsOf)
      return texts.map((text, at) => cleaned(text, found[at] ?? [], given))
    },
  })
  // What an application tells the model is not for its user: a value first seen there is not put back.
  const clean = treated(ask, treating(redaction), treating({ ...redaction, restorable: false }))
  countImages(ask, profile, tally)
  countSecrets(ask, profile, tally)
  const look = firstLook(clean, profile, tally)
  const found = tally.list()
  const blocking = found.filter(({ action }) => action === 'block').map(({ type }) => type)
  return { ask: clean, found, profile, vault, blocking, risk: found.length > 0 ? 1 : look }
}

/** Images can not be read here: the profile says whether they may leave at all; there is no way to redact one. */
function countImages({ messages }: Ask, profile: GuardProfile, tally: FindingTally): void {
  const given = actionFor(profile, 'IMAGE')
  if (given === 'allow') return
  const action = given === 'flag' ? 'flag' : 'block'
  for (const { parts } of messages) {
    for (const part of parts) {
      const images = part.type === 'image' ? 1 : part.type === 'tool-result' ? (part.images ?? []).length : 0
      for (let count = 0; count < images; count += 1) tally.add('IMAGE', action, 'prompt', profile.shadow)
    }
  }
}

/**
 * Values that the data plane is asked by: a key is what it is, so nothing in them is replaced, and no model sees them.
 * A secret does not leave here either way.
 */
function countSecrets({ ground }: Ask, profile: GuardProfile, tally: FindingTally): void {
  const given = [...(ground?.sql ?? []).map(({ params }) => params), ...(ground?.items ?? []).map(({ key }) => key)]
  for (const value of given.flatMap((values) => Object.values(values).flat())) {
    const secrets = typeof value === 'string' ? scan(value).filter(({ type }) => type === 'SECRET') : []
    for (const { type } of secrets) tally.add(type, 'block', 'prompt', profile.shadow)
  }
}

/** Whether the texts of a request are so long together that they are screened in slices. */
export function isLong(ask: Ask): boolean {
  let characters = 0
  textsOf(ask, (text) => (characters += text.length))
  return characters > LONG_CHARS
}

/** As `screen`, with other requests served in between. */
export async function screenLong(ask: Ask, profile: GuardProfile, vault: LazyVault): Promise<Draft> {
  const texts = new Set<string>()
  textsOf(ask, (text) => texts.add(text))
  const known = new Map<string, readonly Finding[]>()
  let sinceYield = 0
  for (const text of texts) {
    sinceYield += text.length
    if (sinceYield > LONG_CHARS) {
      sinceYield = text.length
      await setImmediate()
    }
    known.set(text, text.length > LONG_CHARS ? await scanLong(text) : scan(text))
  }
  return screen(ask, profile, vault, known)
}

function textsOf(ask: Ask, see: (text: string) => unknown): void {
  const one = (text: string): string => {
    see(text)
    return text
  }
  treated(ask, { one, adjacent: (texts) => texts.map((text) => one(text)) })
}

/** @throws {Refusal} GUARD_BLOCKED when the profile blocks something that was found. */
export function admit(draft: Draft): void {
  if (draft.blocking.length === 0) return
  const blocked = draft.found.filter(({ action }) => action === 'block')
  const kinds = blocked.map(({ type, count }) => `${count} ${type}`).join(', ')
  if (blocked.every(({ type }) => type === 'IMAGE'))
    throw new Refusal('GUARD_BLOCKED', 'the prompt holds images, which this profile does not let out: send text', {
      param: 'messages',
    })
  if (blocked.every(({ type }) => type === 'PROMPT_INJECTION' || type === 'TOXICITY'))
    throw new Refusal('GUARD_BLOCKED', `the prompt looks like ${kinds}, rephrase it`, { param: 'messages' })
  throw new Refusal('GUARD_BLOCKED', `the prompt holds ${kinds}, remove it and rotate what was real`, {
    param: 'messages',
  })
}

/** Passages as a model may see them: what was found in them is replaced. */
export interface CleanPassages {
  readonly texts: readonly { readonly source: Passage['source']; readonly text: string }[]
  readonly found: readonly FindingCount[]
}

export const NO_PASSAGES: CleanPassages = { texts: [], found: [] }

/** Passages were screened at ingest; they are scanned again only when that was under other rules. */
export function scrub({ profile, vault }: Draft, passages: readonly Passage[]): CleanPassages {
  const tally = new FindingTally()
  const redaction: Redaction = { profile, vault, tally, where: 'passage' }
  const texts = passages.map(({ source, text, screened }) => {
    const findings = screened.rules === RULES_VERSION ? screened.findings : scan(text)
    return { source, text: redact(text, findings, redaction) }
  })
  return { texts, found: tally.list() }
}

/**
 * Joins the request with what grounds it and makes the text that a model may be given.
 * @param further What managed services found beyond the in-process detectors, by text.
 */
export function seal(
  draft: Draft,
  { texts }: CleanPassages,
  further: ReadonlyMap<string, readonly Finding[]> = NOTHING_FURTHER,
): { readonly screened: Screened; readonly found: readonly FindingCount[] } {
  const tally = new FindingTally()
  const { ask: base, profile, vault } = draft
  const named = further.size === 0 ? base : furtherCleaned(draft, further, tally)
  const grounding: Redaction = { profile, vault, tally, where: 'passage' }
  const passages = texts.map(({ source, text }) => ({ source, text: redact(text, further.get(text) ?? [], grounding) }))
  const ask =
    passages.length === 0 ? named : { ...named, messages: withGrounding(named.messages, groundingText(passages)) }
  // The one place where the brand is given: after local screening, with the managed verdict awaited by the journey.
  return { screened: { ask } as Screened, found: tally.list() }
}

const NOTHING_FURTHER: ReadonlyMap<string, readonly Finding[]> = new Map()

/** The request with what a managed service found in its texts treated like what was found here. */
function furtherCleaned(
  { ask, profile, vault }: Draft,
  further: ReadonlyMap<string, readonly Finding[]>,
  tally: FindingTally,
): Ask {
  const redaction: Redaction = { profile, vault, tally, where: 'prompt', oneWay: ask.operation === 'embed' }
  return {
    ...ask,
    messages: ask.messages.map((message) => {
      const own = message.role === 'system' ? { ...redaction, restorable: false } : redaction
      const treat = (text: string): string => redact(text, further.get(text) ?? [], own)
      const parts = message.parts.map((part) => withText(part, treat))
      return { ...message, parts }
    }),
  }
}

/** Behind the leading system messages, so that what a client sends first stays the longest common prefix. */
function withGrounding(messages: readonly Message[], text: string): Message[] {
  const at = messages.findIndex(({ role }) => role !== 'system')
  const lead = at === -1 ? messages.length : at
  return [...messages.slice(0, lead), { role: 'system', parts: [{ type: 'text', text }] }, ...messages.slice(lead)]
}

const PLACEHOLDER = /<[A-Z][A-Z_]*_\d{5}>/

function cleaned(text: string, findings: readonly Finding[], redaction: Redaction): string {
  // A history may come back with placeholders instead of originals: then the model may repeat them.
  if (PLACEHOLDER.test(text)) redaction.vault.opened()
  return findings.length === 0 ? text : redact(text, findings, redaction)
}
