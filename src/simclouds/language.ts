import { randomUUID, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { Place } from '#contract/place.ts'
import type { CheckToken } from './content-safety.ts'
import type { LanguageOptions } from './options.ts'
import { namedSpans } from './pii-words.ts'
import { json, type BodyReply, type Service, type SimRequest } from './service.ts'

const API_VERSIONS = ['2024-11-01', '2026-05-01']
const AUDIENCES = ['https://cognitiveservices.azure.com', 'https://cognitiveservices.azure.com/']
const MAX_TEXT_ELEMENTS = 5120
const MAX_DOCUMENTS = 5
const MAX_BYTES = 1_048_576

const Request = z.looseObject({
  kind: z.literal('PiiEntityRecognition'),
  parameters: z
    .looseObject({
      stringIndexType: z.enum(['TextElements_v8', 'UnicodeCodePoint', 'Utf16CodeUnit']).default('TextElements_v8'),
      redactionPolicies: z.array(z.looseObject({ policyKind: z.string() })).optional(),
      redactionPolicy: z.undefined().optional(),
    })
    .prefault({}),
  analysisInput: z.strictObject({
    documents: z.array(z.strictObject({ id: z.string(), text: z.string(), language: z.string().optional() })),
  }),
})

const CODES: Readonly<Record<number, string>> = {
  400: 'InvalidRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  429: 'TooManyRequests',
  500: 'InternalServerError',
  503: 'ServiceUnavailable',
}

/** Azure AI Language: `:analyze-text` for personal data, synchronous. */
export function language(place: Place, options: LanguageOptions, checkToken: CheckToken): Service {
  return {
    name: 'language',
    place,
    reply: (request) => reply(request, options, checkToken),
    fail: (status, retryAfterS) =>
      failure(status, 'simulated fault', retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
    brokenPiece: () => Buffer.from('{"kind":'),
    streamError: () => [],
  }
}

async function reply(request: SimRequest, options: LanguageOptions, checkToken: CheckToken): Promise<BodyReply> {
  if (!(await isAllowed(request, options.key, checkToken)))
    return failure(401, 'the key or token is not good for this resource')
  const version = request.query.get('api-version') ?? ''
  if (decodeURIComponent(request.path) !== '/language/:analyze-text' || !API_VERSIONS.includes(version))
    return failure(404, 'no such operation')
  if (request.method !== 'POST') return failure(405, 'this operation is a POST')
  if (request.body.length > MAX_BYTES) return failure(413, 'over 1 MB', {}, 'InvalidRequest')
  const read = Request.safeParse(parsed(request.text))
  if (!read.success) return failure(400, read.error.issues[0]?.message ?? 'not valid')
  const { parameters, analysisInput } = read.data
  if (version === '2024-11-01' && parameters.redactionPolicies !== undefined)
    return failure(400, 'redactionPolicies is not known in this version', {}, 'InvalidArgument')
  if (analysisInput.documents.length > MAX_DOCUMENTS)
    return failure(400, `more than ${MAX_DOCUMENTS} documents`, {}, 'InvalidDocumentBatch')
  return answer(analysisInput.documents, parameters.stringIndexType)
}

type IndexType = 'TextElements_v8' | 'UnicodeCodePoint' | 'Utf16CodeUnit'

function answer(documents: readonly { id: string; text: string }[], indexType: IndexType): BodyReply {
  const isTooLong = ({ text }: { readonly text: string }): boolean => count(text, 'TextElements_v8') > MAX_TEXT_ELEMENTS
  return json(200, {
    kind: 'PiiEntityRecognitionResults',
    results: {
      documents: documents
        .filter((document) => !isTooLong(document))
        .map(({ id, text }) => recognised(id, text, indexType)),
      errors: documents.filter(isTooLong).map(({ id }) => ({
        id,
        error: {
          code: 'InvalidArgument',
          message: 'Invalid Document in request.',
          innererror: {
            code: 'InvalidDocument',
            message: `A document is limited to ${MAX_TEXT_ELEMENTS} text elements.`,
          },
        },
      })),
      modelVersion: '2026-02-01',
    },
  })
}

function recognised(id: string, text: string, indexType: IndexType): unknown {
  const spans = namedSpans(text)
  const redactedText = spans.reduceRight(
    (rest, { offset, length }) => rest.slice(0, offset) + '*'.repeat(length) + rest.slice(offset + length),
    text,
  )
  return {
    id,
    redactedText,
    entities: spans.map(({ category, offset, length, score }) => ({
      text: text.slice(offset, offset + length),
      category,
      offset: count(text.slice(0, offset), indexType),
      length: count(text.slice(offset, offset + length), indexType),
      confidenceScore: score,
    })),
    warnings: [],
  }
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Length in what the caller wants to count. */
function count(text: string, indexType: IndexType): number {
  if (indexType === 'Utf16CodeUnit') return text.length
  return indexType === 'UnicodeCodePoint' ? Array.from(text).length : [...graphemes.segment(text)].length
}

async function isAllowed(request: SimRequest, key: string, checkToken: CheckToken): Promise<boolean> {
  const sent = request.headers['ocp-apim-subscription-key']
  if (sent !== undefined) {
    const [left, right] = [Buffer.from(sent), Buffer.from(key)]
    return left.length === right.length && timingSafeEqual(left, right)
  }
  const bearer = /^Bearer (.+)$/i.exec(request.headers['authorization'] ?? '')?.[1]
  return bearer !== undefined && checkToken(bearer, AUDIENCES)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function failure(
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
  code = CODES[status] ?? 'InternalServerError',
): BodyReply {
  return json(status, { error: { code, message } }, { 'apim-request-id': randomUUID(), ...headers })
}
