import { hash } from 'node:crypto'
import { z } from 'zod'
import type { Message } from '#contract/ask.ts'
import { type Credential, type Cross, CrossFault, type Trip } from '#contract/crossing.ts'
import type { EntrySafety } from '#contract/entry.ts'
import type { Place } from '#contract/place.ts'
import { Refusal } from '#contract/refusal.ts'
import { Lru } from '#kit/lru.ts'
import type { Draft } from './screen.ts'

/** Azure AI Content Safety, `text:analyze`. */
export interface SafetyDeps {
  readonly cross: Cross
  readonly endpoint: string
  readonly place: Place
  readonly credential: Credential
  /** Milliseconds for the whole call. */
  readonly timeoutMs: number
  /** Messages that passed, by keyed hash: a conversation's history is not paid for again. */
  readonly passed: PassedMessages
}

export interface PassedMessages {
  has(text: string, severity: number): boolean
  add(text: string, severity: number): void
}

/** GA version whose shapes are checked here. */
const API_VERSION = '2024-09-01'
/** The service's limit of one text, in code points. */
const MAX_CODE_POINTS = 10_000
/** Neighbouring pieces of a longer text share this much, so that nothing is cut in two unseen. */
const OVERLAP = 400
/** Pieces that go side by side; the border allows as many calls. Longer new text is refused. */
const MAX_PIECES = 8
const CATEGORIES = ['Hate', 'SelfHarm', 'Sexual', 'Violence'] as const

/** Severity is optional in the service's schema: a missing one means that nothing was evaluated, not that it is 0. */
const AnalyzeResult = z.object({
  categoriesAnalysis: z.array(z.object({ category: z.string(), severity: z.number().int().min(0).max(7) })),
})

/** `key` keeps the hashes of texts from meaning anything outside this process. */
export function createPassedMessages(key: Uint8Array): PassedMessages {
  const passed = new Lru<string, true>(50_000)
  const secret = Buffer.from(key).toString('base64')
  const digest = (text: string, severity: number): string =>
    hash('sha256', `${secret}\n${API_VERSION}\n${severity}\n${text}`, 'base64')
  return {
    has: (text, severity) => passed.get(digest(text, severity)) === true,
    add: (text, severity) => passed.set(digest(text, severity), true),
  }
}

/**
 * Asks the managed safety check about what was not asked before: one call for all of it, or, for a text beyond the
 * service's limit, one for each piece, side by side.
 * @throws {Refusal} GUARD_UNAVAILABLE when there is no verdict and the profile fails closed; WIRE_TOO_LARGE when
 * the new text is longer than the service reads. A verdict of `block` is returned, so that it is recorded first.
 */
export async function check(deps: SafetyDeps | undefined, draft: Draft, trip: Trip): Promise<EntrySafety> {
  const { profile } = draft
  if (profile.managed === 'off') return { mode: 'off', over: [], verdict: 'not-asked' }
  if (deps === undefined) return unavailable(profile.onUnavailable, 'no managed check is configured')
  const fresh = draft.ask.messages
    .map(messageText)
    .filter((text) => text !== '' && !deps.passed.has(text, profile.severity))
  if (fresh.length === 0) return { mode: 'always', over: [], verdict: 'cached' }
  const text = fresh.join('\n\n')
  const pieces = piecesOf(text)
  if (pieces.length > MAX_PIECES) {
    const most = MAX_PIECES * (MAX_CODE_POINTS - OVERLAP)
    throw new Refusal(
      'WIRE_TOO_LARGE',
      `${text.length} characters of new text are more than the managed check reads, send at most ${most}`,
      {
        param: 'messages',
      },
    )
  }
  let severities: ReadonlyMap<string, number>
  try {
    severities = worst(await Promise.all(pieces.map((piece) => analyze(deps, piece, trip))))
  } catch (error) {
    if (error instanceof CrossFault && error.kind === 'aborted') throw error
    return unavailable(profile.onUnavailable, 'the managed check gave no verdict', error)
  }
  const over = [...severities]
    .filter(([, severity]) => severity >= profile.severity)
    .map(([category, severity]) => ({ category, severity }))
  if (over.length > 0) return { mode: 'always', over, verdict: 'block' }
  for (const passed of fresh) deps.passed.add(passed, profile.severity)
  return { mode: 'always', over, verdict: 'pass' }
}

/** @throws {Refusal} GUARD_BLOCKED when the managed check found too much. */
export function admitVerdict(safety: EntrySafety): void {
  if (safety.verdict !== 'block') return
  const what = safety.over.map(({ category, severity }) => `${category} ${severity}`).join(', ')
  throw new Refusal('GUARD_BLOCKED', `the safety check found ${what}, rephrase the prompt`, { param: 'messages' })
}

function unavailable(onUnavailable: 'refuse' | 'pass', message: string, cause?: unknown): EntrySafety {
  if (onUnavailable === 'pass') return { mode: 'always', over: [], verdict: 'unavailable' }
  throw new Refusal(
    'GUARD_UNAVAILABLE',
    `${message}, so nothing was sent to a model`,
    cause === undefined ? { retryAfterS: 2 } : { cause, retryAfterS: 2 },
  )
}

async function analyze(deps: SafetyDeps, text: string, trip: Trip): Promise<ReadonlyMap<string, number>> {
  const answer = await deps.cross(trip, {
    layer: 'safety',
    to: deps.place,
    method: 'POST',
    url: `${deps.endpoint}/contentsafety/text:analyze?api-version=${API_VERSION}`,
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ text, categories: CATEGORIES, outputType: 'EightSeverityLevels' }),
    credential: deps.credential,
    connectMs: deps.timeoutMs,
    firstByteMs: deps.timeoutMs,
    idleMs: deps.timeoutMs,
    totalMs: deps.timeoutMs,
    maxAnswerBytes: 65_536,
  })
  const body = await answer.text()
  if (answer.status !== 200) throw new Error(`the safety service answered ${answer.status}`)
  const { categoriesAnalysis } = AnalyzeResult.parse(JSON.parse(body))
  const severities = new Map(categoriesAnalysis.map(({ category, severity }) => [category, severity]))
  for (const category of CATEGORIES) {
    if (!severities.has(category)) throw new Error(`the safety service left out category ${category}`)
  }
  return severities
}

function messageText(message: Message): string {
  return message.parts.map((part) => (part.type === 'tool-call' ? part.arguments : part.text)).join('\n')
}

/** The text in pieces that the service reads, each at most its limit, neighbours overlapping. */
export function piecesOf(text: string): string[] {
  // A code point has one or two code units, so a text this short fits whatever it holds.
  if (text.length <= MAX_CODE_POINTS) return [text]
  const points = Array.from(text)
  const pieces: string[] = []
  for (let from = 0; ; from += MAX_CODE_POINTS - OVERLAP) {
    pieces.push(points.slice(from, from + MAX_CODE_POINTS).join(''))
    if (from + MAX_CODE_POINTS >= points.length) return pieces
  }
}

function worst(results: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const severities = new Map<string, number>()
  for (const result of results) {
    for (const [category, severity] of result)
      severities.set(category, Math.max(severity, severities.get(category) ?? 0))
  }
  return severities
}
