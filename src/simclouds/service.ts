import type { Place } from '#contract/place.ts'
import type { Fault } from './faults.ts'

/** The services that are simulated, in the order in which they start. */
export const SERVICE_NAMES = [
  'entra',
  'content-safety',
  'bedrock',
  'cloud-run',
  'graph',
  'logs-ingestion',
  's3',
  'language',
  'managed-identity',
  'sts',
  'google-tokens',
  'anthropic',
  'vertex',
  'sqs',
  'athena',
  'glue',
  's3vectors',
  'opensearch',
] as const

export type ServiceName = (typeof SERVICE_NAMES)[number]

/** One simulated service: it answers, and knows how its vendor says that something went wrong. */
export interface Service {
  readonly name: ServiceName
  readonly place: Place
  /** Pure but for clocks and pacing: listen.ts does the network, the latency and the faults. */
  reply(request: SimRequest): Reply | Promise<Reply>
  /** An error in the vendor's own words and shape. `retryAfterS` becomes the header where it is given. */
  fail(status: number, retryAfterS?: number): BodyReply
  /** A piece of a stream that no client can parse. */
  brokenPiece(): Uint8Array
  /** How the vendor reports an error inside a stream that began well, up to the end of the stream. */
  streamError(status: number): readonly Uint8Array[]
  /** The longest body that is read, in bytes; what comes after is dropped. Default 32 MiB. */
  readonly maxBodyBytes?: number
  /** Whether bodies are bytes, not text: `text` is then empty, and nothing of them is kept in the log. Default false. */
  readonly hasBinaryBodies?: boolean
  /** What it would show of itself on the switchboard; absent where there is nothing to show. */
  readonly state?: () => unknown
}

export interface SimRequest {
  readonly method: string
  /** As received: percent-encoded, without the query. */
  readonly path: string
  /** As received, without the question mark; empty when there is none. */
  readonly rawQuery: string
  readonly query: URLSearchParams
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** The body as UTF-8; empty for a service with binary bodies. */
  readonly text: string
  /** The faults that hit this request, for those that a service applies itself. */
  readonly faults: readonly Fault[]
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal
}

export type Reply = BodyReply | StreamReply

export interface BodyReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export interface StreamReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly pieces: AsyncIterable<Piece>
}

/** One flush of a stream. `isContent` marks what a model said: faults count these. */
export interface Piece {
  readonly bytes: Uint8Array
  readonly isContent: boolean
}

/** A JSON answer. */
export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): BodyReply {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
}
