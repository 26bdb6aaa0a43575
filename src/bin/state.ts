import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { JWK } from 'jose'
import { z } from 'zod'
import { createPassportKey } from '#context/passport.ts'
import type { KeyRecord } from '#identity/key.ts'
import { parseKeys, showKeys } from '#identity/key-file.ts'

/** What one control plane keeps in its data folder beside the audit trail. Files are readable by their owner only. */
export interface State {
  /** Keys placeholders and verdict hashes: 32 random bytes, made once. */
  readonly masterKey: Uint8Array
  /** Signs passports. */
  readonly passportKey: JWK
}

export async function openState(folder: string): Promise<State> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const masterKey = await readOrMake(join(folder, 'master.key'), () =>
    Promise.resolve(randomBytes(32).toString('base64')),
  )
  const passportKey = await readOrMake(join(folder, 'passport.jwk'), async () =>
    JSON.stringify(await createPassportKey()),
  )
  return { masterKey: Buffer.from(masterKey, 'base64'), passportKey: Jwk.parse(JSON.parse(passportKey)) }
}

const Jwk = z.looseObject({ kty: z.string(), crv: z.string(), x: z.string(), d: z.string() })

async function readOrMake(path: string, make: () => Promise<string>): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    const content = await make()
    await writeDurably(path, content)
    return content
  }
}

/** Writes beside, syncs, then renames: a crash leaves the old file or the new one, never half of it. */
export async function writeDurably(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const beside = `${path}.${process.pid}.new`
  const file = await open(beside, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(beside, path)
}

/** Records of keys; none when the file does not exist yet. @throws with the file's name when it is not readable as one. */
export async function readKeys(path: string): Promise<KeyRecord[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
  try {
    return parseKeys(text)
  } catch (error) {
    throw new Error(`${path} is not a file of keys: ${error instanceof Error ? error.message : ''}`, { cause: error })
  }
}

export async function writeKeys(path: string, keys: readonly KeyRecord[]): Promise<void> {
  await writeDurably(path, showKeys(keys))
}
