import type { Place } from './place.ts'

/**
 * The layers of the design: a request makes at most one call into each (law 3). `probe` (waking a
 * target, reading its metrics), `telemetry`, `witness`, `timestamp` and `archive` are calls of the plane itself.
 */
export type Layer =
  | 'identity'
  | 'safety'
  | 'data'
  | 'inference'
  | 'probe'
  | 'telemetry'
  | 'witness'
  | 'timestamp'
  | 'archive'

/** One call that left for another cloud, as the audit entry keeps it. */
export interface Crossing {
  readonly layer: Layer
  /** W3C span id of the call, 16 hex digits: what went out in `traceparent`. */
  readonly spanId: string
  readonly from: string
  readonly to: string
  readonly host: string
  /** HTTP status, or 0 when no answer came. */
  status: number
  /** On the wire: request line, headers and body, as far as HTTP/1.1 shows them. TLS and TCP overhead not included. */
  bytesOut: number
  bytesIn: number
  /** Until the answer's headers. */
  firstByteMs: number
  /** Until the answer's end. */
  ms: number
  /** Egress price of `bytesOut` by the table, in millionths of a USD. */
  egressMicroUsd: number
  /** Empty when it went well, else a `CrossFaultKind`. */
  error: string
  /** Epoch milliseconds when it started. */
  readonly atEpochMs: number
}

/** How a call proves who we are. `Secret` values only ever come from references in the configuration. */
export type Credential = StaticCredential | TokenCredential | SessionCredential

/** A token that somebody issues when it is needed: the border asks for it before the call, and sends it as bearer. */
export interface TokenCredential {
  readonly kind: 'token'
  /** The token is one caller's: their calls are not shared with others'. */
  readonly isPersonal?: boolean
  readonly source: TokenSource
}

export interface TokenSource {
  /**
   * A token for one call of this request; at once when one is held.
   * @throws {CrossFault} `credential` when none can be had.
   * @throws {Refusal} when it is the caller who has to change something.
   */
  token(trip: Trip): SecretValue | Promise<SecretValue>
}

/** Keys of a session at AWS, which somebody issues when they are needed: the border signs the call with them. */
export interface SessionCredential {
  readonly kind: 'aws-session'
  /** The session is one tenant's or caller's: their calls are not shared with others'. */
  readonly isPersonal?: boolean
  readonly service: string
  readonly region: string
  readonly source: SessionSource
}

export interface SessionSource {
  /**
   * Keys for one call of this request; at once when they are held.
   * @throws {CrossFault} `credential` when none can be had.
   */
  session(trip: Trip): AwsSession | Promise<AwsSession>
}

/** What AWS STS issues: good for minutes to hours, and only together. */
export interface AwsSession {
  readonly accessKeyId: SecretValue
  readonly secretAccessKey: SecretValue
  readonly sessionToken: SecretValue
}

/** A credential that is known from the start. */
export type StaticCredential =
  | { readonly kind: 'none' }
  | { readonly kind: 'header'; readonly header: string; readonly prefix: string; readonly secret: SecretValue }
  | {
      readonly kind: 'aws-sigv4'
      readonly service: string
      readonly region: string
      readonly accessKeyId: SecretValue
      readonly secretAccessKey: SecretValue
      /** With the keys of a session: sent and signed as `x-amz-security-token`. */
      readonly sessionToken?: SecretValue
    }

/** A value that does not print. See kit/secret.ts. */
export interface SecretValue {
  reveal(): string
}

/** What the border needs to know about the request that a crossing belongs to. */
export interface Trip {
  readonly requestId: string
  readonly traceId: string
  /** Whether the trace is sampled: bit 0 of the W3C flags. */
  readonly sampled: boolean
  /** Aborts when the caller leaves or the request's deadline passes. */
  readonly signal: AbortSignal
  /** Where crossings are written down. */
  readonly crossings: Crossing[]
  /** Calls made so far by layer; the border counts and refuses here. */
  readonly calls: Map<Layer, number>
  /** Set once the caller is known by an access token; undefined for keys. */
  caller?: CallerToken
  /** Set once somebody is known, by a token or a key: for sessions of their own, by digest only. */
  asker?: { readonly tenant: string; readonly id: string }
}

/** The caller's own access token, while their request lasts: for exchanges on their behalf, kept and shown nowhere. */
export interface CallerToken {
  readonly token: SecretValue
  /** SHA-256 of the token, Base64: names it in caches. */
  readonly digest: string
  readonly kind: 'user' | 'app' | 'key'
  readonly tenant: string
  /** Name of the issuer that vouches for it. */
  readonly via: string
}

/**
 * A trip for a call that serves everybody who waits for it: it does not end when the caller who began it leaves, and
 * counts for nobody's budget. The crossing is still written down where it began.
 */
export function detached(trip: Trip): Trip {
  const { requestId, traceId, sampled, crossings } = trip
  return { requestId, traceId, sampled, crossings, signal: new AbortController().signal, calls: new Map() }
}

export interface CrossRequest {
  readonly layer: Layer
  readonly to: Place
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** A body in bytes, instead of `body`: a query for a time stamp, or compressed text for an archive. */
  readonly bytes?: Uint8Array
  readonly credential: Credential
  /** Milliseconds until the connection stands. */
  readonly connectMs: number
  /** Milliseconds from the request to the answer's headers. */
  readonly firstByteMs: number
  /** Longest gap between two pieces of the answer's body. */
  readonly idleMs: number
  /** The whole call. */
  readonly totalMs: number
  /** Answer bytes after which the call is cut. */
  readonly maxAnswerBytes: number
  /** Aborts this call alone, beside the trip's own signal (the loser of a race, a fallback). */
  readonly signal?: AbortSignal
}

export interface CrossAnswer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** Read it to the end or call `cancel`; leaving the loop early cancels too. */
  readonly body: AsyncIterable<Uint8Array>
  /** The whole body as text (UTF-8), unpacked when the request accepted `br` or `gzip`. */
  text(): Promise<string>
  /** From now on the longest gap between two pieces, in milliseconds. */
  setIdleMs(idleMs: number): void
  /** Gives the connection up at once; the far side sees a reset. */
  cancel(): void
  readonly crossing: Crossing
}

/**
 * The one door to another cloud (law 1). Rejects with `CrossFault` when no answer came;
 * an HTTP status of any kind is an answer.
 */
export type Cross = (trip: Trip, request: CrossRequest) => Promise<CrossAnswer>

export type CrossFaultKind =
  | 'connect'
  | 'timeout-connect'
  | 'timeout-first-byte'
  | 'timeout-idle'
  | 'timeout-total'
  | 'reset'
  | 'aborted'
  | 'too-large'
  | 'rule'
  | 'credential'

/** No answer, or not the whole of one. `kind` says what happened; the message names hosts and limits only. */
export class CrossFault extends Error {
  readonly kind: CrossFaultKind

  constructor(kind: CrossFaultKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'CrossFault'
    this.kind = kind
  }
}
