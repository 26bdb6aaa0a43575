import { z } from 'zod'
import { replaceFile } from '#kit/durable-file.ts'
import { LOG_KEY, type Signer } from '#tlog/key.ts'
import { type PrivateKey, createPrivateKey, openSigner } from '#tlog/signer.ts'
import { readIfThere } from './signed.ts'

const StoredKey = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string(),
  d: z.string(),
  /** Origin of the log that the folder holds. Kept so that verifying needs no configuration. */
  origin: z.string(),
  /** Logs that this folder has held: a new one after a break gets the next number. */
  number: z.int().min(1),
})
type StoredKey = z.infer<typeof StoredKey>

/** The log's identity in a data folder: its key, its configured origin, which log of this origin it is. */
export interface TrailKey {
  readonly signer: Signer
  readonly stored: StoredKey
}

/** The first log of an origin is named by it, later ones have their number behind it. */
export function logName(origin: string, number: number): string {
  return number === 1 ? origin : `${origin}/${number}`
}

/**
 * Reads the signing key of a data folder, or makes it.
 * @throws when the file is damaged, or the key belongs to a log of another origin.
 */
export async function openTrailKey(path: string, origin: string): Promise<TrailKey> {
  const found = await readTrailKey(path)
  if (found === undefined) {
    const made = { ...(await createPrivateKey()), origin, number: 1 }
    await writeTrailKey(path, made)
    return open(made)
  }
  if (found.stored.origin !== origin)
    throw new Error(
      `the audit trail is the log ${found.stored.origin}, the configuration says ${origin}: set audit.origin to the first, or begin a new data folder`,
    )
  return found
}

/** The key when there is one. @throws when the file is damaged. */
export async function readTrailKey(path: string): Promise<TrailKey | undefined> {
  const text = await readIfThere(path)
  if (text === undefined) return undefined
  let stored: StoredKey
  try {
    stored = StoredKey.parse(JSON.parse(text))
  } catch {
    throw new Error(`${path} is not the key of an audit log: put it back from a backup`)
  }
  return open(stored)
}

/** Readable by its owner only. */
export async function writeTrailKey(
  path: string,
  stored: PrivateKey & { origin: string; number: number },
): Promise<void> {
  await replaceFile(path, `${JSON.stringify(stored)}\n`)
}

async function open(stored: StoredKey): Promise<TrailKey> {
  return { signer: await openSigner(logName(stored.origin, stored.number), LOG_KEY, stored), stored }
}
