import { createHash, randomBytes } from 'node:crypto'
import type { S3Options } from '#simclouds/options.ts'
import type { BodyReply, SimRequest } from '#simclouds/service.ts'
import type { Bucket, Lock } from './bucket.ts'
import {
  CHECKSUM_ALGORITHMS,
  type Checksum,
  type ChecksumAlgorithm,
  checksumHeader,
  digestOf,
  readAlgorithm,
  verifyChecksums,
} from './checksums.ts'
import type { Payload } from './chunked.ts'
import { checkWriteConditions } from './conditions.ts'
import { contentOf } from './content.ts'
import { S3Problem } from './problem.ts'
import { readDocument } from './read-document.ts'
import { type S3Store, opaqueEtag } from './store.ts'
import { etagOf, keptHeaders, readLock, writtenHeaders } from './write-object.ts'
import { documentOf, element, group, innerOf, textOf } from './xml.ts'

/** Every part but the last has at least 5 MiB (Amazon S3 User Guide, "Amazon S3 multipart upload limits"). */
const MIN_PART_BYTES = 5 * 1024 * 1024
const MAX_PART_NUMBER = 10_000
const MAX_LISTED_PARTS = 1_000

/** An upload whose parts are still coming. */
export interface Upload {
  readonly id: string
  readonly bucket: string
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  readonly lock: Lock | undefined
  readonly algorithm: ChecksumAlgorithm | undefined
  readonly checksumType: Checksum['type']
  readonly isOpaque: boolean
  readonly parts: Map<number, Part>
}

interface Part {
  readonly number: number
  readonly body: Uint8Array
  readonly etag: string
  readonly checksum: Checksum | undefined
  readonly atEpochMs: number
}

