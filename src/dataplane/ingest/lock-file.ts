import { mkdir, open, readFile, rm, stat, utimes } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Another process has the lock. */
export class LockedError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'LockedError'
  }
}

/** The holder touches the file this often. */
const BEAT_MS = 5000
/** A file not touched for this long is left over, whoever has its process id now. */
const STALE_MS = 60_000

/** Paths that this process holds: its own id in a file it does not hold is that of a former process. */
const held = new Set<string>()

/**
 * Runs `work` while this process alone holds the lock. A lock that a dead process left is taken over.
 *
 * @throws {LockedError} when another process that runs holds it, or this one already does.
 */
export async function withLock<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  await mkdir(dirname(path), { recursive: true })
  await acquire(path)
  held.add(path)
  const beat = setInterval(() => void touch(path), BEAT_MS).unref()
  try {
    return await work()
  } finally {
    clearInterval(beat)
    held.delete(path)
    await rm(path, { force: true })
  }
}

async function acquire(path: string): Promise<void> {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    if (await create(path)) return
    const owner = Number(await readFile(path, 'utf8').catch(() => ''))
    if (held.has(path) || ((await isRunning(owner)) && (await isTouched(path)))) {
      throw new LockedError(`process ${owner} is at work on it (lock file ${path})`)
    }
    await rm(path, { force: true })
  }
  throw new LockedError(`another process took the lock file ${path}`)
}

async function create(path: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx')
    await handle.writeFile(String(process.pid))
    await handle.close()
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

async function touch(path: string): Promise<void> {
  const now = new Date()
  await utimes(path, now, now).catch(() => undefined)
}

async function isTouched(path: string): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined)
  return facts !== undefined && Date.now() - facts.mtimeMs < STALE_MS
}

async function isRunning(pid: number): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
  // A killed process that nobody waited for still has its id (Linux; elsewhere the file is not there).
  const facts = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return !/\) [ZX] /.test(facts)
}
