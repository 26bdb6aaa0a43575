import { type CacheDeps, type Reused, reuse } from '#cache/cache.ts'
import { type Call, type Served, answerId } from '#contract/call.ts'
import type { Attempt } from '#contract/entry.ts'
import { placeName } from '#contract/place.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Alias, Target } from '#contract/target.ts'
import { type ContextDeps, ground } from '#context/ground.ts'
import { conversationOf } from '#guard/conversation.ts'
import { screenOutput } from '#guard/output.ts'
import type { GuardProfile } from '#guard/profile.ts'
import { checkAnswer } from '#guard/managed/answer.ts'
import { type ManagedDeps, admitVerdict, both, check, vet } from '#guard/managed/check.ts'
import { NO_PASSAGES, admit, isLong, screen, screenLong, scrub, seal } from '#guard/screen.ts'
import { LazyVault, type Vaults } from '#guard/vault.ts'
import { type IdentityDeps, identify } from '#identity/identify.ts'
import { type ImageLimits, hasImages, shrink } from '#images/shrink.ts'
import { type InferDeps, infer } from '#infer/infer.ts'
import { meter } from '#limits/meter.ts'
import { type LimitDeps, admitHeld, reserve } from '#limits/reserve.ts'
import { type PolicyDeps, permit as decide, release as decideRelease } from '#policy/permit.ts'
import { type RecallDeps, isKept, keep, recall } from '#recall/recall.ts'
import { type RecordDeps, type Recorder, openRecord } from '#record/recorder.ts'
import { restore } from '#restore/restore.ts'
import { type RouteDeps, choose, foresee, targetsOf } from '#route/choose.ts'

/** Everything outside a request: built once in bin/, replaced as a whole when the configuration changes. */
export interface World {
  readonly identity: IdentityDeps
  readonly policy: PolicyDeps
  /** Undefined where no limit is configured. */
  readonly limits: LimitDeps | undefined
  readonly profiles: ReadonlyMap<string, GuardProfile>
  readonly vaults: Vaults
  readonly safety: ManagedDeps | undefined
  readonly context: ContextDeps | undefined
  readonly route: RouteDeps
  readonly cache: CacheDeps
  readonly infer: InferDeps
  readonly recall: RecallDeps
  readonly images: ImageLimits
  readonly record: RecordDeps
}

/**
 * The journey of one request, from credential to answer. Read it top to bottom: every line is a stage, every stage
 * is a folder, and the order is the order of the laws. Resolves when the first content is here.
 * @throws {Refusal} already recorded: one audit entry, however the request ends.
 */
export async function journey(world: World, call: Call): Promise<Served> {
  const recorder = openRecord(world.record, call)
  try {
    return await walk(world, call, recorder)
  } catch (error) {
    throw await recorder.refuse(error)
  }
}

