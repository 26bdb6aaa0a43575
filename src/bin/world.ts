import type { Responses } from '#cache/cache.ts'
import type { Cross } from '#contract/crossing.ts'
import type { Entry } from '#contract/entry.ts'
import type { Target, WarmWindow } from '#contract/target.ts'
import { ConfigProblems, type LoadedConfig, type Problem } from '#config/load.ts'
import { type CredentialConfig, NO_PRICE, type TargetConfig } from '#config/schema.ts'
import { type CredentialTarget, resolveCredential } from '#config/secrets.ts'
import type { PassportOffice } from '#context/passport.ts'
import type { GuardProfile } from '#guard/profile.ts'
import type { VerdictCache } from '#guard/managed/verdicts.ts'
import type { Vaults } from '#guard/vault.ts'
import type { EmbedBatches } from '#infer/embed-batches.ts'
import type { Answers } from '#recall/answers.ts'
import type { World } from '#journey'
import { openPolicy } from '#policy/permit.ts'
import type { Spend } from '#policy/spend.ts'
import type { TenantDigests } from '#record/digests.ts'
import type { AuditLog } from '#record/log.ts'
import type { Router } from '#route/router.ts'
import type { IdentityStores } from './identity-stores.ts'
import { type IssuerPool, type SignInWorld, issuersOf, signInOf } from './identity-world.ts'
import { type LimitsWorld, limitDeps, limitsOf } from './limits-world.ts'
import { answerService, managedServices, planesOf } from './managed-services.ts'
import { setUpPolicy } from './policy-setup.ts'
import { type SourcePool, tokenSourcesOf } from './token-sources.ts'
import { validatedSets } from './validated-sets.ts'

/** What outlives a reload of the configuration. */
export interface Lasting {
  readonly cross: Cross
  readonly log: AuditLog
  readonly vaults: Vaults
  /** Answers that later requests may go on from. */
  readonly answers: Answers
  readonly embeds: EmbedBatches
  readonly verdicts: VerdictCache
  readonly passports: PassportOffice
  readonly router: Router
  /** Answers of aliases that keep them, and calls under way that are shared. */
  readonly responses: Responses
  readonly spend: Spend
  readonly digests: TenantDigests
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly identity: IdentityStores
  /** Issuers of the world before: those that stay as they are keep what they have checked. */
  issuers: IssuerPool
  /** Sign-in of the world before, likewise. */
  signIn: SignInWorld | undefined
  /** Sources of tokens of the world before, likewise. */
  sources: SourcePool | undefined
  /** Counters of limits, from the first configuration that has rules. */
  limits: LimitsWorld | undefined
  readonly onLimitTrouble: (problem: string | undefined) => void
  readonly onEntry: (entry: Entry, text: string) => void
  readonly onBug: (requestId: string, cause: unknown) => void
}

export interface Built {
  readonly world: World
  readonly loaded: LoadedConfig
  readonly policyFolder: string
}

/**
 * Makes the world that one configuration describes.
 * @throws {ConfigProblems | PolicyProblems} and nothing has changed then.
 */
