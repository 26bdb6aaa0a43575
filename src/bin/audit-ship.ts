import { join } from 'node:path'
import type { Border } from '#border/cross.ts'
import { ConfigProblems, type LoadedConfig, type Problem } from '#config/load.ts'
import { resolveCredential } from '#config/secrets.ts'
import type { Log } from '#observe/log.ts'
import { azureMonitor } from '#record/ship/azure-monitor.ts'
import { objectLock } from '#record/ship/object-lock.ts'
import { type Shipper, type Sink, startShipper } from '#record/ship/shipper.ts'
import { trailPaths } from '#record/signed.ts'
import type { Trail } from '#record/trail.ts'
import { originOf } from './audit-trail.ts'
import { tokenSourcesOf } from './token-sources.ts'
import { ownTrip } from './own-trip.ts'

export interface Shipping {
  /** By sink: entries that have arrived, and why it does not go on. */
  readonly states: () => readonly { readonly sink: string; readonly shipped: number; readonly problem: string }[]
  close(): Promise<void>
}

interface Surroundings {
  readonly trail: Trail
  readonly border: Border
  readonly log: Log
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Starts what the configuration says about copies of the log. @throws {ConfigProblems} */
export async function startShipping(loaded: LoadedConfig, around: Surroundings): Promise<Shipping> {
  const { config, resolve } = loaded
  const dataFolder = resolve(config.data)
  const shippers: { readonly sink: string; readonly shipper: Shipper }[] = []
  for (const { sink, everyMs } of sinksOf(loaded, around)) {
    const shipper = await startShipper({
      sink,
      everyMs,
      audit: trailPaths(dataFolder).audit,
      progressFile: join(dataFolder, `shipped-${sink.name}`),
      size: () => around.trail.log.size,
      onProblem: (problem) =>
        problem === undefined
          ? around.log.info('audit shipping goes on', { sink: sink.name })
          : around.log.warn('audit shipping waits', { sink: sink.name, problem }),
    })
    shippers.push({ sink: sink.name, shipper })
  }
  return {
    states: () =>
      shippers.map(({ sink, shipper: { shipped, problem } }) => ({ sink, shipped, problem: problem ?? '' })),
    close: async () => {
      await Promise.all(shippers.map(({ shipper }) => shipper.close()))
    },
  }
}

function sinksOf(
  { file, config, resolve }: LoadedConfig,
  { trail, border, environment }: Surroundings,
): { readonly sink: Sink; readonly everyMs: number }[] {
  const problems: Problem[] = []
  const secrets = { environment, resolve, problems }
  const lookUp = { ...secrets, tokenSources: tokenSourcesOf(config, { ...secrets, cross: border.cross }) }
  const { azureMonitor: monitor, s3 } = config.audit.ship
  const sinks: { readonly sink: Sink; readonly everyMs: number }[] = []
  if (monitor !== undefined) {
    const credential = resolveCredential(monitor.credential, 'audit.ship.azureMonitor.credential', lookUp)
    sinks.push({ sink: azureMonitor({ ...monitor, credential }, border.cross, ownTrip), everyMs: monitor.everyMs })
  }
  if (s3 !== undefined) {
    const credential = resolveCredential(s3.credential, 'audit.ship.s3.credential', lookUp)
    const options = {
      ...s3,
      credential,
      origin: originOf(config),
      nowEpochMs: Date.now,
      checkpoint: () => trail.checkpoint(),
    }
    sinks.push({ sink: objectLock(options, border.cross, ownTrip), everyMs: s3.everyMs })
  }
  if (problems.length > 0) throw new ConfigProblems(file, problems)
  return sinks
}
