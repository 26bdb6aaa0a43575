import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, opendir, realpath, stat } from 'node:fs/promises'
import { join, posix, sep } from 'node:path'
import { SourceError } from './source.ts'
import type { ObjectSource, OpenedObject, SourceObject } from './source.ts'

/** Files up to this size are handed on in memory, larger ones as they lie on disk. */
const IN_MEMORY_BYTES = 8 * 1024 * 1024

/**
 * The files of a folder on this machine. Names that begin with a dot are skipped; links are followed to files inside
 * the folder only, and never to folders.
 */
export function folderSource(folder: string): ObjectSource {
  return {
    name: `folder ${folder}`,
    list: (signal) => listFolder(folder, signal),
    open: async (object, signal) => await openFile(folder, object, signal),
  }
}

async function* listFolder(folder: string, signal: AbortSignal): AsyncGenerator<SourceObject> {
  const root = await realpath(folder)
  const folders = ['']
  for (let inside = folders.pop(); inside !== undefined; inside = folders.pop()) {
    for (const entry of await entriesOf(root, inside)) {
      signal.throwIfAborted()
      if (entry.name.startsWith('.')) continue
      const document = posix.join(inside, entry.name)
      if (entry.isDirectory()) {
        folders.push(document)
        continue
      }
      const file = await fileAt(root, document)
      if (file !== undefined) yield file.object
    }
  }
}

/** Sorted, so that two ingests go the same way. A folder inside that can not be read hides its files only. */
async function entriesOf(root: string, inside: string) {
  const entries = []
  try {
    for await (const entry of await opendir(join(root, inside))) entries.push(entry)
  } catch (error) {
    if (inside === '') throw error
  }
  return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

async function fileAt(root: string, document: string): Promise<{ object: SourceObject; path: string } | undefined> {
  try {
    const path = await realpath(join(root, document))
    if (!path.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined
    const facts = await stat(path)
    if (!facts.isFile()) return undefined
    const { size, mtimeMs } = facts
    return { object: { document, version: `${size}-${mtimeMs}`, bytes: size, modifiedEpochMs: mtimeMs }, path }
  } catch {
    // Removed since it was listed, or a link to nothing.
    return undefined
  }
}

async function openFile(folder: string, object: SourceObject, signal: AbortSignal): Promise<OpenedObject> {
  const found = await fileAt(await realpath(folder), object.document)
  if (found === undefined) throw new SourceError('gone', 'it was deleted while it was to be read')
  const { path, object: current } = found
  const close = async (): Promise<void> => await Promise.resolve()
  try {
    if (current.bytes > IN_MEMORY_BYTES) {
      const digest = await digestOf(path, signal)
      return { input: { name: object.document, path, size: current.bytes }, version: current.version, digest, close }
    }
    const handle = await open(path)
    try {
      const bytes = new Uint8Array(await handle.readFile({ signal }))
      const digest = createHash('sha256').update(bytes).digest('hex')
      return { input: { name: object.document, bytes }, version: current.version, digest, close }
    } finally {
      await handle.close()
    }
  } catch (error) {
    signal.throwIfAborted()
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new SourceError('unreadable', `it can not be read (${code})`, error)
  }
}

/** In pieces: the file may be larger than memory. */
async function digestOf(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { signal })) hash.update(piece as Uint8Array)
  return hash.digest('hex')
}
