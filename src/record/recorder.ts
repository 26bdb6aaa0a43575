import type { Hmac } from 'node:crypto'
import { type Ask, textOfPart } from '#contract/ask.ts'
import type { ContextAnswer, Receipt } from '#contract/context.ts'
import { type Crossing, type Trip } from '#contract/crossing.ts'
import type {
  Attempt,
  Entry,
  EntryPolicy,
  EntryRoute,
  EntrySafety,
  ImageTally,
  Outcome,
  StageTime,
} from '#contract/entry.ts'
import { type Batch, type Event, NO_USAGE, type Usage, isContent } from '#contract/event.ts'
import type { LimitTally, Reservation } from '#contract/limit.ts'
import type { Permit, Release } from '#contract/permit.ts'
import { type Place, placeName } from '#contract/place.ts'
import type { Principal } from '#contract/principal.ts'
import { REFUSALS, Refusal, asRefusal } from '#contract/refusal.ts'
import type { Plan } from '#contract/route.ts'
import type { FindingCount } from '#contract/screened.ts'
import type { Target } from '#contract/target.ts'
import type { TenantDigests } from './digests.ts'
import { canonicalJson } from '#kit/canonical-json.ts'
import { MAX_ENTRY_BYTES } from '#tlog/bundle.ts'
import { lagOf } from './lag.ts'
import { requestEvent } from './ocsf.ts'
import { remoteStages } from './remote.ts'
import type { AuditLog } from './log.ts'

export interface RecordDeps {
  readonly log: AuditLog
  readonly digests: TenantDigests
  /** Where this process runs: the place of every stage that says no other. */
  readonly place: Place
  readonly nowEpochMs: () => number
  /** Sees every entry once it is durable, with its JSON (metrics, traces, the status page); must not throw. */
  readonly onEntry: (entry: Entry, text: string) => void
  /** What a refusal that hides a bug is told to. */
  readonly onBug: (requestId: string, cause: unknown) => void
}

export interface CallFacts {
  readonly trip: Trip
  readonly dialect: string
  readonly peer: string
}

/** Hex digits of a tenant's salt: 128 bits. */
const SALT_CHARS = 32
/** Bytes of text that one token stands for, when the upstream reported no usage. */
const CHARS_PER_TOKEN = 4

/**
 * Writes the one audit entry of a request, however it ends.
 * @throws {Refusal} RECORD_UNAVAILABLE when the trail can not be written: nothing is served unrecorded.
 */
export function openRecord(deps: RecordDeps, call: CallFacts): Recorder {
  const recorder = new Recorder(deps, call)
  if (deps.log.trouble !== undefined) {
    throw new Refusal('RECORD_UNAVAILABLE', 'the audit trail can not be written, so nothing is served', {
      retryAfterS: 5,
    })
  }
  return recorder
}