export async function buildWorld(loaded: LoadedConfig, lasting: Lasting): Promise<Built> {
  const { config } = loaded
  const policy = await setUpPolicy(loaded, undefined, validatedSets(loaded.resolve(config.data)))
  const { engine } = policy
  const profiles = new Map(
    Object.entries(config.guard.profiles).map(([name, profile]): [string, GuardProfile] => [
      name,
      { name, ...profile },
    ]),
  )
  const unknown = [...engine.policies.values()].filter(({ guard }) => guard !== undefined && !profiles.has(guard))
  const problems: Problem[] = unknown.map(({ id, guard, file }) => ({
    path: 'guard.profiles',
    line: 0,
    message: `policy \`${id}\` in ${file} names profile \`${guard ?? ''}\`, define it or name one of ${[...profiles.keys()].join(', ')}`,
  }))
  const lookUp = { environment: lasting.environment, resolve: loaded.resolve, problems }
  const { cross, digests } = lasting
  const digest = (tenant: string, text: string): string => digests.of(tenant, text)
  const tokenSources = tokenSourcesOf(config, { ...lookUp, cross, digest, last: lasting.sources })
  const credential = (value: CredentialConfig, path: string, target?: CredentialTarget) =>
    resolveCredential(value, path, { ...lookUp, tokenSources }, target)
  const targets = new Map(
    Object.entries(config.targets).map(([name, target]): [string, Target] => [
      name,
      toTarget(name, target, credential(target.credential, `targets.${name}.credential`, { name, ...target })),
    ]),
  )
  const now = Date.now
  const issuers = issuersOf(config, lasting.issuers, { cross: lasting.cross, lookUp })
  const signIn = signInOf(config, lasting.signIn, { cross: lasting.cross, lookUp })
  const world: World = {
    identity: {
      keys: lasting.identity.keys,
      denied: lasting.identity.denied,
      issuers: [...issuers.values()],
    },
    policy: openPolicy({
      ...policy,
      planes: planesOf(config, profiles),
      nowEpochMs: now,
      budget: (principal, alias) => lasting.spend.state(principal, alias),
    }),
    limits: undefined,
    profiles,
    vaults: lasting.vaults,
    safety: {
      services: managedServices(config, lasting.cross, credential),
      verdicts: lasting.verdicts,
      answer: answerService(config, lasting.cross, credential),
    },
    context: config.context && {
      cross: lasting.cross,
      passports: lasting.passports,
      endpoint: config.context.endpoint,
      place: config.context.place,
      audience: config.context.audience,
      credential: credential(config.context.credential, 'context.credential'),
      timeoutMs: config.context.timeoutMs,
      maxBytes: config.context.maxBytes,
    },
    route: { targets, router: lasting.router },
    cache: {
      responses: lasting.responses,
      targets,
      digest,
      bytes: config.cache.megabytes * 1024 * 1024,
    },
    infer: { cross: lasting.cross, traffic: lasting.router, embeds: lasting.embeds },
    images: {
      maxEdge: config.images.maxEdge,
      maxBytes: config.images.maxKilobytes * 1024,
      maxCount: config.images.maxCount,
    },
    recall: {
      answers: lasting.answers,
      limits: { minutes: config.responses.keepMinutes, bytes: config.responses.keepMegabytes * 1024 * 1024 },
    },
    record: {
      log: lasting.log,
      digests: lasting.digests,
      place: config.place,
      nowEpochMs: now,
      onEntry: lasting.onEntry,
      onBug: lasting.onBug,
    },
  }
  const limits = await limitsOf(config, { ...lookUp, last: lasting.limits, onTrouble: lasting.onLimitTrouble })
  if (problems.length > 0) throw new ConfigProblems(loaded.file, problems)
  lasting.limits = limits
  lasting.issuers = issuers
  lasting.signIn = signIn
  lasting.sources = tokenSources.pool
  return {
    world: { ...world, limits: limitDeps(config, limits) },
    loaded,
    policyFolder: loaded.resolve(config.policies.folder),
  }
}

function toTarget(name: string, config: TargetConfig, credential: Target['credential']): Target {
  const { input, cachedInput, output, source } = config.price
  return {
    name,
    provider: config.provider,
    place: config.place,
    endpoint: config.endpoint,
    model: config.model,
    credential,
    price: {
      usdPerMillionInput: input,
      usdPerMillionCachedInput: cachedInput ?? input,
      usdPerMillionOutput: output,
      source,
      isKnown: source !== NO_PRICE,
    },
    deadlines: config.deadlines,
    simulated: config.simulated,
    tags: config.tags,
    jurisdiction: config.jurisdiction,
    scaling: config.scaling && { ...config.scaling, calendar: config.scaling.calendar.map(toWindow) },
    vllm: config.vllm,
    pool: config.pool,
  }
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const

function toWindow({ days, from, to, timeZone }: NonNullable<TargetConfig['scaling']>['calendar'][number]): WarmWindow {
  return { days: days.map((day) => DAYS.indexOf(day)), fromMinute: minuteOf(from), toMinute: minuteOf(to), timeZone }
}

/** `08:30` as minutes of the day. */
function minuteOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3))
}
