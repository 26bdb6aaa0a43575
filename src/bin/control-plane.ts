import { join } from 'node:path'
import { Responses } from '#cache/cache.ts'
import type { AdminEvent, OnAdminEvent } from '#contract/admin-event.ts'
import type { Border } from '#border/cross.ts'
import { openBorder } from '#border/cross.ts'
import { DEFAULT_RULES } from '#border/rules.ts'
import { type LoadedConfig, loadConfig } from '#config/load.ts'
import { resolveCredential } from '#config/secrets.ts'
import type { Place } from '#contract/place.ts'
import { openPassportOffice } from '#context/passport.ts'
import { createVerdictCache } from '#guard/managed/verdicts.ts'
import { createVaults } from '#guard/vault.ts'
import { type Sessions, createSessions } from '#identity/session.ts'
import { journey } from '#journey'
import { type Gauges, createGatewayMetrics } from '#observe/gateway-metrics.ts'
import { type Log, errorFacts } from '#observe/log.ts'
import { type OtlpExporter, createOtlpExporter } from '#observe/otlp.ts'
import { egressMicroUsd } from '#planner/egress.ts'
import { rttMs } from '#planner/rtt.ts'
import { createSpend } from '#policy/spend.ts'
import { EmbedBatches } from '#infer/embed-batches.ts'
import { Answers } from '#recall/answers.ts'
import { openTenantDigests } from '#record/digests.ts'
import { trailPaths } from '#record/signed.ts'
import type { Trail } from '#record/trail.ts'
import { Router } from '#route/router.ts'
import { type Serving, serve } from '#wire/serve.ts'
import { createAdminRecord, keyDestroyed } from './admin-record.ts'
import { type Shipping, startShipping } from './audit-ship.ts'
import { openConfiguredTrail } from './audit-trail.ts'
import { identityFiles } from './identity-files.ts'
import { openIdentityStores } from './identity-stores.ts'
import type { LimitsWorld } from './limits-world.ts'
import { tokenSourcesOf } from './token-sources.ts'
import { ownTrip } from './own-trip.ts'
import { type PageDeps, answerPage } from './pages.ts'
import { type Recent, createRecent } from './recent.ts'
import { changedPaths, needsRestart, watchFiles } from './reload.ts'
import { seedSpend } from './seed-spend.ts'
import { openState } from './state.ts'
import { type Built, type Lasting, buildWorld } from './world.ts'

export interface ControlOptions {
  readonly file: string
  readonly log: Log
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Overrides `listen.port`. */
  readonly port?: number | undefined
}

export interface ControlPlane {
  readonly url: string
  /** Entries that can be shown without reading the trail. */
  readonly recent: Recent
  close(drainMs: number): Promise<void>
}

/** Entries kept for the status page. */
const RECENT = 200
/** Keys and the deny list take effect within a second: looking costs two file stats. */
const IDENTITY_LOOK_MS = 250
/** When keys were last used is written down this often. */
const USED_FLUSH_MS = 60_000

