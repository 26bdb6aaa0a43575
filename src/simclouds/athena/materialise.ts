import { createHash } from 'node:crypto'
import { createWriteStream, existsSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Table } from '#simclouds/glue/catalogue.ts'
import { objectsUnder, partitionsOf } from '#simclouds/glue/partitions.ts'
import type { StoredObject } from '#simclouds/s3/bucket.ts'
import { piecesOf } from '#simclouds/s3/content.ts'
import type { S3Store } from '#simclouds/s3/store.ts'

/** One object of a table as a file. */
export interface TableFile {
  readonly path: string
  readonly bytes: number
  /** Values of the partition keys, in their order; empty for a table without. */
  readonly partition: readonly string[]
}

/**
 * Writes the objects of a table into a folder. An object is written once: its file is named by its bucket, key and
 * entity tag.
 */
export async function materialise(table: Table, store: S3Store, folder: string): Promise<readonly TableFile[]> {
  await mkdir(folder, { recursive: true })
  const isPartitioned = (table.partitionKeys ?? []).length > 0
  const places = isPartitioned ? partitionsOf(table, store) : [{ values: [], location: table.location }]
  const files: TableFile[] = []
  for (const { values, location } of places)
    for (const object of objectsUnder(location, store))
      files.push({ path: await fileOf(object, table, folder), bytes: object.content.size, partition: values })
  return files
}

async function fileOf(object: StoredObject, table: Table, folder: string): Promise<string> {
  const identity = [table.location, object.key, object.etag, object.versionId].join('\n')
  const name = createHash('sha256').update(identity).digest('hex')
  // DuckDB tells compressed files by their name.
  const path = join(folder, `${name}.${table.format}${object.key.endsWith('.gz') ? '.gz' : ''}`)
  if (existsSync(path)) return path
  const partial = `${path}.partial`
  await pipeline(Readable.from(bytesOf(object)), createWriteStream(partial))
  await rename(partial, path)
  return path
}

async function* bytesOf({ content }: StoredObject): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of piecesOf(content, 0, content.size)) yield bytes
}
