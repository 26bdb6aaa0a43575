import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import type { Place } from '#contract/place.ts'
import type { CheckToken } from './content-safety.ts'
import type { LogsIngestionOptions } from './options.ts'
import { json, type BodyReply, type Service, type SimRequest } from './service.ts'

const API_VERSION = '2023-01-01'
const AUDIENCES = ['https://monitor.azure.com', 'https://monitor.azure.com/']
/** 1 MB a call, compressed and uncompressed. */
const MAX_BYTES = 1_048_576
const ROUTE = /^\/dataCollectionRules\/([^/]+)\/streams\/([^/]+)$/

const Rows = z.array(z.record(z.string(), z.unknown()))

const CODES: Readonly<Record<number, string>> = {
  400: 'InvalidPayload',
  401: 'InvalidToken',
  403: 'OperationFailed',
  404: 'NotFound',
  413: 'ContentLengthLimitExceeded',
  429: 'TooManyRequests',
  500: 'InternalServerError',
  503: 'ServiceUnavailable',
}

/** Azure Monitor's Logs Ingestion API: takes rows for the streams of one data collection rule. */
export function logsIngestion(place: Place, options: LogsIngestionOptions, checkToken: CheckToken): Service {
  return {
    name: 'logs-ingestion',
    place,
    reply: (request) => reply(request, options, checkToken),
    fail: (status, retryAfterS) =>
      failure(status, 'simulated fault', retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
    brokenPiece: () => Buffer.from('{"error":'),
    streamError: () => [],
  }
}

async function reply(request: SimRequest, options: LogsIngestionOptions, checkToken: CheckToken): Promise<BodyReply> {
  if (request.method !== 'POST') return failure(405, 'rows are posted')
  const [, ruleId = '', stream = ''] = ROUTE.exec(decodeURIComponent(request.path)) ?? []
  if (ruleId === '' || request.query.get('api-version') !== API_VERSION) return failure(404, 'no such operation')
  const token = /^Bearer (\S+)$/i.exec(request.headers['authorization'] ?? '')?.[1]
  if (token === undefined || !(await checkToken(token, AUDIENCES)))
    return failure(401, 'the token is not for this resource')
  if (ruleId !== options.ruleId)
    return failure(403, `the token has no access to the rule with immutable Id '${ruleId}'`)
  const columns = options.streams[stream]
  if (columns === undefined) return failure(400, `the rule has no stream ${stream}`, {}, 'InvalidStream')
  return take(request, columns)
}

function take(request: SimRequest, columns: readonly string[]): BodyReply {
  if (request.body.length > MAX_BYTES) return failure(413, 'over 1 MB')
  let text: string
  try {
    const isPacked = request.headers['content-encoding'] === 'gzip'
    text = isPacked ? gunzipSync(request.body, { maxOutputLength: MAX_BYTES }).toString('utf8') : request.text
  } catch (error) {
    const isLarge = error instanceof RangeError
    return failure(isLarge ? 413 : 400, isLarge ? 'over 1 MB uncompressed' : 'the body is not gzip')
  }
  const rows = Rows.safeParse(parsed(text))
  if (!rows.success) return failure(400, 'the body is not a list of objects')
  for (const row of rows.data) {
    const unknown = Object.keys(row).find((name) => !columns.includes(name))
    if (unknown !== undefined) return failure(400, `the stream declares no column ${unknown}`)
    if (typeof row['TimeGenerated'] !== 'string' || Number.isNaN(Date.parse(row['TimeGenerated'])))
      return failure(400, 'TimeGenerated is not a time')
  }
  return { status: 204, headers: {}, body: '' }
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
  return json(status, { error: { code, message } }, headers)
}
