import { open, readdir, realpath, stat } from 'node:fs/promises'
import { join, posix, sep } from 'node:path'
import { EXTENSIONS } from '#dataplane/parse/parse.ts'

/** A larger file is not read. */
export const MAX_FILE_BYTES = 50 * 1024 * 1024
/** A folder with more documents is read up to here. */
const MAX_FILES = 10_000

/** A file that may become a document. */
export interface SourceFile {
  /** Path inside the folder, with `/`. */
  readonly document: string
  readonly path: string
  readonly bytes: number
  readonly modifiedEpochMs: number
}

export interface Listing {
  /** Sorted by document. */
  readonly files: readonly SourceFile[]
  /** Whether the folder holds more than `MAX_FILES`. */
  readonly isCut: boolean
}

/**
 * Every file of the folder that has a parser. Names that begin with a dot are skipped; links are followed
 * to files inside the folder only, and never to folders.
 *
 * @throws when the folder itself can not be read.
 */
export async function listFolder(folder: string): Promise<Listing> {
  const root = await realpath(folder)
  const found: SourceFile[] = []
  const folders = ['']
  for (let inside = folders.pop(); inside !== undefined; inside = folders.pop()) {
    for (const entry of await entriesOf(root, inside)) {
      if (entry.name.startsWith('.')) continue
      const document = posix.join(inside, entry.name)
      if (entry.isDirectory()) folders.push(document)
      if (!EXTENSIONS.has(posix.extname(entry.name).toLowerCase())) continue
      const file = await fileAt(root, document)
      if (file !== undefined) found.push(file)
    }
  }
  found.sort((a, b) => (a.document < b.document ? -1 : 1))
  return { files: found.slice(0, MAX_FILES), isCut: found.length > MAX_FILES }
}

/** Contents of a file. @throws {RangeError} when it is larger than `MAX_FILE_BYTES`. */
export async function readSource(file: SourceFile): Promise<Uint8Array<ArrayBuffer>> {
  const handle = await open(file.path)
  try {
    const { size } = await handle.stat()
    if (size > MAX_FILE_BYTES) throw new RangeError(`the file is larger than ${MAX_FILE_BYTES / 1024 / 1024} MB`)
    return new Uint8Array(await handle.readFile())
  } finally {
    await handle.close()
  }
}

/** A folder inside that can not be read hides its files only. */
async function entriesOf(root: string, inside: string) {
  try {
    return await readdir(join(root, inside), { withFileTypes: true })
  } catch (error) {
    if (inside === '') throw error
    return []
  }
}

async function fileAt(root: string, document: string): Promise<SourceFile | undefined> {
  try {
    const path = await realpath(join(root, document))
    if (!path.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined
    const facts = await stat(path)
    if (!facts.isFile()) return undefined
    return { document, path, bytes: facts.size, modifiedEpochMs: facts.mtimeMs }
  } catch {
    // Removed since it was listed, or a link to nothing.
    return undefined
  }
}
