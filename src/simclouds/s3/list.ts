import type { BodyReply, SimRequest } from '#simclouds/service.ts'
import type { Bucket, StoredObject, Version } from './bucket.ts'
import { S3Problem } from './problem.ts'
import { documentOf, element, group } from './xml.ts'

const MAX_KEYS = 1_000
/** Continuation tokens are opaque: this marks them as ours. */
const TOKEN_START = 'thinplane.'

interface Listing {
  readonly prefix: string
  readonly delimiter: string
  readonly maxKeys: number
  /** Keys up to and including this one are left out. */
  readonly after: string
  /** How keys and prefixes are written. */
  readonly shown: (text: string) => string
}

/** ListObjectsV2. */
export function listObjects(request: SimRequest, bucket: Bucket): BodyReply {
  const { query } = request
  const token = query.get('continuation-token')
  const startAfter = query.get('start-after') ?? ''
  const listing = readListing(query, token === null ? startAfter : readToken(token))
  const page = pageOf(bucket, listing)
  const { shown, maxKeys } = listing
  const encoding = query.get('encoding-type')
  const inner = [
    element('Name', bucket.name),
    element('Prefix', shown(listing.prefix)),
    element('KeyCount', page.objects.length + page.prefixes.length),
    element('MaxKeys', maxKeys),
    ...(listing.delimiter === '' ? [] : [element('Delimiter', shown(listing.delimiter))]),
    ...(encoding === null ? [] : [element('EncodingType', encoding)]),
    ...(token === null ? [] : [element('ContinuationToken', token)]),
    ...(startAfter === '' ? [] : [element('StartAfter', shown(startAfter))]),
    element('IsTruncated', page.next !== undefined),
    ...(page.next === undefined ? [] : [element('NextContinuationToken', writeToken(page.next))]),
    ...page.objects.map((object) => group('Contents', [element('Key', shown(object.key)), ...contentsOf(object)])),
    ...page.prefixes.map((prefix) => group('CommonPrefixes', [element('Prefix', shown(prefix))])),
  ]
  return { status: 200, headers: { 'content-type': 'application/xml' }, body: documentOf('ListBucketResult', inner) }
}

/** ListObjectVersions, on one page of at most 1,000 versions; longer ones are refused. */
export function listVersions(request: SimRequest, bucket: Bucket): BodyReply {
  const listing = readListing(request.query, '')
  if (listing.delimiter !== '' || request.query.has('key-marker')) throw unable('key-marker and delimiter')
  const keys = bucket.keys().filter((key) => key.startsWith(listing.prefix))
  const versions = keys.flatMap((key) =>
    bucket.versionsOf(key).map((version, at) => versionOf(version, at === 0, listing)),
  )
  if (versions.length > listing.maxKeys) throw unable(`more than ${listing.maxKeys} versions`)
  const encoding = request.query.get('encoding-type')
  const inner = [
    element('Name', bucket.name),
    element('Prefix', listing.shown(listing.prefix)),
    element('MaxKeys', listing.maxKeys),
    ...(encoding === null ? [] : [element('EncodingType', encoding)]),
    element('IsTruncated', false),
    ...versions,
  ]
  return { status: 200, headers: { 'content-type': 'application/xml' }, body: documentOf('ListVersionsResult', inner) }
}

function versionOf(version: Version, isLatest: boolean, { shown }: Listing): string {
  const { key, versionId, content } = version
  const about = [element('Key', shown(key)), element('VersionId', versionId), element('IsLatest', isLatest)]
  if (content === undefined) return group('DeleteMarker', [...about, modifiedOf(version)])
  return group('Version', [...about, ...contentsOf({ ...version, content })])
}

function contentsOf(object: StoredObject): readonly string[] {
  return [
    modifiedOf(object),
    element('ETag', object.etag),
    ...(object.checksum === undefined
      ? []
      : [element('ChecksumAlgorithm', object.checksum.algorithm), element('ChecksumType', object.checksum.type)]),
    element('Size', object.content.size),
    element('StorageClass', object.headers['x-amz-storage-class'] ?? 'STANDARD'),
  ]
}

function modifiedOf({ lastModifiedEpochMs }: Version): string {
  return element('LastModified', new Date(lastModifiedEpochMs).toISOString().replace(/\.\d+Z$/, '.000Z'))
}

function readListing(query: URLSearchParams, after: string): Listing {
  const maxKeys = Number(query.get('max-keys') ?? MAX_KEYS)
  if (!Number.isInteger(maxKeys) || maxKeys < 0)
    throw new S3Problem('InvalidArgument', 'Argument max-keys must be an integer between 0 and 2147483647')
  const encoding = query.get('encoding-type')
  if (encoding !== null && encoding !== 'url')
    throw new S3Problem('InvalidArgument', 'Invalid Encoding Method specified in Request')
  return {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    maxKeys: Math.min(maxKeys, MAX_KEYS),
    after,
    shown: encoding === 'url' ? urlEncoded : (text) => text,
  }
}

interface Page {
  readonly objects: readonly StoredObject[]
  readonly prefixes: readonly string[]
  /** Where the next page begins; undefined when there is none. */
  readonly next: string | undefined
}

/** Keys and common prefixes count alike; a page ends with what it showed last. */
function pageOf(bucket: Bucket, { prefix, delimiter, maxKeys, after }: Listing): Page {
  const objects: StoredObject[] = []
  const prefixes = new Set<string>()
  let last = after
  for (const key of bucket.keys()) {
    const object = key.startsWith(prefix) && isAfter(key, after, delimiter) ? bucket.current(key) : undefined
    if (object === undefined) continue
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    const common = cut === -1 ? undefined : key.slice(0, cut + delimiter.length)
    if (common !== undefined && prefixes.has(common)) continue
    if (objects.length + prefixes.size === maxKeys)
      return { objects, prefixes: [...prefixes], next: maxKeys === 0 ? undefined : last }
    if (common === undefined) objects.push(object)
    else prefixes.add(common)
    last = common ?? key
  }
  return { objects, prefixes: [...prefixes], next: undefined }
}

/** A common prefix that ended a page covers all keys below it. */
function isAfter(key: string, after: string, delimiter: string): boolean {
  if (after === '') return true
  if (delimiter !== '' && after.endsWith(delimiter) && key.startsWith(after)) return false
  return Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0
}

function writeToken(after: string): string {
  return Buffer.from(`${TOKEN_START}${after}`).toString('base64url')
}

function readToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString('utf8')
  if (!text.startsWith(TOKEN_START))
    throw new S3Problem('InvalidArgument', 'The continuation token provided is incorrect')
  return text.slice(TOKEN_START.length)
}

/** As S3 encodes names in listings and in notifications: a blank as `+`, the slash as it is. */
export function urlEncoded(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%2F', '/')
    .replaceAll('%20', '+')
    .replaceAll(/[!'()]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function unable(what: string): S3Problem {
  return new S3Problem('NotImplemented', `This stand-in does not list ${what}`)
}
