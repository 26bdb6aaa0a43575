import { type Ask, type Message, textOfPart } from '#contract/ask.ts'
import { CrossFault, type Trip } from '#contract/crossing.ts'
import type { EntrySafety } from '#contract/entry.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Finding } from '#contract/screened.ts'
import type { GuardProfile } from '#guard/profile.ts'
import type { CleanPassages, Draft } from '#guard/screen.ts'
import { type AnswerService, type ManagedService, NoVerdict, type Segment, recordsOf } from './service.ts'
import type { VerdictCache } from './verdicts.ts'

export interface ManagedDeps {
  /** All of them are asked, side by side; each has to give a verdict. */
  readonly services: readonly ManagedService[]
  readonly verdicts: VerdictCache
  /** Asked about answers, where a profile wants it. */
  readonly answer?: AnswerService | undefined
}

/** How the managed check came out, and what it wants replaced, by text. */
export interface Verdict {
  readonly safety: EntrySafety
  readonly spans: ReadonlyMap<string, readonly Finding[]>
}

/** New text of one request that the services are asked about: what the border's calls of one request can carry. */
const MAX_FRESH_CHARS = 76_000
export const NOTHING: ReadonlyMap<string, readonly Finding[]> = new Map()
export const NOT_ASKED: EntrySafety = {
  microUsd: 0,
  mode: 'off',
  over: [],
  problem: '',
  records: 0,
  savedMicroUsd: 0,
  services: [],
  shadow: false,
  verdict: 'not-asked',
}

/**
 * Asks the managed services about what was not asked before. A verdict of `block` or `unavailable` is returned, so
 * that it is recorded before `admitVerdict` refuses.
 */
export function check(deps: ManagedDeps | undefined, draft: Draft, trip: Trip): Promise<Verdict> | Verdict {
  return judge(deps, draft.profile, segmentsOf(draft.ask), draft.risk, trip)
}

/** The same for passages that were fetched: they may carry orders of their own, so their risk is not the prompt's. */
export function vet(
  deps: ManagedDeps | undefined,
  profile: GuardProfile,
  { texts }: CleanPassages,
  trip: Trip,
): Promise<Verdict> | Verdict {
  const segments = texts.map(({ text }): Segment => ({ text, kind: 'document' }))
  return judge(deps, profile, segments, 1, trip)
}

function judge(
  deps: ManagedDeps | undefined,
  profile: GuardProfile,
  segments: readonly Segment[],
  risk: number,
  trip: Trip,
): Promise<Verdict> | Verdict {
  const { managed: mode, shadow } = profile
  if (mode === 'off') return { safety: NOT_ASKED, spans: NOTHING }
  const base: EntrySafety = { ...NOT_ASKED, mode, shadow, services: deps?.services.map(({ name }) => name) ?? [] }
  if (deps === undefined || deps.services.length === 0)
    return { safety: { ...base, verdict: 'unavailable', problem: 'no managed check is configured' }, spans: NOTHING }
  const { fresh, spans, savedMicroUsd, skipped } = sort(deps, profile, segments, risk)
  if (fresh.length > 0) return judgeFresh(deps, profile, { fresh, spans, base: { ...base, savedMicroUsd } }, trip)
  return { safety: { ...base, savedMicroUsd, verdict: skipped ? 'skipped' : 'cached' }, spans }
}

interface Sorted {
  readonly fresh: Segment[]
  /** Spans of texts that were judged before. */
  readonly spans: Map<string, readonly Finding[]>
  readonly savedMicroUsd: number
  readonly skipped: boolean
}

/** What has to be asked, what is known, and what the profile lets pass unasked. */
function sort(deps: ManagedDeps, profile: GuardProfile, segments: readonly Segment[], risk: number): Sorted {
  const isCalm = profile.managed === 'by-risk' && risk < profile.riskFrom
  const spans = new Map<string, readonly Finding[]>()
  const fresh: Segment[] = []
  const seen = new Set<string>()
  let savedRecords = 0
  let skipped = false
  for (const segment of segments) {
    const { text } = segment
    if (text === '' || seen.has(text)) continue
    seen.add(text)
    const known = deps.verdicts.get(keyOf(deps, profile, segment))
    if (known !== undefined) {
      if (known.length > 0) spans.set(text, known)
      savedRecords += recordsOf(text)
    } else if (isCalm || (profile.managed === 'sample' && deps.verdicts.share(text) >= profile.sample)) {
      skipped = true
      savedRecords += recordsOf(text)
    } else fresh.push(segment)
  }
  const price = deps.services.reduce((sum, { usdPerThousandRecords }) => sum + usdPerThousandRecords, 0)
  return { fresh, spans, skipped, savedMicroUsd: savedRecords * price * 1000 }
}

