import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { replaceFile } from '#kit/durable-file.ts'
import { COSIGNER_KEY, type Signer } from '#tlog/key.ts'
import { createPrivateKey, openSigner } from '#tlog/signer.ts'

const StoredKey = z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string(), d: z.string() })

/** The witness's key in the agent's data folder, made when there is none; readable by its owner only. @throws when damaged. */
export async function openWitnessKey(dataDir: string, name: string): Promise<Signer> {
  const path = join(dataDir, 'witness.key')
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) {
    const made = await createPrivateKey()
    await replaceFile(path, `${JSON.stringify(made)}\n`)
    return openSigner(name, COSIGNER_KEY, made)
  }
  let stored: z.infer<typeof StoredKey>
  try {
    stored = StoredKey.parse(JSON.parse(text))
  } catch {
    throw new Error(`${path} is not the key of a witness: put it back from a backup`)
  }
  return openSigner(name, COSIGNER_KEY, stored)
}
