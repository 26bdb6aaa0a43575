import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '#kit/durable-file.ts'
import { sameBytes } from '#tlog/bytes.ts'
import { type OpenedCheckpoint, openCheckpoint } from '#tlog/checkpoint.ts'
import type { VerifierKey } from '#tlog/key.ts'

/** Where things stand in a data folder. */
export function trailPaths(dataFolder: string) {
  const audit = join(dataFolder, 'audit')
  return {
    audit,
    /** The last signed checkpoint, with the cosignatures that came so far. */
    checkpoint: join(audit, 'checkpoint'),
    /** The last checkpoint that enough witnesses cosigned. */
    cosigned: join(audit, 'checkpoint.cosigned'),
    /** The last signed checkpoint again, outside the log: a log that was put back from a backup shows against it. */
    signed: join(dataFolder, 'signed'),
    /** The log's signing key. */
    key: join(dataFolder, 'audit.key'),
  }
}

/** A file's text, or undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Every signed checkpoint that a data folder knows of, the largest first; none for a new log.
 * @throws when one is not of this log, or two of one size differ.
 */
export async function readSigned(dataFolder: string, key: VerifierKey): Promise<OpenedCheckpoint[]> {
  const { checkpoint, cosigned, signed } = trailPaths(dataFolder)
  return readCheckpoints([checkpoint, signed, cosigned], key)
}

/** As `readSigned`, from these files; what is not there is left out. */
export async function readCheckpoints(paths: readonly string[], key: VerifierKey): Promise<OpenedCheckpoint[]> {
  const opened: OpenedCheckpoint[] = []
  for (const path of paths) {
    const text = await readIfThere(path)
    if (text === undefined) continue
    try {
      opened.push(await openCheckpoint(text, key))
    } catch (error) {
      throw new Error(`${path} is not a checkpoint of this log: ${error instanceof Error ? error.message : ''}`, {
        cause: error,
      })
    }
  }
  const sorted = opened.toSorted((a, b) => b.size - a.size)
  for (const [at, { size, root }] of sorted.entries()) {
    const next = sorted[at + 1]
    if (next?.size === size && !sameBytes(next.root, root))
      throw new Error(`two trees of ${size} entries were signed for ${key.name}: the key has been used for another log`)
  }
  return sorted
}

/** Keeps a checkpoint that was just signed, before anybody else may see it. */
export async function keepSigned(dataFolder: string, note: string): Promise<void> {
  const { checkpoint, signed } = trailPaths(dataFolder)
  await replaceFile(signed, note)
  await replaceFile(checkpoint, note)
}
