import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeDurably } from './state.ts'

/** A change takes milliseconds: a lock older than this was left by a process that died. */
const STALE_MS = 10_000
const PATIENCE_MS = 5000

/** The text of a file, or undefined when there is none. @throws for every other fault. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Changes a small file that the gateway and the command line both write: one at a time, and each change whole or not
 * at all. `change` gets what is there and gives what shall be.
 * @throws what `change` throws, and when somebody else holds the file for five seconds.
 */
export async function changeFile(path: string, change: (text: string | undefined) => string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const lock = `${path}.lock`
  await acquire(lock, path)
  try {
    await writeDurably(path, change(await readIfThere(path)))
  } finally {
    await rm(lock, { force: true })
  }
}

async function acquire(lock: string, path: string): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS
  while (!(await taken(lock))) {
    const age = Date.now() - (await stat(lock).then(({ mtimeMs }) => mtimeMs, Date.now))
    if (age > STALE_MS) await removeStale(lock)
    else if (performance.now() > untilMs)
      throw new Error(`${path} is being changed by somebody else, try again (its lock is ${lock})`)
    else await sleep(20)
  }
}

async function taken(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

/** Renamed before it is removed, so that of two who find it stale one takes it away. */
async function removeStale(lock: string): Promise<void> {
  const own = `${lock}.${process.pid}`
  await rename(lock, own).catch(() => undefined)
  await rm(own, { force: true })
}
