import { type ChildProcess, fork } from 'node:child_process'

/** A process of ours that this one looks after. */
export interface Child {
  readonly name: string
  /** Resolves with the first message for which `accept` is true. @throws when it ends before. */
  message(accept: (message: Readonly<Record<string, unknown>>) => boolean): Promise<Readonly<Record<string, unknown>>>
  /** Asks it to stop, and ends it when it has not after `graceMs`. */
  stop(graceMs: number): Promise<void>
  /** Resolves with what to say when it ends without having been asked to. */
  readonly fell: Promise<string>
}

export interface ChildOptions {
  readonly name: string
  readonly file: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Flags of the runtime. Default none. */
  readonly execArgv?: readonly string[]
  readonly onMessage?: (message: Readonly<Record<string, unknown>>) => void
}

/** The last lines of a child's standard error, to say why it fell. */
const KEPT_LINES = 12

/**
 * Starts a process with a channel to it. It gets a process group of its own, so that Ctrl-C in the terminal reaches
 * this process alone and the order of stopping is ours; when this process dies, the closed channel stops it.
 */
export function startChild({ name, file, args, environment, execArgv = [], onMessage }: ChildOptions): Child {
  const child = fork(file, [...args], {
    detached: true,
    execArgv: [...execArgv],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...environment },
  })
  const lines: string[] = []
  child.stderr?.setEncoding('utf8').on('data', (text: string) => keep(lines, text))
  child.stdout?.resume()
  let isStopping = false
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(`${name} ended (${signal ?? code})`))
  })
  const listeners = new Set<(message: Readonly<Record<string, unknown>>) => void>()
  child.on('message', (value) => {
    if (typeof value !== 'object' || value === null) return
    const message = value as Readonly<Record<string, unknown>>
    onMessage?.(message)
    for (const listener of listeners) listener(message)
  })
  return {
    name,
    message: (accept) =>
      new Promise((resolve, reject) => {
        const listener = (message: Readonly<Record<string, unknown>>): void => {
          if (!accept(message)) return
          listeners.delete(listener)
          resolve(message)
        }
        listeners.add(listener)
        void ended.then((what) => reject(new Error(reasonOf(lines) ?? what)))
      }),
    stop: async (graceMs) => {
      isStopping = true
      await stopChild(child, ended, graceMs)
    },
    fell: ended.then(async (what) => {
      if (isStopping) await new Promise(() => undefined)
      return `${what}${lines.length === 0 ? '' : `:\n${lines.join('\n')}`}`
    }),
  }
}

async function stopChild(child: ChildProcess, ended: Promise<string>, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await ended
  clearTimeout(timer)
}

function keep(lines: string[], text: string): void {
  lines.push(...text.split('\n').filter((line) => line.trim() !== ''))
  lines.splice(0, Math.max(0, lines.length - KEPT_LINES))
}

/** Our commands say in one line, as their last words, why they could not start. */
function reasonOf(lines: readonly string[]): string | undefined {
  const at = lines.findLastIndex((line) => line.startsWith('thinplane '))
  return at === -1
    ? lines.at(-1)
    : lines
        .slice(at)
        .join('\n')
        .replace(/^thinplane [a-z]+: /, '')
}
