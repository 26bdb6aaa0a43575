import { readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Locks of this process: its own id in a lock file says nothing. */
const held = new Set<string>()

/**
 * One writer a folder: a lock file with the process id, taken over when that process is gone.
 * @returns how to give it back. @throws when another process has it, or this one already does.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'lock')
  if (held.has(path)) throw new Error(`this process writes the audit trail in ${folder} already`)
  const own = join(folder, `lock.${process.pid}`)
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx', mode: 0o600 })
      held.add(path)
      return async () => {
        held.delete(path)
        await unlink(path).catch(() => undefined)
      }
    } catch {
      const holder = Number(await readFile(path, 'utf8').catch(() => '0'))
      if (holder !== 0 && holder !== process.pid && isAlive(holder)) {
        throw new Error(
          `another process (${holder}) writes the audit trail in ${folder}: stop it, or use another --data folder`,
        )
      }
      await rename(path, own).catch(() => undefined)
      await unlink(own).catch(() => undefined)
    }
  }
  throw new Error(`the audit trail in ${folder} could not be locked`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
