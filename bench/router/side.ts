import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { startChild } from '#bench/child.ts'
import { OTHER_CORE, TESTED_CORE, coreBusyMs, processCpuMs, untilQuiet } from '#bench/machine.ts'
import { type Surroundings, configOf, startControl, writeConfig } from '#bench/sides.ts'

/** Who decides between the load and the services. */
export interface RouterSide {
  readonly name: string
  /** What it does, for the report. */
  readonly what: string
  /** Targets and aliases of a gateway; `turn` and `hash`: the plain proxy, one after the other or by the body's beginning. */
  readonly config: ((urls: readonly string[]) => GatewayParts) | 'turn' | 'hash'
}

/** What of a gateway's configuration a side chooses. */
export interface GatewayParts {
  readonly targets: Readonly<Record<string, object>>
  readonly aliases: Readonly<Record<string, object>>
}

/** A router while it runs. */
export interface RunningRouter {
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

/** Starts the router of a side before these services. */
export async function startRouter(
  surroundings: Surroundings,
  { name, config }: RouterSide,
  urls: readonly string[],
): Promise<RunningRouter> {
  if (config === 'turn' || config === 'hash')
    return startChild({
      name: 'the plain proxy',
      args: ['bench/router/plain-proxy.ts', config, ...urls],
      core: surroundings.isPinned ? TESTED_CORE : undefined,
      ready: /plain proxy: (http:\S+)\n/,
    })
  const folder = await mkdtemp(join(surroundings.workFolder, `router-${name.replaceAll(/\W/g, '-')}-`))
  const file = await writeConfig(folder, { ...configOf(surroundings), ...config(urls) })
  return startControl(surroundings, file)
}

/** A simulated service as a target. */
export function targetAt(endpoint: string, more: object = {}): object {
  return {
    provider: 'openai-compatible',
    place: { cloud: 'gcp', region: 'us-east4' },
    endpoint,
    model: 'simulated-llama',
    price: { input: 0.22, output: 0.22, source: 'made up for the benchmark' },
    ...more,
  }
}

/** How full the cores were while something ran. */
export interface CoreUse {
  /** Share of its core that the router computed, 0 to 1. */
  readonly router: number
  /** Share of the other core that was busy, by whoever. */
  readonly other: number
  /** Share of the machine that was busy just before, by others. */
  readonly before: number
}

const QUIET_WAIT_MS = 20_000

/** Runs something and measures the cores meanwhile. */
export async function whileWatching<Value>(
  pid: number,
  run: () => Promise<Value>,
): Promise<{ readonly value: Value; readonly cores: CoreUse }> {
  const before = await untilQuiet(QUIET_WAIT_MS)
  const from = { at: performance.now(), cpuMs: processCpuMs(pid), busyMs: coreBusyMs(OTHER_CORE) }
  const value = await run()
  const tookMs = performance.now() - from.at
  return {
    value,
    cores: {
      router: (processCpuMs(pid) - from.cpuMs) / tookMs,
      other: (coreBusyMs(OTHER_CORE) - from.busyMs) / tookMs,
      before,
    },
  }
}

/** One line about them for the report. */
export function coresLine(name: string, { router, other, before }: CoreUse): string {
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`
  const limit = router > 0.9 ? ': the router was the limit' : other > 0.9 ? ': load and services were the limit' : ''
  return `${name}: router ${percent(router)} of its core, the other core ${percent(other)}, ${percent(before)} of the machine busy before${limit}`
}
