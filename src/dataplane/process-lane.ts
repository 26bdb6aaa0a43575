import { fork } from 'node:child_process'
import type { ChildProcess, Serializable } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** Why there is no answer: the process ended, it took too long, or it took too much memory; the last two end it. */
export type ProcessLaneReason = 'died' | 'timed-out' | 'out-of-memory'

/** A call without an answer. The next call starts a new process. */
export class ProcessLaneError extends Error {
  readonly reason: ProcessLaneReason

  constructor(message: string, reason: ProcessLaneReason, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ProcessLaneError'
    this.reason = reason
  }
}

export interface ProcessLaneLimits {
  /** Heap of the process; at the limit it ends. */
  readonly maxHeapMb: number
  /** All of its memory, buffers as well: looked at ten times a second where the system has /proc. */
  readonly maxResidentMb: number
}

const LOOK_MS = 100
/** Status of a process that the engine ended for want of memory: SIGABRT, or 128 + 6 through a shell. */
const ABORTED = new Set<unknown>(['SIGABRT', 134])

/**
 * One process that answers one message at a time, for code that reads what strangers wrote: a thread that exhausts its
 * heap takes the whole process with it (the engine aborts), a process of its own only itself. It starts on the first
 * call, has nothing of the environment, may read files only, and keeps its parent not alive while idle.
 */
export class ProcessLane {
  readonly #script: URL
  readonly #limits: ProcessLaneLimits
  #child: ChildProcess | undefined

  constructor(script: URL, limits: ProcessLaneLimits) {
    this.#script = script
    this.#limits = limits
  }

  /**
   * Sends a message and waits for the answer. Calls must not overlap.
   *
   * @throws {ProcessLaneError} when the process ends, does not answer within `timeoutMs` or takes too much memory.
   */
  async call(message: Serializable, timeoutMs: number): Promise<unknown> {
    const child = (this.#child ??= this.#start())
    const waiting = new AbortController()
    const signal = AbortSignal.any([waiting.signal, AbortSignal.timeout(timeoutMs)])
    const memory = this.#watch(child)
    hold(child)
    try {
      const answer = Promise.race([once(child, 'message', { signal }), exited(child, waiting.signal), memory.exceeded])
      if (child.connected) child.send(message, () => undefined)
      const reply: readonly unknown[] = await answer
      return reply[0]
    } catch (error) {
      if (this.#child === child) this.#child = undefined
      await end(child)
      throw failureOf(error, timeoutMs)
    } finally {
      memory.stop()
      waiting.abort()
      release(child)
    }
  }

  /** Ends the process, and with it a call that waits. */
  async close(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child !== undefined) await end(child)
  }

  #start(): ChildProcess {
    const child = fork(fileURLToPath(this.#script), {
      execArgv: [
        `--max-old-space-size=${this.#limits.maxHeapMb}`,
        '--permission',
        '--allow-fs-read=*',
        '--disable-warning=SecurityWarning',
      ],
      env: {},
      serialization: 'advanced',
      // What an engine says when it ends may hold pieces of the document.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    const kill = () => child.kill('SIGKILL')
    process.once('exit', kill)
    child.once('exit', () => process.off('exit', kill))
    // Between two calls nobody waits for it; without a listener an error would end the parent.
    child.on('error', () => undefined)
    child.on('exit', () => {
      if (this.#child === child) this.#child = undefined
    })
    return child
  }

  #watch(child: ChildProcess): { readonly exceeded: Promise<never>; readonly stop: () => void } {
    const exceeded = Promise.withResolvers<never>()
    exceeded.promise.catch(() => undefined)
    const timer = setInterval(() => {
      void residentMb(child.pid).then((megabytes) => {
        if (megabytes > this.#limits.maxResidentMb) exceeded.reject(new MemoryExceeded())
      })
    }, LOOK_MS)
    return { exceeded: exceeded.promise, stop: () => clearInterval(timer) }
  }
}

class MemoryExceeded extends Error {}

class Exited extends Error {
  readonly status: unknown

  constructor(status: unknown) {
    super('the process ended')
    this.status = status
  }
}

/** A page of memory on every platform that Node's builds are for. */
const PAGE_BYTES = 4096

/** Zero where the system does not tell. */
async function residentMb(pid: number | undefined): Promise<number> {
  try {
    const [, pages] = (await readFile(`/proc/${pid ?? 0}/statm`, 'latin1')).split(' ')
    return (Number(pages) * PAGE_BYTES) / 1024 / 1024
  } catch {
    return 0
  }
}

function failureOf(error: unknown, timeoutMs: number): ProcessLaneError {
  if (error instanceof MemoryExceeded || (error instanceof Exited && ABORTED.has(error.status))) {
    return new ProcessLaneError('the process took too much memory', 'out-of-memory', error)
  }
  const isLate = error instanceof Error && error.name === 'AbortError'
  return isLate
    ? new ProcessLaneError(`no answer within ${timeoutMs} ms`, 'timed-out', error)
    : new ProcessLaneError('the process ended', 'died', error)
}

async function exited(child: ChildProcess, signal: AbortSignal): Promise<never> {
  if (!hasEnded(child)) await once(child, 'exit', { signal })
  throw new Exited(child.signalCode ?? child.exitCode)
}

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  // Idle, it would not keep this process alive until its end was seen.
  hold(child)
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

function hold(child: ChildProcess): void {
  child.ref()
  child.channel?.ref()
}

function release(child: ChildProcess): void {
  child.unref()
  child.channel?.unref()
}
