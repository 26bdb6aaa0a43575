import { randomUUID } from 'node:crypto'
import { json, type BodyReply } from './service.ts'

export interface AadFacts {
  readonly headers?: Readonly<Record<string, string>>
  readonly suberror?: string
  /** A claims challenge, as JSON. */
  readonly claims?: string
}

/** An error of the token endpoint, in the service's own shape. */
export function aadError(
  status: number,
  error: string,
  code: number,
  message: string,
  { headers = {}, suberror, claims }: AadFacts = {},
): BodyReply {
  const traceId = randomUUID()
  const correlationId = randomUUID()
  const timestamp = `${new Date().toISOString().slice(0, 19).replace('T', ' ')}Z`
  return json(
    status,
    {
      error,
      error_description: `AADSTS${code}: ${message}. Trace ID: ${traceId} Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
      error_codes: [code],
      timestamp,
      trace_id: traceId,
      correlation_id: correlationId,
      error_uri: `https://login.microsoftonline.com/error?code=${code}`,
      ...(suberror === undefined ? {} : { suberror }),
      ...(claims === undefined ? {} : { claims }),
    },
    { 'cache-control': 'no-store', ...headers },
  )
}

export function missing(field: string): BodyReply {
  return aadError(400, 'invalid_request', 900144, `the request body has no '${field}'`)
}