async function judgeFresh(
  deps: ManagedDeps,
  profile: GuardProfile,
  { fresh, spans, base }: { fresh: readonly Segment[]; spans: Map<string, readonly Finding[]>; base: EntrySafety },
  trip: Trip,
): Promise<Verdict> {
  const chars = fresh.reduce((sum, { text }) => sum + text.length, 0)
  if (chars > MAX_FRESH_CHARS) {
    throw new Refusal(
      'WIRE_TOO_LARGE',
      `${chars} characters of new text are more than the managed check reads, send at most ${MAX_FRESH_CHARS}`,
      { param: 'messages' },
    )
  }
  const answers = await Promise.allSettled(deps.services.map((service) => service.judge(fresh, trip)))
  const severities = new Map<string, number>()
  const own: Finding[][] = fresh.map(() => [])
  let [records, microUsd] = [0, 0]
  let problem = ''
  for (const [at, answer] of answers.entries()) {
    const service = deps.services[at]
    if (service === undefined) continue
    if (answer.status === 'rejected') {
      if (isGone(answer.reason)) throw answer.reason
      problem ||= `${service.name}: ${problemOf(answer.reason)}`
      continue
    }
    records += answer.value.records
    microUsd += answer.value.records * service.usdPerThousandRecords * 1000
    for (const [category, severity] of answer.value.severities)
      severities.set(category, Math.max(severity, severities.get(category) ?? 0))
    for (const [index, found] of answer.value.spans.entries()) own[index]?.push(...found)
  }
  for (const [at, { text }] of fresh.entries()) {
    const found = own[at] ?? []
    if (found.length > 0) spans.set(text, found)
  }
  const over = [...severities]
    .filter(([, severity]) => severity >= profile.severity)
    .map(([category, severity]) => ({ category, severity }))
  const safety = { ...base, microUsd, over, problem, records }
  if (over.length > 0) return { safety: { ...safety, verdict: 'block' }, spans }
  if (problem !== '') return { safety: { ...safety, verdict: 'unavailable' }, spans }
  for (const [at, segment] of fresh.entries()) deps.verdicts.set(keyOf(deps, profile, segment), own[at] ?? [])
  return { safety: { ...safety, verdict: 'pass' }, spans }
}

/** Two verdicts of one request as one: the worse counts, costs add up. */
export function both(one: Verdict, other: Verdict): Verdict {
  const worse = WORST.find((verdict) => verdict === one.safety.verdict || verdict === other.safety.verdict)
  return {
    safety: {
      ...one.safety,
      microUsd: one.safety.microUsd + other.safety.microUsd,
      over: [...one.safety.over, ...other.safety.over],
      problem: one.safety.problem || other.safety.problem,
      records: one.safety.records + other.safety.records,
      savedMicroUsd: one.safety.savedMicroUsd + other.safety.savedMicroUsd,
      services: [...new Set([...one.safety.services, ...other.safety.services])],
      verdict: worse ?? one.safety.verdict,
    },
    spans: new Map([...one.spans, ...other.spans]),
  }
}

/** From the worst on: what is asked about weighs more than what was known. */
const WORST = ['block', 'unavailable', 'pass', 'cached', 'skipped', 'not-asked'] as const

/** Refuses by the verdict. In shadow the entry says what would have been, and the request goes on. */
export function admitVerdict(
  { safety: { verdict, over, problem, shadow } }: Verdict,
  { onUnavailable }: GuardProfile,
): void {
  if (shadow) return
  if (verdict === 'block') {
    const what = over.map(({ category, severity }) => `${category} ${severity}`).join(', ')
    throw new Refusal('GUARD_BLOCKED', `the safety check found ${what}, rephrase the prompt`, { param: 'messages' })
  }
  if (verdict === 'unavailable' && onUnavailable === 'refuse') {
    throw new Refusal(
      'GUARD_UNAVAILABLE',
      `the managed check gave no verdict (${problem}), so nothing was sent to a model`,
      {
        retryAfterS: 2,
      },
    )
  }
}

/** The same for an answer, which is not held back any longer than it takes: the error ends it. */
export function admitAnswer({ safety: { verdict, problem, shadow } }: Verdict, { onUnavailable }: GuardProfile): void {
  if (shadow) return
  if (verdict === 'block')
    throw new Refusal(
      'GUARD_BLOCKED',
      "the model's answer holds protected material, which this profile does not give out",
    )
  if (verdict === 'unavailable' && onUnavailable === 'refuse')
    throw new Refusal('GUARD_UNAVAILABLE', `the check of the answer gave no verdict (${problem})`, { retryAfterS: 2 })
}

/** The verdict depends on the services and their versions, on the profile's limit, and on how the text is asked about. */
function keyOf({ services, verdicts }: ManagedDeps, { severity }: GuardProfile, { text, kind }: Segment): string {
  const basis = services.map(({ name, version }) => `${name} ${version}`).join('\n')
  return verdicts.key(text, `${basis}\n${severity}\n${kind}`)
}

export function isGone(reason: unknown): boolean {
  return reason instanceof CrossFault && reason.kind === 'aborted'
}

/** Statuses, kinds and fields: never a text of the request. */
export function problemOf(reason: unknown): string {
  if (reason instanceof NoVerdict) return reason.message
  if (reason instanceof CrossFault) return reason.kind === 'rule' ? reason.message : reason.kind
  if (reason instanceof Refusal) return reason.code
  return 'failed'
}

/** Every text of the request that a model can see, as the in-process detectors left it. */
function segmentsOf(ask: Ask): Segment[] {
  const segments = ask.messages.flatMap(messageSegments)
  if (ask.tools.length > 0) segments.push({ text: JSON.stringify(ask.tools), kind: 'document' })
  return segments
}

function messageSegments({ role, parts }: Message): Segment[] {
  return parts.map((part): Segment => {
    if (part.type === 'tool-call') return { text: part.arguments, kind: 'document' }
    return { text: textOfPart(part), kind: part.type === 'tool-result' || role === 'tool' ? 'document' : 'prompt' }
  })
}
