import type { Ask } from '#contract/ask.ts'
import { type Trip, detached } from '#contract/crossing.ts'
import type { Batch } from '#contract/event.ts'
import type { Permit, Release } from '#contract/permit.ts'
import type { Principal } from '#contract/principal.ts'
import type { Screened } from '#contract/screened.ts'
import type { Alias, Target } from '#contract/target.ts'
import { type BegunAnswer, Flight } from './flight.ts'
import { KeptAnswers } from './kept.ts'

export interface CacheDeps {
  readonly responses: Responses
  readonly targets: ReadonlyMap<string, Target>
  /** Keyed digest of a text, with the tenant's key. */
  readonly digest: (tenant: string, text: string) => string
  /** Bytes of all kept answers. */
  readonly bytes: number
}

export interface CacheRequest {
  readonly principal: Principal
  readonly alias: Alias
  readonly permit: Permit
  readonly release: Release
  readonly screened: Screened
  /** Value of the caller's `cache-control` header; `no-cache` and `no-store` are heeded. */
  readonly control: string | undefined
  readonly trip: Trip
}

/** An answer and where it is from. */
export interface Reused extends BegunAnswer {
  readonly from: 'cached' | 'shared' | 'fresh'
  /** Milliseconds since it was given first, for `cached`. */
  readonly ageMs: number
}

/** Answers kept and calls under way: outlives a reload of the configuration. */
export class Responses {
  readonly kept = new KeptAnswers()
  readonly flights = new Map<string, Flight>()
  readonly nowMs: () => number

  /** A clock that only rises, in milliseconds. */
  constructor(nowMs: () => number) {
    this.nowMs = nowMs
  }
}

/**
 * The answer to exactly this request, for this caller (or tenant, where policy says so): one that was kept, one that is
 * under way for somebody else, or a new one by `call`. What is kept is what the model said: the guard looks at it anew,
 * and originals are put back from the caller's own vault.
 */
export async function reuse(
  deps: CacheDeps,
  request: CacheRequest,
  call: (trip: Trip) => Promise<BegunAnswer>,
): Promise<Reused> {
  const { trip, control, alias, release } = request
  const key = keyOf(deps, request)
  if (key === undefined || alias.cache === undefined) return { ...(await call(trip)), from: 'fresh', ageMs: 0 }
  const { responses } = deps
  const { seconds } = alias.cache
  const isFresh = /\bno-(?:cache|store)\b/i.test(control ?? '')
  const kept = isFresh ? undefined : responses.kept.get(key, responses.nowMs())
  const target = kept && deps.targets.get(kept.target)
  // Policy may have changed since: what may not be asked may not answer either.
  if (kept !== undefined && target !== undefined && release.targets.includes(target.name)) {
    const { batches, dropped, atMs } = kept
    return { target, dropped, batches: replay(batches), from: 'cached', ageMs: responses.nowMs() - atMs }
  }
  const underWay = isFresh ? undefined : responses.flights.get(key)
  if (underWay !== undefined) return { ...(await underWay.join(trip.signal)), from: 'shared', ageMs: 0 }
  const flight: Flight = new Flight(
    (batches, { target: by, dropped }) => {
      if (isWorthKeeping(batches))
        responses.kept.set(
          key,
          { batches: [...batches], target: by.name, dropped, atMs: responses.nowMs() },
          { seconds, bytes: deps.bytes },
        )
    },
    () => {
      if (responses.flights.get(key) === flight) responses.flights.delete(key)
    },
  )
  if (!isFresh) responses.flights.set(key, flight)
  const joined = flight.join(trip.signal)
  flight.start(async () => call({ ...detached(trip), signal: flight.signal }))
  return { ...(await joined), from: 'fresh', ageMs: 0 }
}

/** Undefined: this request's answer is neither kept nor shared. */
function keyOf(deps: CacheDeps, request: CacheRequest): string | undefined {
  const { alias, permit, principal, control, screened } = request
  const { ask } = screened
  if (alias.cache === undefined || permit.cache === 'none' || permit.retentionDays === 0) return undefined
  if (ask.operation === 'count-tokens' || /\bno-store\b/i.test(control ?? '')) return undefined
  const behind = alias.targets.map((name) => deps.targets.get(name))
  // Where the target answers as the caller, so does nobody else.
  if (behind.some((target) => target !== undefined && isPersonal(target))) return undefined
  const whose = permit.cache === 'tenant' ? '' : `${principal.kind} ${principal.subject}`
  const models = behind.map((target) => target && [target.name, target.endpoint, target.model])
  return deps.digest(
    principal.tenant,
    JSON.stringify([principal.tenant, whose, alias.name, permit.guardProfile, models, asked(ask)]),
  )
}

/** Everything that the model's answer depends on; not how the caller wants it handed over. */
function asked(ask: Ask): object {
  const { stream: _stream, includeUsage: _usage, store: _store, conversation: _conversation, ...rest } = ask
  return rest
}

function isPersonal({ credential }: Target): boolean {
  return (credential.kind === 'token' || credential.kind === 'aws-session') && credential.isPersonal === true
}

/** Answers that a filter ended, or that are not whole, are not worth giving twice. */
function isWorthKeeping(batches: readonly Batch[]): boolean {
  return batches.every((batch) =>
    batch.every((event) => event.type !== 'finish' || event.reason === 'stop' || event.reason === 'tool-calls'),
  )
}

function replay(batches: readonly Batch[]): AsyncIterable<Batch> {
  return (async function* again() {
    yield* batches
  })()
}