/** Starts one gateway. @throws with every problem of the configuration, the policies, the trail or the port. */
export async function startControlPlane(options: ControlOptions): Promise<ControlPlane> {
  const startedEpochMs = Date.now()
  const { log } = options
  const loaded = await loadConfig(options.file)
  const { config } = loaded
  const dataFolder = loaded.resolve(config.data)
  const state = await openState(dataFolder)
  const admin = createAdminRecord(log)
  const onAdminEvent = admin.note
  const stores = await openIdentityStores({ dataFolder, files: identityFiles(loaded), log, onAdminEvent })
  const recent = createRecent(RECENT)
  const served: { serving?: Serving; trail?: Trail; shipping?: Shipping; limits?: () => LimitsWorld | undefined } = {}
  const metrics = createGatewayMetrics(gaugesOf(served))
  const border = openBorder({ from: config.place, rules: DEFAULT_RULES, egressMicroUsd, observe: metrics.crossing })
  const trail = await openConfiguredTrail(loaded, { border, log, environment: options.environment })
  served.trail = trail
  admin.begin(trail.log)
  if (trail.log.mended !== '') log.warn('audit trail mended', { what: trail.log.mended })
  const otlp = startOtlp(loaded, border, options)
  const shipping = await startShipping(loaded, { trail, border, log, environment: options.environment }).catch(
    async (error: unknown) => {
      await trail.close()
      throw error
    },
  )
  served.shipping = shipping
  const spend = createSpend(Date.now)
  if (Object.values(config.aliases).some(({ usdPerCallerAndDay }) => usdPerCallerAndDay !== undefined)) {
    const seeded = seedSpend(spend, trailPaths(dataFolder).audit, trail.log.size, startedEpochMs)
    seeded.catch((error: unknown) => log.error('what was spent today is not known in full', errorFacts(error)))
  }
  const lasting: Lasting = {
    cross: border.cross,
    log: trail.log,
    vaults: createVaults(state.masterKey),
    answers: new Answers(Date.now),
    embeds: new EmbedBatches(),
    verdicts: createVerdictCache(state.masterKey),
    passports: await openPassportOffice(state.passportKey, config.name, Date.now),
    router: new Router({
      cross: border.cross,
      trip: ownTrip,
      clock: () => performance.now(),
      rttMs: ({ place }) => knownRttMs(config.place, place),
      random: Math.random,
      nowEpochMs: Date.now,
    }),
    responses: new Responses(() => performance.now()),
    spend,
    digests: openTenantDigests(join(dataFolder, 'tenants'), {
      onForgotten: (tenant) => onAdminEvent(keyDestroyed(tenant, Date.now())),
    }),
    environment: options.environment,
    identity: stores,
    issuers: new Map(),
    signIn: undefined,
    sources: undefined,
    limits: undefined,
    onLimitTrouble: (problem) => {
      if (problem === undefined) log.info('the store of limits answers again')
      else log.error('the store of limits is lost, what is leased goes on', { problem })
    },
    onEntry: (entry, text) => {
      recent.push(entry.id, text)
      metrics.entry(entry)
      spend.entry(entry)
      otlp?.push(entry)
    },
    onBug: (requestId, cause) => log.error('request failed by a fault of ours', { requestId, ...errorFacts(cause) }),
  }
  served.limits = () => lasting.limits
  const current = await firstWorld(loaded, lasting, async () => {
    await trail.close()
    await lasting.limits?.keeper.close()
  })
  const reload = { atEpochMs: startedEpochMs, problem: '' }
  const sessions = createSessions(Date.now)
  const pages: PageDeps = {
    metrics,
    trail,
    api: {
      world: () => current.built.world,
      stores,
      sessions,
      recent,
      startedEpochMs,
      notReady: () => trail.log.trouble,
      trail,
      limits: () => lasting.limits,
      reload: () => reload,
      onAdminEvent,
    },
    auth: {
      setup: () =>
        lasting.signIn && { ...lasting.signIn, publicUrl: lasting.signIn.publicUrl ?? served.serving?.url ?? '' },
      sessions,
      identity: () => current.built.world.identity,
      onAdminEvent,
      onFault: lasting.onBug,
    },
  }
  const serving = await serve({
    host: config.listen.host,
    port: options.port ?? config.listen.port,
    maxBodyBytes: config.listen.maxBodyBytes,
    maxConcurrent: config.listen.maxConcurrent,
    requestTimeoutMs: config.listen.requestTimeoutMs,
    run: (call) => journey(current.built.world, call),
    pages: (request) => answerPage(pages, request),
  }).catch(async (error: unknown) => {
    await trail.close()
    await lasting.limits?.keeper.close()
    throw error
  })
  served.serving = serving
  const stops = [
    watchFiles(
      () => [options.file, current.built.policyFolder],
      () => reloadWorld({ ...options, onAdminEvent }, lasting, { current, reload, sessions }),
    ),
    watchFiles(
      () => [stores.files().keysFile, stores.files().deniedFile],
      () => stores.reload(),
      IDENTITY_LOOK_MS,
    ),
  ]
  stops.push(lasting.router.attend(() => current.built.world.route.targets.values()))
  const flushing = setInterval(() => void stores.flush(), USED_FLUSH_MS).unref()
  return {
    url: serving.url,
    recent,
    close: async (drainMs) => {
      for (const stop of stops) stop()
      clearInterval(flushing)
      await serving.close(drainMs)
      await lasting.limits?.keeper.close()
      await stores.flush()
      await Promise.race([otlp?.close(), new Promise((resolve) => setTimeout(resolve, 500).unref())])
      await shipping.close()
      await trail.close()
      await border.close(200)
    },
  }
}

/** Round trip between two places; 0 where no table knows one of them. */
function knownRttMs(from: Place, to: Place): number {
  try {
    return rttMs(from, to).ms
  } catch (error) {
    if (error instanceof RangeError) return 0
    throw error
  }
}

