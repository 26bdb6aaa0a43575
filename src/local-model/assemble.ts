import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A file that has to have these bytes and no others. */
export interface ExpectedFile {
  readonly path: string
  readonly bytes: number
  /** Hex. */
  readonly sha256: string
}

/** The parts do not make the file that they have to. */
export class WrongDigest extends Error {
  constructor({ path, sha256 }: ExpectedFile, got: string) {
    super(
      `the model that was downloaded is not the one that belongs here: its SHA-256 is ${got}, not ${sha256}; nothing was kept in ${dirname(path)}, remove installs/local-model/node_modules and try again`,
    )
    this.name = 'WrongDigest'
  }
}

/** Whether the file is there and is the right one. */
export async function isWhole({ path, bytes, sha256 }: ExpectedFile): Promise<boolean> {
  const size = await stat(path).then(
    (found) => found.size,
    () => -1,
  )
  if (size !== bytes) return false
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>)
    hash.update(chunk)
  return hash.digest('hex') === sha256
}

const READ_BYTES = 1_048_576

/**
 * Joins the parts to one file: beside it first, put in place when its digest is right. A crash or a wrong digest
 * leaves no file under its name.
 * @throws {WrongDigest}
 */
export async function assemble(parts: readonly string[], file: ExpectedFile): Promise<void> {
  await mkdir(dirname(file.path), { recursive: true })
  const beside = `${file.path}.${process.pid}.new`
  try {
    const got = await join(parts, beside)
    if (got !== file.sha256) throw new WrongDigest(file, got)
    await rename(beside, file.path)
  } finally {
    await rm(beside, { force: true })
  }
}

/** @returns the digest of what was written, hex. */
async function join(parts: readonly string[], path: string): Promise<string> {
  const hash = createHash('sha256')
  const handle = await open(path, 'w', 0o644)
  try {
    for (const part of parts) {
      for await (const chunk of createReadStream(part, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>) {
        hash.update(chunk)
        await handle.writeFile(chunk)
      }
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
  return hash.digest('hex')
}
