import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SimRequest } from '#simclouds/service.ts'
import { type Authorized, authorize } from './authorize.ts'
import { unwrap } from './chunked.ts'
import { verifyChecksums } from './checksums.ts'

/** The published examples of the Amazon S3 API Reference: 65 KiB of the letter a, sent in chunks of 64 KiB. */
const OPTIONS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
  bucket: '',
}
const AT = Date.UTC(2013, 4, 24)
const TEXT = 'a'.repeat(66_560)

const PLAIN = {
  payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  names:
    'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class',
  length: '66824',
  seed: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
  chunks: [
    'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
    '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
    'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
  ],
  trailers: '',
}
const WITH_TRAILER = {
  payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
  names:
    'content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer',
  length: undefined,
  seed: '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e',
  chunks: [
    'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
    '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
    '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
  ],
  trailers:
    'x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n',
}

type Example = Omit<typeof PLAIN, 'length'> & { readonly length: string | undefined }

function requestOf({ payload, names, length, seed, chunks, trailers }: Example, body?: string): SimRequest {
  const [first = '', second = '', last = ''] = chunks
  const wire =
    body ??
    [
      `10000;chunk-signature=${first}\r\n${TEXT.slice(0, 65_536)}\r\n`,
      `400;chunk-signature=${second}\r\n${TEXT.slice(65_536)}\r\n`,
      `0;chunk-signature=${last}\r\n${trailers}\r\n`,
    ].join('')
  return {
    method: 'PUT',
    path: '/examplebucket/chunkObject.txt',
    rawQuery: '',
    query: new URLSearchParams(),
    headers: {
      host: 's3.amazonaws.com',
      'x-amz-date': '20130524T000000Z',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      'x-amz-content-sha256': payload,
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': '66560',
      ...(length === undefined ? { 'x-amz-trailer': 'x-amz-checksum-crc32c' } : { 'content-length': length }),
      authorization: `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=${names},Signature=${seed}`,
    },
    body: Buffer.from(wire),
    text: '',
    faults: [],
    signal: new AbortController().signal,
  }
}

function read(example: Example, body?: string) {
  const request = requestOf(example, body)
  const authorized: Authorized = authorize(request, OPTIONS, AT)
  return unwrap(request, authorized)
}

test('chunks signed as in the documentation are taken', () => {
  assert.equal(Buffer.from(read(PLAIN).body).toString(), TEXT)
})

test('a signed trailer as in the documentation is taken, and its checksum is right', () => {
  const { body, trailers } = read(WITH_TRAILER)
  assert.deepEqual(trailers, { 'x-amz-checksum-crc32c': 'sOO8/Q==' })
  assert.equal(verifyChecksums({}, trailers, body)?.algorithm, 'CRC32C')
})

const wireOf = (example: Example) => Buffer.from(requestOf(example).body).toString()

for (const [why, example, change, code] of [
  ['a byte that changed', PLAIN, (wire: string) => wire.replace('\r\naaa', '\r\naba'), 'SignatureDoesNotMatch'],
  [
    'a chunk without signature',
    PLAIN,
    (wire: string) => wire.replace(/;chunk-signature=\w+/, ''),
    'SignatureDoesNotMatch',
  ],
  [
    'a last chunk that is missing',
    PLAIN,
    (wire: string) => wire.slice(0, wire.lastIndexOf('0;chunk')),
    'IncompleteBody',
  ],
  ['a size that is a lie', PLAIN, (wire: string) => wire.replace('400;', '401;'), 'IncompleteBody'],
  ['a trailer that changed', WITH_TRAILER, (wire: string) => wire.replace('sOO8', 'sOO9'), 'SignatureDoesNotMatch'],
  [
    'a trailer nobody announced',
    PLAIN,
    (wire: string) => `${wire.slice(0, -2)}x-amz-other:1\r\n\r\n`,
    'MalformedTrailerError',
  ],
  [
    'a trailer that does not come',
    WITH_TRAILER,
    (wire: string) => wire.replace(/x-amz-checksum.*\r\n/, ''),
    'MalformedTrailerError',
  ],
] as const) {
  test(`${why} is refused with ${code}`, () => {
    assert.throws(() => read(example, change(wireOf(example))), { name: 'S3Problem', code })
  })
}

test('a body of another length than announced is refused with IncompleteBody', () => {
  const request = requestOf(PLAIN)
  const authorized = authorize(request, OPTIONS, AT)
  const other = { ...request, headers: { ...request.headers, 'x-amz-decoded-content-length': '66561' } }
  assert.throws(() => unwrap(other, authorized), { name: 'S3Problem', code: 'IncompleteBody' })
})
