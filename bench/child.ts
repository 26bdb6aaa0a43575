import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface ChildOptions {
  readonly name: string
  /** Arguments of Node: its options, the script, the script's own arguments. */
  readonly args: readonly string[]
  /** The core that it may use; undefined for any. */
  readonly core: number | undefined
  /** Its first group is the URL: the child is ready when it has printed such a line. */
  readonly ready: RegExp
  readonly environment?: Readonly<Record<string, string>>
  /** Milliseconds until it has to be ready. Default 60,000. */
  readonly readyMs?: number
}

/** A process of ours while it runs. */
export interface Child {
  readonly pid: number
  readonly url: string
  /** Milliseconds from the start to the line that says it is ready. */
  readonly startMs: number
  /** Asks it to end, and ends it after five seconds. */
  stop(): Promise<void>
}

export const ROOT = fileURLToPath(new URL('..', import.meta.url))
const READY_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 5000
const KEPT_CHARS = 100_000

const running = new Set<ChildProcess>()

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

/** Starts a process with this Node. @throws with what it wrote to standard error when it does not get ready. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const started = performance.now()
  const pinned = options.core === undefined ? [] : ['taskset', '-c', String(options.core)]
  const [command = process.execPath, ...args] = [...pinned, process.execPath, ...options.args]
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...process.env, NODE_ENV: 'production', ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      running.delete(child)
      resolve()
    })
  })
  const url = await untilReady(child, options).catch(async (error: unknown) => {
    child.kill('SIGKILL')
    await ended
    throw error
  })
  return { pid: child.pid ?? 0, url, startMs: performance.now() - started, stop: () => stop(child, ended) }
}

function untilReady(child: ChildProcess, { name, ready, readyMs = READY_TIMEOUT_MS }: ChildOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    let complained = ''
    const fail = (why: string): void =>
      reject(new Error(`${name} ${why}${complained === '' ? '' : `:\n${complained.trim()}`}`))
    const timer = setTimeout(() => fail(`was not ready within ${readyMs / 1000} s`), readyMs)
    child.stdout?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-KEPT_CHARS)
      const url = ready.exec(said)?.[1]
      if (url === undefined) return
      clearTimeout(timer)
      resolve(url)
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      complained = (complained + chunk.toString()).slice(-KEPT_CHARS)
    })
    child.once('error', (error) => fail(`could not be started (${error.message})`))
    child.once('exit', (code) => {
      clearTimeout(timer)
      fail(`ended with status ${code ?? 'none'}`)
    })
  })
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await ended
  clearTimeout(timer)
}
