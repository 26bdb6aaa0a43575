import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '#config/schema.ts'

/** How often files are looked at. Polling sees what editors, mounts and config maps do, which file events do not. */
const EVERY_MS = 1000

/** Calls `onChange` when one of the files, or a file of one of the folders, has changed. Returns how to stop. */
export function watchFiles(
  paths: () => readonly string[],
  onChange: () => Promise<void>,
  everyMs = EVERY_MS,
): () => void {
  let last: string | undefined
  let busy = false
  const look = async (): Promise<void> => {
    if (busy) return
    busy = true
    try {
      const now = (await Promise.all(paths().map(fingerprint))).join('\n')
      const changed = last !== undefined && now !== last
      last = now
      if (changed) await onChange()
    } finally {
      busy = false
    }
  }
  const timer = setInterval(() => void look(), everyMs)
  timer.unref()
  void look()
  return () => clearInterval(timer)
}

async function fingerprint(path: string): Promise<string> {
  try {
    const facts = await stat(path)
    if (!facts.isDirectory()) return `${path} ${facts.mtimeMs} ${facts.size} ${facts.ino}`
    const names = (await readdir(path)).toSorted()
    return (await Promise.all(names.map((name) => fingerprint(join(path, name))))).join('\n')
  } catch {
    return `${path} absent`
  }
}

/** Paths whose value differs, such as `aliases.chat.targets`. Values are not said: they may be long, and the file has them. */
export function changedPaths(before: unknown, after: unknown, path = ''): string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return []
  if (!isRecord(before) || !isRecord(after)) return [path]
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].flatMap((key) => changedPaths(before[key], after[key], path === '' ? key : `${path}.${key}`))
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What is read once at start: a change there needs a new process. */
export function needsRestart(before: Config, after: Config): string[] {
  return changedPaths(
    {
      listen: before.listen,
      name: before.name,
      place: before.place,
      data: before.data,
      audit: before.audit,
      limits: { store: before.limits.store },
      observe: before.observe,
    },
    {
      listen: after.listen,
      name: after.name,
      place: after.place,
      data: after.data,
      audit: after.audit,
      limits: { store: after.limits.store },
      observe: after.observe,
    },
  )
}