async function walk(world: World, call: Call, recorder: Recorder): Promise<Served> {
  const { trip } = call

  const principal = await recorder.stage('identify', () => identify(world.identity, call, trip))
  trip.asker = { tenant: principal.tenant, id: principal.subject }
  recorder.identified(principal)
  const received = await recorder.stage('receive', () => call.ask(recorder.bodySeen))
  recorder.asked(received)

  const permit = recorder.stageNow('permit', () => decide(world.policy, principal, received))
  recorder.permitted(permit)
  const whole = recall(world.recall, principal, received)
  const alias = known(world.policy.aliases.get(permit.alias))
  const limits = world.limits
  const held =
    limits &&
    recorder.stageNow('reserve', () =>
      reserve(limits, { principal, ask: whole, alias: permit.alias, targets: targetsOf(world.route, alias) }),
    )
  recorder.reserved(held)
  admitHeld(held)
  const { ask, images } = hasImages(whole)
    ? await recorder.stage('shrink', () => shrink(world.images, whole))
    : { ask: whole, images: undefined }
  recorder.pictured(images)
  const profile = known(world.profiles.get(permit.guardProfile))

  const vault = new LazyVault(() => world.vaults.open(principal, conversationOf(ask)))
  const draft = isLong(ask)
    ? await recorder.stage('screen', () => screenLong(ask, profile, vault))
    : recorder.stageNow('screen', () => screen(ask, profile, vault))
  recorder.found(draft.found)
  admit(draft)

  foresee(world.route, alias, permit)
  // Side by side: what leaves here holds placeholders already, and neither waits for the other.
  const topK = ask.ground?.topK ?? alias.topK
  const [safety, context] = await Promise.all([
    recorder.stage(
      'check',
      () => check(world.safety, draft, trip),
      () => world.safety?.services[0] && placeName(world.safety.services[0].place),
    ),
    recorder.stage(
      'ground',
      () =>
        ground(
          world.context,
          { principal, permit, ask: draft.ask, topK, residency: alias.residency, sql: alias.sql },
          trip,
        ),
      () => world.context && placeName(world.context.place),
    ),
  ])
  recorder.checked(safety.safety)
  recorder.grounded(context)
  admitVerdict(safety, profile)

  const passages = context?.passages ?? []
  const clean = passages.length === 0 ? NO_PASSAGES : recorder.stageNow('scrub', () => scrub(draft, passages))
  recorder.found(clean.found)
  const verdict =
    passages.length > 0 && profile.passages
      ? both(safety, await recorder.stage('vet', () => vet(world.safety, profile, clean, trip)))
      : safety
  recorder.checked(verdict.safety)
  admitVerdict(verdict, profile)

  const { screened, found } = recorder.stageNow('seal', () => seal(draft, clean, verdict.spans))
  recorder.found(found)

  const candidates = targetsOf(world.route, alias)
  const release = recorder.stageNow('release', () =>
    decideRelease(world.policy, principal, permit, {
      found: [...draft.found, ...clean.found, ...found],
      targets: candidates,
    }),
  )
  recorder.released(release)

  const asked = { alias, permit, release, ask: screened.ask, salt: recorder.saltOf(principal) }
  const answer = await recorder.stage(
    'infer',
    () =>
      reuse(world.cache, { principal, alias, permit, release, screened, control: call.cacheControl, trip }, (own) =>
        infer(world.infer, recorder.planned(choose(world.route, asked)), screened, own, recorder.attempts),
      ),
    () => lastPlace(candidates, recorder.attempts),
  )
  recorder.served(answer.target, answer.from)

  const spoken = screenOutput(answer.from === 'fresh' ? meter(held, answer.batches) : answer.batches, profile)
  const judged = checkAnswer(world.safety, spoken.batches, profile, trip, (said) =>
    recorder.checked(both(verdict, said).safety),
  )
  const restored = restore(judged, vault, { jsonText: ask.format !== undefined })
  const isStored = isKept(world.recall, permit, ask)
  const id = answerId(trip.requestId)
  return {
    ask,
    target: answer.target.name,
    cache: cacheNote(alias, answer),
    dropped: answer.dropped,
    isStored,
    rates: held?.rates,
    sources: passages.map(({ source }) => source),
    serverTiming: recorder.serverTiming(),
    batches: recorder.follow(isStored ? keep(world.recall, principal, { ask, id }, restored) : restored, spoken.found),
  }
}

/** Configuration is checked as a whole before it is used: what policy names exists. */
function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Refusal('INTERNAL', 'the configuration names something that does not exist')
  return value
}

/** Where the answer is from, for aliases that keep answers. */
function cacheNote({ cache }: Alias, { from, ageMs }: Reused): string {
  if (cache === undefined) return ''
  return from === 'cached' ? `cached; age=${Math.floor(ageMs / 1000)}` : from
}

/** Where the time of inference went: the place of the target that was tried last. */
function lastPlace(targets: readonly Target[], attempts: readonly Attempt[]): string | undefined {
  const last = targets.find(({ name }) => name === attempts.at(-1)?.target)
  return last && placeName(last.place)
}
