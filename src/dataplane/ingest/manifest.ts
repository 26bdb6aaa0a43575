import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'

/** What became of a document. Only `indexed` ones have passages. */
const FATES = [
  'indexed',
  'empty',
  'too-large',
  'unreadable',
  'corrupt',
  'encrypted',
  'unsupported',
  'too-slow',
] as const

export type Fate = (typeof FATES)[number]

const Entry = z.object({
  /** SHA-256 of the file, hex; empty when it could not be read. */
  digest: z.string(),
  bytes: z.number(),
  modifiedEpochMs: z.number(),
  passages: z.number(),
  /** Version of the parsers and the splitter. */
  parser: z.string(),
  /** Version of the screening rules. */
  rules: z.string(),
  /** Id of the embedding model. */
  model: z.string(),
  /** Who may read it, as an access id. */
  access: z.string(),
  fate: z.enum(FATES),
  /** Why, when the fate is not `indexed`. */
  note: z.string(),
})

/** What the index holds of one document, and of which state of the file. */
export type ManifestEntry = z.infer<typeof Entry>

/** Document to entry. */
export type Manifest = Map<string, ManifestEntry>

/** Another layout of the index: everything is ingested again. */
const LAYOUT = 1

const ManifestFile = z.object({ layout: z.literal(LAYOUT), documents: z.record(z.string(), Entry) })

/** Undefined when there is none, or none that this version understands: then the index has to be made anew. */
export async function readManifest(path: string): Promise<Manifest | undefined> {
  try {
    const file: unknown = JSON.parse(await readFile(path, 'utf8'))
    return new Map(Object.entries(ManifestFile.parse(file).documents))
  } catch (error) {
    const isExpected =
      error instanceof SyntaxError ||
      error instanceof z.ZodError ||
      (error instanceof Error && 'code' in error && error.code === 'ENOENT')
    if (isExpected) return undefined
    throw error
  }
}

/** Replaces the file in one step: a reader, or a start after a crash, sees the old or the new one. */
export async function writeManifest(path: string, manifest: Manifest): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}.tmp`
  const handle = await open(temporary, 'w')
  try {
    await handle.writeFile(JSON.stringify({ layout: LAYOUT, documents: Object.fromEntries(manifest) }))
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, path)
}
