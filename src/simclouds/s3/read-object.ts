import type { Reply, SimRequest } from '#simclouds/service.ts'
import type { Bucket, StoredObject } from './bucket.ts'
import { type Checksum, checksumHeaders, digestOf } from './checksums.ts'
import { checkReadConditions } from './conditions.ts'
import { piecesOf } from './content.ts'
import { S3Problem } from './problem.ts'

/** Answer headers that a query may replace. */
const OVERRIDES = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
] as const

/** Objects that came without a checksum get one of S3's own; kept, since it takes time. */
const ownChecksums = new WeakMap<object, Checksum>()

/** GetObject and HeadObject. */
export async function readObject(request: SimRequest, bucket: Bucket, key: string): Promise<Reply> {
  const { headers, query } = request
  if (query.has('partNumber'))
    throw new S3Problem('NotImplemented', 'This stand-in reads whole objects and ranges only')
  const object = bucket.get(key, query.get('versionId') ?? undefined)
  const about = describe(bucket, object)
  if (checkReadConditions(headers, object, '') === 'not-modified') return { status: 304, headers: about, body: '' }
  const { size } = object.content
  const range = readRange(headers['range'], size)
  const { start, end } = range ?? { start: 0, end: size }
  const answer = {
    ...about,
    ...object.headers,
    ...overrides(query),
    'accept-ranges': 'bytes',
    'content-length': String(end - start),
    ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
    ...(headers['x-amz-checksum-mode'] === 'ENABLED' && end - start === size ? await checksumOf(object) : {}),
  }
  const pieces = request.method === 'HEAD' ? nothing() : piecesOf(object.content, start, end)
  return { status: range === undefined ? 200 : 206, headers: answer, pieces }
}

function describe(bucket: Bucket, object: StoredObject): Record<string, string> {
  const { lock, versionId } = object
  return {
    etag: object.etag,
    'last-modified': new Date(object.lastModifiedEpochMs).toUTCString(),
    ...(bucket.versioning === undefined ? {} : { 'x-amz-version-id': versionId }),
    ...(lock === undefined
      ? {}
      : {
          'x-amz-object-lock-mode': lock.mode,
          'x-amz-object-lock-retain-until-date': new Date(lock.untilEpochMs).toISOString(),
        }),
  }
}

function overrides(query: URLSearchParams): Record<string, string> {
  return Object.fromEntries(
    OVERRIDES.flatMap((name) => {
      const value = query.get(`response-${name}`)
      return value === null ? [] : [[name, value]]
    }),
  )
}

async function checksumOf(object: StoredObject): Promise<Record<string, string>> {
  const { checksum, content } = object
  if (checksum !== undefined) return checksumHeaders(checksum)
  if (content.isGenerated) return {}
  const known = ownChecksums.get(content)
  const bytes = known === undefined ? await content.read(0, content.size) : new Uint8Array()
  const own = known ?? { algorithm: 'CRC64NVME', value: digestOf('CRC64NVME', bytes), type: 'FULL_OBJECT' }
  ownChecksums.set(content, own)
  return checksumHeaders(own)
}

/**
 * Undefined for the whole object: no range, several ranges, or something that is no range, all of which S3 ignores.
 * @throws {S3Problem} InvalidRange when no byte of the object is in it.
 */
function readRange(
  text: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | undefined {
  const parts = /^bytes=(\d*)-(\d*)$/.exec(text?.trim() ?? '')
  const [, first = '', last = ''] = parts ?? []
  if (first === '' && last === '') return undefined
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1)
  if (start < end) return { start, end }
  throw new S3Problem('InvalidRange', 'The requested range is not satisfiable', {
    elements: { RangeRequested: text ?? '', ActualObjectSize: String(size) },
    headers: { 'content-range': `bytes */${size}` },
  })
}

// oxlint-disable-next-line require-yield typescript/require-await -- a stream without a piece
async function* nothing(): AsyncGenerator<never> {}