const NOT_ASKED: EntrySafety = {
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

export class Recorder {
  readonly stages: StageTime[] = []
  readonly attempts: Attempt[] = []
  readonly #deps: RecordDeps
  readonly #call: CallFacts
  readonly #startedEpochMs: number
  readonly #started = performance.now()
  readonly #here: string
  #principal: Principal | undefined
  #ask: Ask | undefined
  #permit: Permit | undefined
  #release: Release | undefined
  #found: FindingCount[] = []
  #safety: EntrySafety = NOT_ASKED
  #images: ImageTally | undefined
  #reservation: Reservation | undefined
  #receipt: Receipt | undefined
  #remote: readonly StageTime[] = []
  #plan: Plan | undefined
  #target: Target | undefined
  #from: 'cached' | 'shared' | 'fresh' = 'fresh'
  #firstContentMs = -1
  #usage: Usage = NO_USAGE
  #usageSeen = false
  #outputChars = 0
  #promptDigest = ''
  /** Policies that refused. */
  #refusing: readonly string[] = []
  #answer: Hmac | undefined
  #closing: Promise<void> | undefined

  constructor(deps: RecordDeps, call: CallFacts) {
    this.#deps = deps
    this.#call = call
    this.#startedEpochMs = deps.nowEpochMs()
    this.#here = placeName(deps.place)
  }

  /** Runs one stage and keeps its time, also when it throws. `place` is asked when the stage has ended; default: here. */
  async stage<T>(name: string, run: () => T | Promise<T>, place?: () => string | undefined): Promise<T> {
    const start = performance.now()
    try {
      return await run()
    } finally {
      this.#time(name, start, place?.() ?? this.#here)
    }
  }

  /** The same for a stage that never waits: no promise is made. */
  stageNow<T>(name: string, run: () => T): T {
    const start = performance.now()
    try {
      return run()
    } finally {
      this.#time(name, start, this.#here)
    }
  }

  identified(principal: Principal): void {
    this.#principal = principal
  }

  /** The body of the request, before it is decoded; the caller is known by then. */
  readonly bodySeen = (body: string): void => {
    if (this.#principal !== undefined) this.#promptDigest = this.#deps.digests.of(this.#principal.tenant, body)
  }

  asked(ask: Ask): void {
    this.#ask = ask
  }

  permitted(permit: Permit): void {
    this.#permit = permit
  }

  found(counts: readonly FindingCount[]): void {
    this.#found.push(...counts)
  }

  pictured(images: ImageTally | undefined): void {
    this.#images = images
  }

  /** What limits hold for the request: settled with its entry, however it ends. */
  reserved(reservation: Reservation | undefined): void {
    this.#reservation = reservation
  }

  checked(safety: EntrySafety): void {
    this.#safety = safety
  }

  grounded(context: ContextAnswer | undefined): void {
    if (context === undefined) return
    this.#receipt = context.receipt
    const crossing = this.#call.trip.crossings.findLast(({ layer }) => layer === 'data')
    if (crossing !== undefined) this.#remote = remoteStages(context.spans, crossing, this.#startedEpochMs)
  }

  released(release: Release): void {
    this.#release = release
  }

  /** A name for the tenant that means nothing elsewhere: servers keep the caches of tenants apart by it. */
  saltOf({ tenant }: Principal): string {
    return this.#deps.digests.of(tenant, 'cache_salt').slice(0, SALT_CHARS)
  }

  planned(plan: Plan): Plan {
    this.#plan = plan
    return plan
  }

  served(target: Target, from: 'cached' | 'shared' | 'fresh' = 'fresh'): void {
    this.#target = target
    this.#from = from
  }

  /**
   * Hands the answer on and closes the entry at its end: read to the end, broken, or left early. `found` says what was
   * found in it by then.
   */
  follow(answer: AsyncIterable<Batch>, found?: () => readonly FindingCount[]): AsyncIterable<Batch> {
    const source = answer[Symbol.asyncIterator]()
    const streamStart = performance.now()
    const place = this.#target === undefined ? this.#here : placeName(this.#target.place)
    const ended = (): void => {
      if (this.#closing !== undefined) return
      this.#time('stream', streamStart, place)
      if (found !== undefined) this.found(found())
    }
    const next = async (): Promise<IteratorResult<Batch>> => {
      try {
        const step = await source.next()
        if (step.done === true) throw new Refusal('INFER_CUT', 'the answer ended before the model said it was done')
        if (this.#see(step.value)) {
          ended()
          await this.#close('answered', 200, '')
        }
        return step
      } catch (error) {
        ended()
        throw await this.refuse(error)
      }
    }
    let finished = false
    const iterator: AsyncIterator<Batch> = {
      next: async () => {
        if (finished) return { done: true, value: undefined }
        const step = await next()
        if (step.done !== true && step.value.some(({ type }) => type === 'end')) finished = true
        return step
      },
      // A caller who leaves, also before the first event, ends here.
      return: async () => {
        ended()
        try {
          await source.return?.()
        } finally {
          await this.#close('abandoned', REFUSALS.CALLER_GONE.status, 'CALLER_GONE')
        }
        return { done: true, value: undefined }
      },
    }
    return { [Symbol.asyncIterator]: () => iterator }
  }

  /** Closes the entry for a request that ends in an error, and returns the refusal that the caller gets. */
  async refuse(thrown: unknown): Promise<Refusal> {
    const refusal =
      this.#call.trip.signal.aborted && !(thrown instanceof Refusal && thrown.code === 'RECORD_UNAVAILABLE')
        ? new Refusal('CALLER_GONE', 'the caller closed the connection before the end', { cause: thrown })
        : asRefusal(thrown)
    this.#refusing = refusal.policies
    if (refusal.code === 'INTERNAL') this.#deps.onBug(this.#call.trip.requestId, refusal.cause)
    try {
      await this.#close(outcomeOf(refusal), refusal.status, refusal.code)
    } catch (error) {
      return asRefusal(error)
    }
    return refusal
  }

  /** One `server-timing` entry a stage so far: name, milliseconds, place. */
  serverTiming(): string {
    const parts: string[] = []
    for (const { stage, ms, place } of this.stages)
      parts.push(parts.length === 0 ? stage : `, ${stage}`, ';dur=', String(ms), ';desc="', place, '"')
    return parts.join('')
  }

  #time(stage: string, start: number, place: string): void {
    const ms = round(performance.now() - start)
    this.stages.push({ ms, place, stage, startMs: round(start - this.#started) })
  }

  /** Whether the batch holds the end. */
  #see(batch: Batch): boolean {
    let isEnd = false
    for (const event of batch) {
      if (this.#firstContentMs < 0 && isContent(event)) this.#firstContentMs = round(performance.now() - this.#started)
      if (event.type === 'usage') {
        this.#usage = event.usage
        this.#usageSeen = true
      } else if (event.type === 'end') isEnd = true
      else {
        this.#outputChars += charsOf(event)
        if (event.type === 'text-delta' && this.#principal !== undefined) {
          this.#answer ??= this.#deps.digests.begin(this.#principal.tenant)
          this.#answer.update(event.text)
        }
      }
    }
    return isEnd
  }

  async #close(outcome: Outcome, status: number, code: string): Promise<void> {
    this.#closing ??= this.#write(outcome, status, code)
    await this.#closing
  }

  async #write(outcome: Outcome, status: number, code: string): Promise<void> {
    let entry: Entry
    try {
      entry = this.#entry(outcome, status, code)
    } finally {
      // Settled with the entry, unless a fault of ours kept it from being made.
      this.#reservation?.settle(undefined)
    }
    try {
      // A digest whose key could be lost would say nothing.
      if (this.#deps.digests.pending !== undefined) await this.#deps.digests.pending
      const text = entryText(entry)
      await this.#deps.log.append(text)
      this.#deps.onEntry(entry, text)
    } catch (error) {
      throw new Refusal('RECORD_UNAVAILABLE', 'the audit trail can not be written, so the answer is not given out', {
        cause: error,
        retryAfterS: 5,
      })
    }
  }

  #entry(outcome: Outcome, status: number, code: string): Entry {
    const { trip } = this.#call
    const { usage, usageEstimated } = this.#usageSoFar()
    const crossings = trip.crossings.map(settled)
    const cost = this.#cost(crossings, usage)
    const name = this.#permit?.logging === 'pseudonymous' ? this.#pseudonym : (value: string): string => value
    return {
      alias: this.#ask?.alias ?? '',
      atEpochMs: this.#startedEpochMs,
      attempts: this.attempts,
      code,
      cost,
      crossings,
      dialect: this.#call.dialect,
      digests: { answer: this.#answer?.digest('hex') ?? '', prompt: this.#promptDigest },
      findings: this.#found,
      firstContentMs: this.#firstContentMs,
      id: trip.requestId,
      images: this.#images,
      lag: lagOf(this.stages),
      limits: this.#settle(cost.modelMicroUsd + cost.egressMicroUsd, usage, usageEstimated),
      model: this.#target?.model ?? '',
      ms: round(performance.now() - this.#started),
      outcome,
      peer: name(this.#call.peer),
      policy: entryPolicy(this.#permit, this.#release, this.#refusing),
      principal: entryPrincipal(this.#principal, name),
      provider: this.#target?.provider ?? '',
      receipt: this.#receipt && { ...this.#receipt, subject: name(this.#receipt.subject) },
      remote: this.#remote,
      route: this.#route(),
      safety: this.#safety,
      stages: this.stages,
      status,
      stream: this.#ask?.stream ?? false,
      target: this.#target?.name ?? '',
      traceId: trip.traceId,
      usage,
      usageEstimated,
    }
  }

  /** An answer that was kept, or that another request pays for, costs nothing; what it would have is said. */
  #cost(crossings: readonly Crossing[], usage: Usage): Entry['cost'] {
    const egressMicroUsd = egressCost(crossings)
    const micro = modelCost(this.#target, usage)
    if (this.#from !== 'fresh') return { egressMicroUsd, modelMicroUsd: 0, savedMicroUsd: micro }
    let lost = 0
    for (const { lostMicroUsd = 0 } of this.attempts) lost += lostMicroUsd
    return { egressMicroUsd, modelMicroUsd: round(micro + lost) }
  }

  #route(): EntryRoute | undefined {
    if (this.#from !== 'fresh') return { kind: this.#from, line: '' }
    if (this.#plan === undefined) return undefined
    const answered = this.attempts.find(({ error }) => error === '')
    const kind =
      answered?.role ?? (answered !== undefined && answered !== this.attempts[0] ? 'fallback' : this.#plan.kind)
    return { kind, line: this.#plan.line() }
  }

  /** Counts what the request came to; a request that nobody was asked about and nothing was paid for counts for nothing. */
  #settle(costMicroUsd: number, usage: Usage, isEstimated: boolean): LimitTally | undefined {
    const microUsd = costMicroUsd + this.#safety.microUsd
    // A kept answer, or one that another request pays for, takes no tokens.
    const isFresh = this.#from === 'fresh'
    const outputTokens = isFresh ? usage.output + usage.reasoning : 0
    return this.#reservation?.settle({
      isCounted: this.attempts.length > 0 || microUsd > 0,
      tokens: !isFresh ? 0 : usage.input + usage.cachedRead + usage.cachedWrite + outputTokens,
      outputTokens,
      microUsd,
      isEstimated,
    })
  }

  /** A name that only the holder of the tenant's key can link to the caller. */
  readonly #pseudonym = (value: string): string => {
    if (value === '' || this.#principal === undefined) return value
    return `p-${this.#deps.digests.of(this.#principal.tenant, value).slice(0, 32)}`
  }

  /** What the upstream reported, or an estimate from what was asked and seen when it was cut. */
  #usageSoFar(): { readonly usage: Usage; readonly usageEstimated: boolean } {
    if (this.#usageSeen || this.#target === undefined) return { usage: this.#usage, usageEstimated: false }
    const input = Math.ceil(inputChars(this.#ask) / CHARS_PER_TOKEN)
    return {
      usage: { ...NO_USAGE, input, output: Math.ceil(this.#outputChars / CHARS_PER_TOKEN) },
      usageEstimated: true,
    }
  }
}

function outcomeOf(refusal: Refusal): Outcome {
  if (refusal.code === 'CALLER_GONE') return 'abandoned'
  if (refusal.code === 'GUARD_BLOCKED') return 'blocked'
  if (refusal.code === 'POLICY_DENIED' || refusal.code === 'CONTEXT_FORBIDDEN') return 'denied'
  return refusal.status >= 500 ? 'failed' : 'refused'
}

/**
 * The entry as it stands in the log. One that is longer than the log takes (a token with hundreds of roles, a receipt
 * of hundreds of passages) lists fewer of them: what happened has to be written, whatever the size of its parts.
 */
function entryText(entry: Entry): string {
  const text = canonicalJson(requestEvent(entry))
  // A code unit is at most three bytes in UTF-8: most texts need no counting.
  if (text.length * 3 <= MAX_ENTRY_BYTES || Buffer.byteLength(text) <= MAX_ENTRY_BYTES) return text
  const { principal, receipt } = entry
  return canonicalJson(
    requestEvent({
      ...entry,
      principal: principal && { ...principal, roles: principal.roles.slice(0, MAX_LISTED), agent: undefined },
      receipt: receipt && { ...receipt, reads: receipt.reads.slice(0, MAX_LISTED).map(shortRead) },
    }),
  )
}

const MAX_LISTED = 50
const MAX_NAME_CHARS = 200

function shortRead({ collection, digest, document }: Receipt['reads'][number]): Receipt['reads'][number] {
  return { collection, digest, document: document.slice(0, MAX_NAME_CHARS) }
}

/** Groups that an entry lists. */
const MAX_GROUPS = 50

function entryPrincipal(principal: Principal | undefined, name: (value: string) => string): Entry['principal'] {
  if (principal === undefined) return undefined
  const { agent, client, credentialId, groups, kind, roles, subject, tenant, via } = principal
  return {
    agent,
    client: client === undefined ? '' : name(client),
    credentialId: name(credentialId),
    groupCount: groups.length,
    groups: groups.length > MAX_GROUPS ? groups.slice(0, MAX_GROUPS) : groups,
    kind,
    roles,
    subject: name(subject),
    tenant,
    via,
  }
}

function entryPolicy(
  permit: Permit | undefined,
  release: Release | undefined,
  refusing: readonly string[],
): EntryPolicy {
  const decided = permit === undefined || refusing.length > 0 ? refusing : permit.policies
  const released = release?.policies ?? []
  return {
    collections: permit?.collections ?? [],
    forbidden: release?.forbidden.map(({ target }) => target) ?? [],
    guardProfile: permit?.guardProfile ?? '',
    jurisdictions: permit?.jurisdictions,
    logging: permit?.logging ?? 'standard',
    policies: released.length === 0 ? decided : [...decided, ...released],
    purpose: permit?.purpose ?? '',
    retentionDays: permit?.retentionDays,
  }
}

function charsOf(event: Event): number {
  if (event.type === 'text-delta' || event.type === 'reasoning-delta') return event.text.length
  return event.type === 'tool-call-delta' ? event.arguments.length : 0
}

function inputChars(ask: Ask | undefined): number {
  let chars = 0
  for (const message of ask?.messages ?? []) {
    for (const part of message.parts) chars += textOfPart(part).length
  }
  return chars
}

/** Millionths of a USD: tokens times USD a million tokens. */
function modelCost(target: Target | undefined, usage: Usage): number {
  if (target === undefined) return 0
  const { usdPerMillionInput, usdPerMillionCachedInput, usdPerMillionOutput } = target.price
  return round(
    (usage.input + usage.cachedWrite) * usdPerMillionInput +
      usage.cachedRead * usdPerMillionCachedInput +
      (usage.output + usage.reasoning) * usdPerMillionOutput,
  )
}

function egressCost(crossings: readonly Crossing[]): number {
  let sum = 0
  for (const crossing of crossings) sum += crossing.egressMicroUsd
  return round(sum)
}

/** A copy that stays as it is; a call that nobody waits for any more is as long as it has been until now. */
function settled(crossing: Crossing): Crossing {
  const isOpen = crossing.ms === 0 && crossing.error === ''
  return isOpen ? { ...crossing, ms: Math.max(0, Date.now() - crossing.atEpochMs) } : { ...crossing }
}

/** Three decimals: microseconds for times, billionths of a USD for money. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
