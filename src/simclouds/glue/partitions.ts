import type { StoredObject } from '#simclouds/s3/bucket.ts'
import type { S3Store } from '#simclouds/s3/store.ts'
import type { Partition, Table } from './catalogue.ts'

/** A place in S3, the key with a slash at its end. */
interface Location {
  readonly bucket: string
  readonly prefix: string
}

/** One part of a table: its values, and where its objects are. */
interface PlacedPartition {
  readonly values: readonly string[]
  readonly location: string
}

/** The partitions of a table; of one without keys, none. */
export function partitionsOf(table: Table, store: S3Store): readonly PlacedPartition[] {
  const { partitionKeys = [] } = table
  if (partitionKeys.length === 0) return []
  const folder = (values: readonly string[]) =>
    partitionKeys.map(({ name }, at) => `${name}=${values[at] ?? ''}/`).join('')
  const known: readonly Partition[] = table.partitions ?? discovered(table, store)
  return known.map(({ values, location }) => ({
    values,
    location: location ?? `${slashed(table.location)}${folder(values)}`,
  }))
}

/** What is under a location now. Names that begin with `_` or `.` are not data, as in Athena. */
export function objectsUnder(location: string, store: S3Store): readonly StoredObject[] {
  const { bucket: name, prefix } = placeOf(location)
  const bucket = store.bucket(name)
  return bucket.keys().flatMap((key) => {
    const file = key.slice(key.lastIndexOf('/') + 1)
    if (!key.startsWith(prefix) || file === '' || /^[_.]/.test(file)) return []
    return bucket.current(key) ?? []
  })
}

/** Reads `s3://bucket/prefix`. */
export function placeOf(location: string): Location {
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/(.*)$/s.exec(slashed(location)) ?? []
  return { bucket, prefix }
}

function discovered(table: Table, store: S3Store): readonly Partition[] {
  const { partitionKeys = [] } = table
  const { prefix } = placeOf(table.location)
  const found = new Map<string, readonly string[]>()
  for (const { key } of objectsUnder(table.location, store)) {
    const folders = key.slice(prefix.length).split('/').slice(0, partitionKeys.length)
    const values = partitionKeys.map(({ name }, at) => valueOf(folders[at] ?? '', name))
    if (values.every((value) => value !== undefined)) found.set(folders.join('/'), values)
  }
  return [...found.values()].map((values) => ({ values }))
}

function valueOf(folder: string, name: string): string | undefined {
  return folder.startsWith(`${name}=`) ? decodeURIComponent(folder.slice(name.length + 1)) : undefined
}

function slashed(location: string): string {
  return location.endsWith('/') ? location : `${location}/`
}
