import { constants, write } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Where the system has O_DSYNC (Linux, macOS) one call writes and waits for the disk, instead of two. */
const SYNCED_WRITES = (constants as Partial<typeof constants>).O_DSYNC ?? 0
export const NEW_FILE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | SYNCED_WRITES
export const OLD_FILE = constants.O_RDWR | SYNCED_WRITES

/** Writes at a position and waits for the disk; the file was opened with `NEW_FILE` or `OLD_FILE`. */
export async function writeSynced(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    written += await new Promise<number>((resolve, reject) => {
      write(file.fd, bytes, written, bytes.length - written, position + written, (error, count) => {
        if (error === null) resolve(count)
        else reject(error)
      })
    })
  }
  if (SYNCED_WRITES === 0) await file.datasync()
}

/**
 * Writes beside, syncs, renames, syncs the folder: after a crash the old file is there or the new one, whole.
 * `sync: false` leaves the waiting for the disk out: after a loss of power the new file may be gone or empty.
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  { sync = true }: { readonly sync?: boolean } = {},
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const beside = `${path}.${process.pid}.new`
  try {
    await writeWhole(beside, content, sync)
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
  if (sync) await syncFolder(dirname(path))
}

async function writeWhole(path: string, content: string | Uint8Array, sync: boolean): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(content)
    if (sync) await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