/** CreateMultipartUpload. */
export function createUpload(
  request: SimRequest,
  store: S3Store,
  bucket: Bucket,
  key: string,
  options: S3Options,
): BodyReply {
  const { headers } = request
  const named = headers['x-amz-checksum-algorithm']
  const algorithm = named === undefined ? undefined : readAlgorithm(named)
  const upload: Upload = {
    id: randomBytes(32).toString('base64url'),
    bucket: bucket.name,
    key,
    headers: keptHeaders(headers),
    lock: readLock(headers, bucket),
    algorithm,
    checksumType: typeOf(algorithm, headers['x-amz-checksum-type']),
    isOpaque: options.opaqueEtags === true || headers['x-amz-server-side-encryption']?.startsWith('aws:kms') === true,
    parts: new Map(),
  }
  store.uploads.set(upload.id, upload)
  const inner = [element('Bucket', bucket.name), element('Key', key), element('UploadId', upload.id)]
  const about: Record<string, string> =
    algorithm === undefined ? {} : { 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': upload.checksumType }
  return xml(documentOf('InitiateMultipartUploadResult', inner), about)
}

/** CRC64NVME is always of the whole object, SHA never is. */
function typeOf(algorithm: ChecksumAlgorithm | undefined, asked: string | undefined): Checksum['type'] {
  const usual = algorithm === 'CRC64NVME' || algorithm === undefined ? 'FULL_OBJECT' : 'COMPOSITE'
  if (asked === undefined || asked === usual) return usual
  const isPossible = asked === 'FULL_OBJECT' && (algorithm === 'CRC32' || algorithm === 'CRC32C')
  if (isPossible) return asked
  throw new S3Problem(
    'InvalidRequest',
    `The ${asked} checksum type cannot be used with the ${(algorithm ?? 'CRC64NVME').toLowerCase()} checksum algorithm.`,
  )
}

/** UploadPart. */
export function uploadPart(
  request: SimRequest,
  { body, trailers }: Payload,
  store: S3Store,
  bucket: Bucket,
  key: string,
  options: S3Options,
): BodyReply {
  const upload = uploadOf(request, store, bucket, key)
  if (request.headers['x-amz-copy-source'] !== undefined)
    throw new S3Problem('NotImplemented', 'This stand-in does not copy parts')
  const number = Number(request.query.get('partNumber'))
  if (!Number.isInteger(number) || number < 1 || number > MAX_PART_NUMBER)
    throw new S3Problem('InvalidArgument', `Part number must be an integer between 1 and ${MAX_PART_NUMBER}, inclusive`)
  const checksum = verifyChecksums(request.headers, trailers, body)
  if (upload.algorithm !== undefined && checksum !== undefined && checksum.algorithm !== upload.algorithm)
    throw new S3Problem(
      'InvalidRequest',
      `Checksum Type mismatch occurred, expected checksum Type: ${upload.algorithm.toLowerCase()}, actual checksum Type: ${checksum.algorithm.toLowerCase()}`,
    )
  const etag = upload.isOpaque ? opaqueEtag() : etagOf({}, body, options)
  upload.parts.set(number, {
    number,
    body,
    etag,
    checksum: checksum ?? ownChecksum(upload, body),
    atEpochMs: Date.now(),
  })
  return {
    status: 200,
    headers: { etag, ...(checksum === undefined ? {} : { [checksumHeader(checksum.algorithm)]: checksum.value }) },
    body: '',
  }
}

function ownChecksum({ algorithm }: Upload, body: Uint8Array): Checksum | undefined {
  return algorithm === undefined ? undefined : { algorithm, value: digestOf(algorithm, body), type: 'FULL_OBJECT' }
}

/** CompleteMultipartUpload. */
export function completeUpload(
  request: SimRequest,
  { body }: Payload,
  store: S3Store,
  bucket: Bucket,
  key: string,
): BodyReply {
  const upload = uploadOf(request, store, bucket, key)
  const parts = chosenParts(readDocument(body, 'CompleteMultipartUpload'), upload)
  checkWriteConditions(request.headers, bucket.current(key))
  const whole = Buffer.concat(parts.map((part) => part.body))
  const digests = parts.map(({ etag }) => Buffer.from(etag.replaceAll('"', ''), 'hex'))
  const md5 = createHash('md5').update(Buffer.concat(digests)).digest('hex')
  const checksum = wholeChecksum(upload, parts, whole)
  checkWhole(request.headers, checksum)
  const object = bucket.put(
    key,
    {
      content: contentOf(whole),
      etag: upload.isOpaque ? opaqueEtag().replace(/"$/, `-${parts.length}"`) : `"${md5}-${parts.length}"`,
      headers: upload.headers,
      checksum,
      lock: upload.lock,
    },
    'ObjectCreated:CompleteMultipartUpload',
  )
  store.uploads.delete(upload.id)
  const { etag, ...versionHeaders } = writtenHeaders(bucket, object)
  const inner = [
    element('Location', `http://${request.headers['host'] ?? ''}${request.path}`),
    element('Bucket', bucket.name),
    element('Key', key),
    element('ETag', etag ?? ''),
    ...(checksum === undefined
      ? []
      : [element(`Checksum${checksum.algorithm}`, checksum.value), element('ChecksumType', checksum.type)]),
  ]
  return xml(documentOf('CompleteMultipartUploadResult', inner), versionHeaders)
}

/** The parts that the document names, checked as S3 checks them. */
function chosenParts(text: string, upload: Upload): readonly Part[] {
  const named = innerOf(text, 'Part')
  if (named.length === 0)
    throw new S3Problem(
      'MalformedXML',
      'The XML you provided was not well-formed or did not validate against our published schema',
    )
  const parts = named.map((each) => chosenPart(each, upload))
  if (parts.some((part, at) => at > 0 && part.number <= (parts[at - 1]?.number ?? 0)))
    throw new S3Problem(
      'InvalidPartOrder',
      'The list of parts was not in ascending order. The parts list must be specified in order by part number.',
    )
  const small = parts.slice(0, -1).find((part) => part.body.length < MIN_PART_BYTES)
  if (small !== undefined)
    throw new S3Problem('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
      elements: {
        ProposedSize: String(small.body.length),
        MinSizeAllowed: String(MIN_PART_BYTES),
        PartNumber: String(small.number),
      },
    })
  return parts
}

function chosenPart(named: string, upload: Upload): Part {
  const number = Number(textOf(named, 'PartNumber'))
  const etag = (textOf(named, 'ETag') ?? '').replaceAll('"', '')
  const part = upload.parts.get(number)
  const claims = CHECKSUM_ALGORITHMS.flatMap((algorithm) => {
    const value = textOf(named, `Checksum${algorithm}`)
    return value === undefined ? [] : [{ algorithm, value }]
  })
  const { algorithm, checksumType } = upload
  if (algorithm !== undefined && checksumType === 'COMPOSITE' && claims.length === 0)
    throw new S3Problem(
      'InvalidRequest',
      `The upload was created using a ${algorithm.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${number} in the request.`,
    )
  const isWrong = claims.some((claim) => part !== undefined && digestOf(claim.algorithm, part.body) !== claim.value)
  if (part === undefined || part.etag !== `"${etag}"` || isWrong)
    throw new S3Problem(
      'InvalidPart',
      "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
      { elements: { UploadId: upload.id, PartNumber: String(number), ETag: etag } },
    )
  return part
}

function wholeChecksum(
  { algorithm, checksumType: type }: Upload,
  parts: readonly Part[],
  whole: Uint8Array,
): Checksum | undefined {
  if (algorithm === undefined) return undefined
  if (type === 'FULL_OBJECT') return { algorithm, value: digestOf(algorithm, whole), type }
  const digests = parts.map(({ checksum }) => Buffer.from(checksum?.value ?? '', 'base64'))
  return { algorithm, value: `${digestOf(algorithm, Buffer.concat(digests))}-${parts.length}`, type }
}

/** The checksum of the whole object, where the request names it. */
function checkWhole(headers: Readonly<Record<string, string>>, checksum: Checksum | undefined): void {
  if (checksum === undefined) return
  const claimed = headers[checksumHeader(checksum.algorithm)]
  if (claimed !== undefined && claimed !== checksum.value)
    throw new S3Problem('BadDigest', `The ${checksum.algorithm} you specified did not match the calculated checksum.`)
}

/** AbortMultipartUpload. */
export function abortUpload(request: SimRequest, store: S3Store, bucket: Bucket, key: string): BodyReply {
  store.uploads.delete(uploadOf(request, store, bucket, key).id)
  return { status: 204, headers: {}, body: '' }
}

/** ListParts. */
export function listParts(request: SimRequest, store: S3Store, bucket: Bucket, key: string): BodyReply {
  const upload = uploadOf(request, store, bucket, key)
  const after = Number(request.query.get('part-number-marker') ?? 0)
  const max = Math.min(MAX_LISTED_PARTS, Number(request.query.get('max-parts') ?? MAX_LISTED_PARTS))
  const waiting = [...upload.parts.values()]
    .filter(({ number }) => number > after)
    .toSorted((a, b) => a.number - b.number)
  const page = waiting.slice(0, max)
  const inner = [
    element('Bucket', bucket.name),
    element('Key', key),
    element('UploadId', upload.id),
    element('PartNumberMarker', after),
    element('NextPartNumberMarker', page.at(-1)?.number ?? 0),
    element('MaxParts', max),
    element('IsTruncated', waiting.length > page.length),
    ...(upload.algorithm === undefined
      ? []
      : [element('ChecksumAlgorithm', upload.algorithm), element('ChecksumType', upload.checksumType)]),
    ...page.map(listedPart),
  ]
  return xml(documentOf('ListPartsResult', inner))
}

function listedPart({ number, atEpochMs, etag, body, checksum }: Part): string {
  return group('Part', [
    element('PartNumber', number),
    element('LastModified', new Date(atEpochMs).toISOString()),
    element('ETag', etag),
    element('Size', body.length),
    ...(checksum === undefined ? [] : [element(`Checksum${checksum.algorithm}`, checksum.value)]),
  ])
}

function uploadOf(request: SimRequest, store: S3Store, bucket: Bucket, key: string): Upload {
  const upload = store.uploads.get(request.query.get('uploadId') ?? '')
  if (upload === undefined || upload.bucket !== bucket.name || upload.key !== key)
    throw new S3Problem(
      'NoSuchUpload',
      'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
    )
  return upload
}

function xml(body: string, headers: Readonly<Record<string, string>> = {}): BodyReply {
  return { status: 200, headers: { 'content-type': 'application/xml', ...headers }, body }
}