/** What the metrics read of parts that come later than they do. */
function gaugesOf(served: {
  readonly serving?: Serving
  readonly trail?: Trail
  readonly shipping?: Shipping
  readonly limits?: () => LimitsWorld | undefined
}): Gauges {
  const status = () => served.trail?.status()
  return {
    inFlight: () => served.serving?.inFlight ?? 0,
    auditEntries: () => served.trail?.log.size ?? 0,
    limitStores: () => {
      const keeper = served.limits?.()?.keeper.status()
      return keeper === undefined ? [] : [[keeper.store, keeper.trouble === '' ? 1 : 0]]
    },
    auditSigned: () => status()?.signedSize ?? 0,
    auditCosigned: () => status()?.cosignedSize ?? 0,
    auditShipped: () => (served.shipping?.states() ?? []).map(({ sink, shipped }) => [sink, shipped] as const),
    witnessAges: () =>
      (status()?.witnesses ?? []).flatMap(({ name, cosignedAtS }) =>
        cosignedAtS === 0 ? [] : [[name, Math.max(0, Date.now() / 1000 - cosignedAtS)] as const],
      ),
  }
}

async function firstWorld(
  loaded: LoadedConfig,
  lasting: Lasting,
  onFailure: () => Promise<void>,
): Promise<{ built: Built }> {
  try {
    return { built: await buildWorld(loaded, lasting) }
  } catch (error) {
    await onFailure()
    throw error
  }
}

/** Keeps the last good configuration when the new one can not be used, and says what changed when it can. */
async function reloadWorld(
  { file, log, onAdminEvent }: ControlOptions & { readonly onAdminEvent: OnAdminEvent },
  lasting: Lasting,
  { current, reload, sessions }: Reloaded,
): Promise<void> {
  reload.atEpochMs = Date.now()
  const note = (outcome: AdminEvent['outcome'], changed: string): void =>
    onAdminEvent({
      kind: 'config',
      action: 'reloaded',
      actor: 'file',
      subjectId: current.built.loaded.config.name,
      outcome,
      atEpochMs: reload.atEpochMs,
      detail: { changed },
    })
  try {
    const before = current.built.loaded.config
    const signInBefore = lasting.signIn?.fingerprint
    const built = await buildWorld(await loadConfig(file), lasting)
    current.built = built
    reload.problem = ''
    if (lasting.signIn?.fingerprint !== signInBefore) sessions.closeAll()
    await lasting.identity.reload(identityFiles(built.loaded))
    const changed = changedPaths(before, built.loaded.config)
    note('done', changed.length === 0 ? 'policies' : changed.join(', '))
    const restart = needsRestart(before, built.loaded.config)
    log.info('configuration reloaded', { changed: changed.length === 0 ? 'policies' : changed.join(', ') })
    if (restart.length > 0) log.warn('a change needs a restart to take effect', { changed: restart.join(', ') })
  } catch (error) {
    reload.problem = error instanceof Error ? error.message : String(error)
    note('failed', '')
    log.error('the new configuration can not be used, the last good one stays', { problem: reload.problem })
  }
}

function startOtlp(
  { config, resolve }: LoadedConfig,
  border: Border,
  { environment }: ControlOptions,
): OtlpExporter | undefined {
  const { otlp } = config.observe
  if (otlp === undefined) return undefined
  const credential = resolveCredential(otlp.credential, 'observe.otlp.credential', {
    environment,
    resolve,
    problems: [],
    tokenSources: tokenSourcesOf(config, { cross: border.cross, environment, resolve, problems: [] }),
  })
  const send = async (body: string): Promise<number> => {
    const answer = await border.cross(ownTrip(), {
      layer: 'telemetry',
      to: otlp.place,
      method: 'POST',
      url: `${otlp.endpoint}/v1/traces`,
      headers: { 'content-type': 'application/json' },
      body,
      credential,
      connectMs: 2000,
      firstByteMs: 5000,
      idleMs: 5000,
      totalMs: 10_000,
      maxAnswerBytes: 65_536,
    })
    await answer.text()
    return answer.status
  }
  return createOtlpExporter({ send, serviceName: config.name, cloud: config.place.cloud, region: config.place.region })
}

interface Reloaded {
  readonly current: { built: Built }
  readonly reload: { atEpochMs: number; problem: string }
  readonly sessions: Sessions
}
