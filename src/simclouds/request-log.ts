import type { ServiceName } from './service.ts'

/** One request that a simulated service received. */
export interface LoggedRequest {
  readonly atEpochMs: number
  readonly method: string
  /** Path and query, as received. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** HTTP status of the answer; 0 while there is none. */
  status: number
  /** Whether the answer was written to its end. */
  finished: boolean
  /** Whether the client left before that. */
  aborted: boolean
  /** When that was noticed. */
  abortedAtEpochMs: number | undefined
  /** A fault of the stand-in itself; empty when there was none. */
  fault: string
}

const MAX_SHOWN_BODY_CHARS = 4_000
const MASK = '[masked]'
const SECRET_HEADERS = new Set([
  'authorization',
  'cookie',
  'ocp-apim-subscription-key',
  'api-key',
  'x-api-key',
  'x-serverless-authorization',
  'x-amz-security-token',
])
const SECRET_FIELDS = /\b(client_secret|client_assertion|assertion|password|refresh_token|code|code_verifier)=[^&]*/g

/** What each service received: a count, and the last requests. */
export class RequestLog {
  readonly #size: number
  readonly #counts = new Map<ServiceName, number>()
  readonly #last = new Map<ServiceName, LoggedRequest[]>()

  /** @param size Requests kept for each service. */
  constructor(size: number) {
    this.#size = size
  }

  /** Writes a request down; the caller completes it as the answer goes. */
  add(service: ServiceName, request: LoggedRequest): void {
    this.#counts.set(service, this.count(service) + 1)
    const last = this.#last.get(service) ?? []
    last.push(request)
    if (last.length > this.#size) last.shift()
    this.#last.set(service, last)
  }

  /** Requests received since the start, or since `clear`. */
  count(service: ServiceName): number {
    return this.#counts.get(service) ?? 0
  }

  /** The last requests, oldest first, secrets included: for tests in the same process. */
  last(service: ServiceName): readonly LoggedRequest[] {
    return this.#last.get(service) ?? []
  }

  /** Forgets everything. */
  clear(): void {
    this.#counts.clear()
    this.#last.clear()
  }
}

/** A request as it may be shown: credentials masked, the body cut. */
export function masked(request: LoggedRequest): LoggedRequest {
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, SECRET_HEADERS.has(name) ? MASK : value]),
  )
  const body = request.body.replace(SECRET_FIELDS, `$1=${MASK}`).slice(0, MAX_SHOWN_BODY_CHARS)
  return { ...request, headers, body }
}
