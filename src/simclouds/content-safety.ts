import { randomUUID, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { Place } from '#contract/place.ts'
import { CATEGORIES, isAttack, isProtected, severityOf, type Category } from './content-safety-words.ts'
import type { ContentSafetyOptions } from './options.ts'
import { json, type BodyReply, type Service, type SimRequest } from './service.ts'

/** Whether a bearer token is good for the resource. */
export type CheckToken = (token: string, audiences: readonly string[]) => Promise<boolean>

const API_VERSION = '2024-09-01'
const AUDIENCES = ['https://cognitiveservices.azure.com', 'https://cognitiveservices.azure.com/']
const MAX_CODE_POINTS = 10_000
const MAX_DOCUMENTS = 5
const MIN_PROTECTED = 110

const analyzeSchema = z.looseObject({
  text: z.string(),
  categories: z.array(z.enum(CATEGORIES)).optional(),
  blocklistNames: z.array(z.string()).optional(),
  haltOnBlocklistHit: z.boolean().optional(),
  outputType: z.enum(['FourSeverityLevels', 'EightSeverityLevels']).optional(),
})

const shieldSchema = z.looseObject({
  userPrompt: z.string().optional(),
  documents: z.array(z.string()).optional(),
})

const protectedSchema = z.looseObject({ text: z.string() })

type AnalyzeRequest = z.infer<typeof analyzeSchema>

/** Azure AI Content Safety, 2024-09-01: text:analyze, text:shieldPrompt and text:detectProtectedMaterial. */
export function contentSafety(place: Place, options: ContentSafetyOptions, checkToken: CheckToken): Service {
  return {
    name: 'content-safety',
    place,
    reply: (request) => reply(request, options, checkToken),
    fail: (status, retryAfterS) => {
      const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }
      return failure(status, CODES[status] ?? 'InternalError', 'simulated fault', headers)
    },
    brokenPiece: () => Buffer.from('{"error":'),
    streamError: () => [],
  }
}

const CODES: Readonly<Record<number, string>> = {
  401: '401',
  403: 'PermissionDenied',
  404: 'ResourceNotFound',
  413: 'InvalidRequestBody',
  429: 'TooManyRequests',
  503: 'ServerBusy',
}

async function reply(request: SimRequest, options: ContentSafetyOptions, checkToken: CheckToken): Promise<BodyReply> {
  if (!(await isAllowed(request, options.key, checkToken))) {
    return failure(401, '401', 'the key or token of this request is missing or not good for this resource')
  }
  const operation = /^\/contentsafety\/(text:analyze|text:shieldPrompt|text:detectProtectedMaterial)$/.exec(
    decodeURIComponent(request.path),
  )?.[1]
  if (operation === undefined || request.query.get('api-version') !== API_VERSION) {
    return failure(404, 'ResourceNotFound', `no such operation: this resource serves api-version ${API_VERSION}`)
  }
  if (request.method !== 'POST') return failure(405, 'MethodNotAllowed', 'this operation is a POST')
  const body = parse(request.text)
  if (operation === 'text:detectProtectedMaterial') return detectProtected(body)
  return operation === 'text:analyze' ? analyze(body, options.blocklists) : shield(body)
}

async function isAllowed(request: SimRequest, key: string, checkToken: CheckToken): Promise<boolean> {
  const sent = request.headers['ocp-apim-subscription-key']
  if (sent !== undefined) return isSame(sent, key)
  const bearer = /^Bearer (.+)$/i.exec(request.headers['authorization'] ?? '')?.[1]
  return bearer !== undefined && checkToken(bearer, AUDIENCES)
}

function analyze(body: unknown, blocklists: ContentSafetyOptions['blocklists']): BodyReply {
  const read = analyzeSchema.safeParse(body)
  if (!read.success) return invalid(problemOf(read.error))
  const asked = read.data
  if (codePoints(asked.text) > MAX_CODE_POINTS) return invalid(`text is longer than ${MAX_CODE_POINTS} characters`)
  const missing = asked.blocklistNames?.find((name) => blocklists[name] === undefined)
  if (missing !== undefined) return failure(404, 'ResourceNotFound', `there is no blocklist \`${missing}\``)
  const blocklistsMatch = (asked.blocklistNames ?? []).flatMap((name) =>
    matches(name, blocklists[name] ?? [], asked.text),
  )
  const halt = asked.haltOnBlocklistHit === true && blocklistsMatch.length > 0
  return success({ blocklistsMatch, categoriesAnalysis: halt ? [] : severities(asked) })
}

function severities(asked: AnalyzeRequest): readonly { category: Category; severity: number }[] {
  const categories = asked.categories === undefined || asked.categories.length === 0 ? CATEGORIES : asked.categories
  return categories.map((category) => {
    const severity = severityOf(category, asked.text)
    return { category, severity: asked.outputType === 'EightSeverityLevels' ? severity : severity - (severity % 2) }
  })
}

function matches(name: string, items: readonly string[], text: string) {
  return items
    .map((item, index) => ({ blocklistName: name, blocklistItemId: `${name}-${index}`, blocklistItemText: item }))
    .filter((item) => text.toLowerCase().includes(item.blocklistItemText.toLowerCase()))
}

function detectProtected(body: unknown): BodyReply {
  const read = protectedSchema.safeParse(body)
  if (!read.success) return invalid(problemOf(read.error))
  const { text } = read.data
  const length = codePoints(text)
  if (length > MAX_CODE_POINTS) return invalid(`text is longer than ${MAX_CODE_POINTS} characters`)
  if (length < MIN_PROTECTED) return invalid(`text is shorter than ${MIN_PROTECTED} characters`)
  return success({ protectedMaterialAnalysis: { detected: isProtected(text) } })
}

function shield(body: unknown): BodyReply {
  const read = shieldSchema.safeParse(body)
  if (!read.success) return invalid(problemOf(read.error))
  const { userPrompt, documents } = read.data
  if (userPrompt === undefined && documents === undefined) return invalid('userPrompt or documents is required')
  if (codePoints(userPrompt ?? '') > MAX_CODE_POINTS) {
    return invalid(`userPrompt is longer than ${MAX_CODE_POINTS} characters`)
  }
  if ((documents?.length ?? 0) > MAX_DOCUMENTS) return invalid(`more than ${MAX_DOCUMENTS} documents`)
  if (codePoints((documents ?? []).join('')) > MAX_CODE_POINTS) {
    return invalid(`documents are longer than ${MAX_CODE_POINTS} characters together`)
  }
  return success({
    ...(userPrompt === undefined ? {} : { userPromptAnalysis: { attackDetected: isAttack(userPrompt) } }),
    documentsAnalysis: (documents ?? []).map((document) => ({ attackDetected: isAttack(document) })),
  })
}

function success(body: unknown): BodyReply {
  return json(200, body, { 'apim-request-id': randomUUID(), 'x-ms-region': 'East US' })
}

function invalid(message: string): BodyReply {
  return failure(400, 'InvalidRequestBody', message)
}

function failure(
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): BodyReply {
  return json(
    status,
    { error: { code, message } },
    { 'x-ms-error-code': code, 'apim-request-id': randomUUID(), ...headers },
  )
}

function problemOf(error: z.ZodError): string {
  const issue = error.issues[0]
  return issue === undefined ? 'the body is not valid' : `${issue.path.join('.') || 'body'}: ${issue.message}`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The limits count Unicode code points: an emoji is one. */
function codePoints(text: string): number {
  let count = 0
  for (let at = 0; at < text.length; count += 1) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
  return count
}

function isSame(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}
