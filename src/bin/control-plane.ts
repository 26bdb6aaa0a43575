import type { Border } from '#border/cross.ts'
import { openBorder } from '#border/cross.ts'
import { DEFAULT_RULES } from '#border/rules.ts'
import { type LoadedConfig, loadConfig } from '#config/load.ts'
import { resolveCredential } from '#config/secrets.ts'
import { openPassportOffice } from '#context/passport.ts'
import { createPassedMessages } from '#guard/safety.ts'
import { createVaults } from '#guard/vault.ts'
import { journey } from '#journey'
import { type Gauges, createGatewayMetrics } from '#observe/gateway-metrics.ts'
import { type Log, errorFacts } from '#observe/log.ts'
import { type OtlpExporter, createOtlpExporter } from '#observe/otlp.ts'
import { egressMicroUsd } from '#planner/egress.ts'
import type { Trail } from '#record/trail.ts'
import { createHealth } from '#route/health.ts'
import { type Serving, serve } from '#wire/serve.ts'
import { openConfiguredTrail } from './audit-trail.ts'
import { ownTrip } from './own-trip.ts'
import { answerPage } from './pages.ts'
import { type Recent, createRecent } from './recent.ts'
import { changedPaths, needsRestart, watchFiles } from './reload.ts'
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

/** Starts one gateway. @throws with every problem of the configuration, the policies, the trail or the port. */
export async function startControlPlane(options: ControlOptions): Promise<ControlPlane> {
  const startedEpochMs = Date.now()
  const { log } = options
  const loaded = await loadConfig(options.file)
  const { config } = loaded
  const dataFolder = loaded.resolve(config.data)
  const state = await openState(dataFolder)
  const recent = createRecent(RECENT)
  const served: { serving?: Serving; trail?: Trail } = {}
  const metrics = createGatewayMetrics(gaugesOf(served))
  const border = openBorder({ from: config.place, rules: DEFAULT_RULES, egressMicroUsd, observe: metrics.crossing })
  const trail = await openConfiguredTrail(loaded, { border, log, environment: options.environment })
  served.trail = trail
  if (trail.log.mended !== '') log.warn('audit trail mended', { what: trail.log.mended })
  const otlp = startOtlp(loaded, border, options)
  const lasting: Lasting = {
    cross: border.cross,
    log: trail.log,
    vaults: createVaults(state.masterKey),
    passed: createPassedMessages(state.masterKey),
    passports: await openPassportOffice(state.passportKey, config.name, Date.now),
    health: createHealth(Date.now),
    environment: options.environment,
    onEntry: (entry, text) => {
      recent.push(entry.id, text)
      metrics.entry(entry)
      otlp?.push(entry)
    },
    onBug: (requestId, cause) => log.error('request failed by a fault of ours', { requestId, ...errorFacts(cause) }),
  }
  const current = await firstWorld(loaded, lasting, () => trail.close())
  const reload = { atEpochMs: startedEpochMs, problem: '' }
  const serving = await serve({
    host: config.listen.host,
    port: options.port ?? config.listen.port,
    maxBodyBytes: config.listen.maxBodyBytes,
    maxConcurrent: config.listen.maxConcurrent,
    requestTimeoutMs: config.listen.requestTimeoutMs,
    run: (call) => journey(current.built.world, call),
    pages: (request) =>
      answerPage(
        {
          world: () => current.built.world,
          metrics,
          recent,
          startedEpochMs,
          notReady: () => trail.log.trouble,
          trail,
          reload: () => reload,
        },
        request,
      ),
  }).catch(async (error: unknown) => {
    await trail.close()
    throw error
  })
  served.serving = serving
  const stopWatching = watchFiles(
    () => [options.file, current.built.policyFolder, current.built.keysFile],
    () => reloadWorld(options, lasting, current, reload),
  )
  return {
    url: serving.url,
    recent,
    close: async (drainMs) => {
      stopWatching()
      await serving.close(drainMs)
      await Promise.race([otlp?.close(), new Promise((resolve) => setTimeout(resolve, 500).unref())])
      await trail.close()
      await border.close(200)
    },
  }
}

/** What the metrics read of parts that come later than they do. */
function gaugesOf(served: { readonly serving?: Serving; readonly trail?: Trail }): Gauges {
  const status = () => served.trail?.status()
  return {
    inFlight: () => served.serving?.inFlight ?? 0,
    auditEntries: () => served.trail?.log.size ?? 0,
    auditSigned: () => status()?.signedSize ?? 0,
    auditCosigned: () => status()?.cosignedSize ?? 0,
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
  { file, log }: ControlOptions,
  lasting: Lasting,
  current: { built: Built },
  reload: { atEpochMs: number; problem: string },
): Promise<void> {
  reload.atEpochMs = Date.now()
  try {
    const before = current.built.loaded.config
    const built = await buildWorld(await loadConfig(file), lasting)
    current.built = built
    reload.problem = ''
    const changed = changedPaths(before, built.loaded.config)
    const restart = needsRestart(before, built.loaded.config)
    log.info('configuration reloaded', { changed: changed.length === 0 ? 'keys or policies' : changed.join(', ') })
    if (restart.length > 0) log.warn('a change needs a restart to take effect', { changed: restart.join(', ') })
  } catch (error) {
    reload.problem = error instanceof Error ? error.message : String(error)
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
