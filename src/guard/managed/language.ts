import { z } from 'zod'
import type { Cross, Trip } from '#contract/crossing.ts'
import type { Finding } from '#contract/screened.ts'
import { type ManagedService, NoVerdict, type Segment, type ServiceAccess, ask, recordsOf } from './service.ts'
import { type Piece, batchesOf, piecesOf } from './pieces.ts'
import { ownSpans } from './spans.ts'

export interface LanguageOptions extends ServiceAccess {
  /** Two-letter code that documents are sent with. Default `en`. */
  readonly language: string
  /** Entities less sure than this are left alone, 0 to 1. */
  readonly minScore: number
}

/** GA version with redaction policies. */
const API_VERSION = '2026-05-01'
/** The synchronous call's limits: 5,120 text elements a document (a code point is at most one), 5 documents. */
const MAX_CODE_POINTS = 5120
const MAX_DOCUMENTS = 5
const OVERLAP = 200

const Answer = z.object({
  kind: z.literal('PiiEntityRecognitionResults'),
  results: z.object({
    documents: z.array(
      z.object({
        id: z.string(),
        entities: z.array(
          z.object({
            category: z.string(),
            offset: z.number().int().min(0),
            length: z.number().int().min(1),
            confidenceScore: z.number(),
          }),
        ),
      }),
    ),
    errors: z.array(z.object({ id: z.string() })),
  }),
})

/** Entity types in Presidio's names; another category is its own name in capitals. */
const TYPES: Readonly<Record<string, string>> = {
  Person: 'PERSON',
  PersonType: 'PERSON_TYPE',
  Organization: 'ORGANIZATION',
  Address: 'LOCATION',
  Location: 'LOCATION',
  City: 'LOCATION',
  State: 'LOCATION',
  GPE: 'LOCATION',
  PhoneNumber: 'PHONE_NUMBER',
  Email: 'EMAIL_ADDRESS',
  URL: 'URL',
  IPAddress: 'IP_ADDRESS',
  DateTime: 'DATE_TIME',
  CreditCardNumber: 'CREDIT_CARD',
  InternationalBankingAccountNumber: 'IBAN_CODE',
  USSocialSecurityNumber: 'US_SSN',
  USBankAccountNumber: 'US_BANK_NUMBER',
  ABARoutingNumber: 'ABA_ROUTING_NUMBER',
  USDriversLicenseNumber: 'US_DRIVER_LICENSE',
  USIndividualTaxpayerIdentification: 'US_ITIN',
  UKNationalHealthNumber: 'UK_NHS',
  UKNationalInsuranceNumber: 'UK_NINO',
  Password: 'SECRET',
}

interface Document {
  readonly segment: number
  readonly piece: Piece
}

/** Azure AI Language: personal data in free text, above all names of people, places and organisations. */
export function language(options: LanguageOptions, cross: Cross): ManagedService {
  const { place, usdPerThousandRecords, minScore } = options
  return {
    name: 'language',
    version: `${API_VERSION} ${options.language} ${minScore}`,
    place,
    usdPerThousandRecords,
    judge: async (segments, trip) => {
      const spans: Finding[][] = segments.map(() => [])
      const documents = segments.flatMap(({ text }, segment) =>
        piecesOf(text, MAX_CODE_POINTS, OVERLAP).map((piece): Document => ({ segment, piece })),
      )
      const batches = batchesOf(documents, MAX_DOCUMENTS, Number.POSITIVE_INFINITY, () => 1)
      await Promise.all(batches.map((batch) => recognise(options, batch, spans, cross, trip)))
      return {
        severities: new Map(),
        spans: segments.map(({ text }: Segment, at) => ownSpans(text, spans[at] ?? [])),
        records: documents.reduce((sum, { piece }) => sum + recordsOf(piece.text), 0),
      }
    },
  }
}

async function recognise(
  options: LanguageOptions,
  batch: readonly Document[],
  spans: readonly Finding[][],
  cross: Cross,
  trip: Trip,
): Promise<void> {
  const body = {
    kind: 'PiiEntityRecognition',
    parameters: {
      modelVersion: 'latest',
      loggingOptOut: true,
      stringIndexType: 'Utf16CodeUnit',
      // Replaced here, by offset: what the service puts in their place could not be put back.
      redactionPolicies: [{ policyKind: 'characterMask', isDefaultPolicy: true }],
    },
    analysisInput: {
      documents: batch.map(({ piece }, at) => ({ id: String(at), language: options.language, text: piece.text })),
    },
  }
  const path = `/language/:analyze-text?api-version=${API_VERSION}`
  const parsed = Answer.safeParse(await ask(cross, trip, options, path, body))
  if (!parsed.success) throw new NoVerdict('answered something of another shape')
  // A document that could not be read is in `errors` of an answer that says 200.
  const found = new Map(parsed.data.results.documents.map(({ id, entities }) => [id, entities]))
  for (const [at, { segment, piece }] of batch.entries()) {
    const entities = found.get(String(at))
    if (entities === undefined) throw new NoVerdict('could not read a document')
    for (const { category, offset, length, confidenceScore } of entities) {
      if (confidenceScore < options.minScore) continue
      if (offset + length > piece.text.length) throw new NoVerdict('gave an offset beyond the document')
      const start = piece.start + offset
      const type = TYPES[category] ?? typeName(category)
      spans[segment]?.push({ type, start, end: start + length, score: confidenceScore, detector: 'azure-language' })
    }
  }
}

/** `BRCPFNumber` becomes `BRCPF_NUMBER`: letters, digits and underscores only. */
function typeName(category: string): string {
  return category
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/[^A-Za-z0-9]+/g, '_')
    .toUpperCase()
}
