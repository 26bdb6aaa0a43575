import { spawnSync } from 'node:child_process'
import { readFileSync, statfsSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'

/** The core that the process under test has for itself, and the one for everything else. */
export const TESTED_CORE = 0
export const OTHER_CORE = 1

export interface MachineFacts {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly kernel: string
  readonly node: string
  /** Of the folder that the audit trail is synced to. */
  readonly fileSystem: string
  /** One, five and fifteen minutes before the first measurement. */
  readonly loadAverage: readonly number[]
  readonly isPinned: boolean
  /** Why processes are not pinned to cores; empty when they are. */
  readonly whyNotPinned: string
}

const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x794c7630: 'overlay',
  0x01021994: 'tmpfs (no real sync)',
}

/** `folder` is where the processes under test keep their state. */
export function machineFacts(folder: string): MachineFacts {
  const whyNotPinned = reasonNotToPin()
  const { type } = statfsSync(folder)
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release(),
    node: process.version,
    fileSystem: FILE_SYSTEMS[type] ?? `type 0x${type.toString(16)}`,
    loadAverage: loadavg().map((value) => Math.round(value * 100) / 100),
    isPinned: whyNotPinned === '',
    whyNotPinned,
  }
}

function reasonNotToPin(): string {
  if (availableParallelism() < 2) return 'there is one core only'
  const { error, status } = spawnSync('taskset', ['--version'], { stdio: 'ignore' })
  return error === undefined && status === 0 ? '' : '`taskset` is not installed'
}

/** Keeps this process off the core of the process under test. */
export function pinSelf(): void {
  spawnSync('taskset', ['-acp', String(OTHER_CORE), String(process.pid)], { stdio: 'ignore' })
}

/** Lets this process and those it starts from now on use every core. */
export function unpinSelf(): void {
  spawnSync('taskset', ['-acp', `0-${cpus().length - 1}`, String(process.pid)], { stdio: 'ignore' })
}

/** Linux counts processor time in hundredths of a second. */
const TICK_MS = 10

/** Milliseconds of processor time that a process has used, all its threads together. */
export function processCpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name may hold blanks: fields are counted from the bracket behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

/** Milliseconds that a core was not idle. */
export function coreBusyMs(core: number): number {
  const line =
    readFileSync('/proc/stat', 'latin1')
      .split('\n')
      .find((text) => text.startsWith(`cpu${core} `)) ?? ''
  const [user = 0, nice = 0, system = 0, , , interrupt = 0, softInterrupt = 0] = line.split(' ').slice(1).map(Number)
  return (user + nice + system + interrupt + softInterrupt) * TICK_MS
}

/** Resident megabytes (MB, 10^6 bytes) now, and the most there ever were. */
export function processRssMb(pid: number): { readonly nowMb: number; readonly peakMb: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const field = (name: string): number =>
    (Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1024) / 1e6
  return { nowMb: field('VmRSS'), peakMb: field('VmHWM') }
}

const QUIET_SHARE = 0.1
const QUIET_SAMPLE_MS = 500

/**
 * Waits until the cores that are measured on are idle but for a tenth.
 * @returns the busy share of the last sample, 0 to 1: above a tenth when the wait was in vain.
 */
export async function untilQuiet(maxWaitMs: number): Promise<number> {
  const started = performance.now()
  for (;;) {
    const before = { busyMs: coreBusyMs(TESTED_CORE) + coreBusyMs(OTHER_CORE), at: performance.now() }
    await new Promise((resolve) => setTimeout(resolve, QUIET_SAMPLE_MS))
    const busyMs = coreBusyMs(TESTED_CORE) + coreBusyMs(OTHER_CORE) - before.busyMs
    const share = busyMs / (2 * (performance.now() - before.at))
    if (share < QUIET_SHARE || performance.now() - started > maxWaitMs) return share
  }
}
