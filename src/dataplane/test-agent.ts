/** What the tests of this folder share: folders, passports and an embedder that needs no model. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Collection } from '#dataplane/access/collection.ts'
import { lanceEngine } from '#dataplane/index/lance-store.ts'
import type { IndexEngine } from '#dataplane/index/store.ts'
import { folderSource } from '#dataplane/sources/folder.ts'
import type { Embedder } from '#dataplane/embed/embedder.ts'
import { wordsOf } from '#dataplane/retrieve/rank.ts'

/** Why tests that need the index are skipped, or false. */
export const skipWithoutIndex: string | false = await Promise.all([
  import('@lancedb/lancedb'),
  import('apache-arrow'),
]).then(
  () => false,
  () => 'the data plane’s packages are not installed',
)

export const ISSUER = 'https://control.example'
export const AUDIENCE = 'thinplane-data'
export const NOW_EPOCH_MS = Date.UTC(2026, 10, 25, 12)

const folders: string[] = []
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A temporary folder with these files, removed at the end of the process. */
export async function folderWith(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dataplane-'))
  folders.push(folder)
  for (const [name, contents] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), contents)
  }
  return folder
}

/** A collection that everybody may read, over a folder. */
export function collectionOf(folder: string, changes: Partial<Collection> = {}): Collection {
  const readers = { roles: [], groups: [] }
  return { name: 'docs', title: 'Documents', source: folderSource(folder), readers, rules: [], ...changes }
}

/** LanceDB where an agent with this data folder keeps it. */
export function engineIn(dataDir: string): IndexEngine {
  return lanceEngine({ uri: join(dataDir, 'index') })
}

/** Every word is a dimension: texts are close when they share words. */
export function createWordEmbedder(): Embedder & { readonly texts: string[] } {
  const dimensions = 384
  const texts: string[] = []
  const vectorOf = (text: string): Float32Array => {
    const vector = new Float32Array(dimensions)
    const words = wordsOf(text)
    for (const word of words) {
      const at = createHash('sha256').update(word).digest().readUInt32LE() % dimensions
      vector[at] = 1 / Math.sqrt(Math.max(1, words.size))
    }
    return vector
  }
  return {
    model: 'words',
    dimensions,
    floor: 0.27,
    texts,
    async embed(wanted) {
      texts.push(...wanted)
      return await Promise.resolve(wanted.map(vectorOf))
    },
    embedQuery: async (text) => await Promise.resolve(vectorOf(text)),
    close: async () => await Promise.resolve(),
  }
}

export interface Minter {
  readonly jwks: unknown
  /** A passport; `claims` and `header` change the defaults. */
  mint(claims?: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, string>>): Promise<string>
}

let serial = 0

/** A control plane's signing key and what it signs. */
export async function createMinter(kid = 'key-1', nowEpochMs = NOW_EPOCH_MS): Promise<Minter> {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid, alg: 'EdDSA', use: 'sig' }
  return {
    jwks: { keys: [jwk] },
    async mint(claims = {}, header = {}) {
      serial += 1
      const iat = Math.floor(nowEpochMs / 1000)
      const defaults = {
        iss: ISSUER,
        aud: AUDIENCE,
        sub: 'user-1',
        tenant: 'nordwind',
        roles: [],
        groups: [],
        collections: ['docs'],
        purpose: 'chat',
        residency: 'eu',
        jti: `request-${serial}`,
        iat,
        exp: iat + 60,
      }
      return await new SignJWT({ ...defaults, ...claims })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'passport+jwt', kid, ...header })
        .sign(privateKey)
    },
  }
}
