import { startChild } from '#bench/child.ts'
import { OTHER_CORE } from '#bench/machine.ts'
import type { CloudRunState } from '#simclouds/cloud-run.ts'
import type { StartCloudRunOptions } from '#simclouds/start-cloud-run.ts'

/** One service as it is now. */
export interface PoolService {
  readonly url: string
  /** Requests of any kind that came so far. */
  readonly requests: number
  readonly state: CloudRunState
}

/** Simulated services while they run. */
export interface Pool {
  readonly urls: readonly string[]
  look(): Promise<readonly PoolService[]>
  /** Every request to this service waits so long before anything happens; 0: no longer. */
  slow(index: number, ms: number): Promise<void>
  stop(): Promise<void>
}

/** Starts the services, in one process. */
export async function startPool(services: readonly StartCloudRunOptions[], isPinned: boolean): Promise<Pool> {
  const child = await startChild({
    name: 'the simulated services',
    args: ['bench/router/services.ts', JSON.stringify(services)],
    core: isPinned ? OTHER_CORE : undefined,
    ready: /services: (http:\S+)\n/,
  })
  const look = async (): Promise<readonly PoolService[]> => (await (await fetch(child.url)).json()) as PoolService[]
  return {
    urls: (await look()).map(({ url }) => url),
    look,
    slow: async (index, ms) => {
      await (await fetch(child.url, { method: 'POST', body: JSON.stringify({ index, ms }) })).text()
    },
    stop: () => child.stop(),
  }
}
