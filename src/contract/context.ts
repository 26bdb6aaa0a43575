import type { Finding } from './screened.ts'

/** `POST /v1/context` of the data plane: the one call that fetches everything a request needs. */
export interface ContextRequest {
  readonly queries: readonly string[]
  readonly collections: readonly string[]
  /** Passages wanted, over all collections. */
  readonly topK: number
  /** Upper bound of the answer's JSON before compression. */
  readonly maxBytes: number
  /** Estimated tokens of all passages at most. Absent: no bound but `maxBytes`. */
  readonly maxTokens?: number
  /** Milliseconds after which the caller wants what there is. Default 10,000. */
  readonly deadlineMs?: number
  readonly sql: readonly { readonly name: string; readonly params: Readonly<Record<string, unknown>> }[]
  readonly items: readonly { readonly table: string; readonly key: Readonly<Record<string, unknown>> }[]
  /** A signed token minted by the control plane: see `PassportClaims`. */
  readonly principal: string
}

export interface ContextAnswer {
  readonly passages: readonly Passage[]
  readonly rows: readonly {
    readonly name: string
    readonly columns: readonly string[]
    readonly rows: readonly unknown[][]
  }[]
  readonly items: readonly { readonly table: string; readonly item: Readonly<Record<string, unknown>> }[]
  readonly receipt: Receipt
  /** What could not be answered within `maxBytes` or time, in words. Empty when all was. */
  readonly missing: readonly string[]
  /** The agent's own spans: no second call for telemetry. */
  readonly spans: readonly RemoteSpan[]
}

export interface Passage {
  readonly text: string
  readonly source: Source
  /** Fused rank score, higher is better; comparable within one answer only. */
  readonly score: number
  /** Estimate: characters / 4. */
  readonly tokens: number
  /** The guard's verdict at ingest. */
  readonly screened: { readonly rules: string; readonly findings: readonly Finding[] }
}

export interface Source {
  readonly collection: string
  /** Path inside the collection, or the object's URI. */
  readonly document: string
  readonly title: string
  /** The heading that the passage stands under, or empty. */
  readonly heading: string
  /** From 1, for documents with pages; 0 otherwise. */
  readonly page: number
  /** First row or record, from 1, for documents that are made of them; 0 otherwise. */
  readonly record: number
  /** Last row or record, likewise. */
  readonly lastRecord: number
  /** UTF-16 offsets in the document's extracted text. */
  readonly start: number
  readonly end: number
}

/** What was read, for whom: becomes part of the control plane's audit entry. */
export interface Receipt {
  readonly agent: string
  readonly requestId: string
  readonly subject: string
  readonly tenant: string
  readonly reads: readonly {
    /** Name of the collection; `sql:` and the query's name, `items:` and the table's. */
    readonly collection: string
    /** The document; for rows and items a digest of what they were asked by. */
    readonly document: string
    /** SHA-256, hex: of the passage's text, of the JSON of the rows or the item. */
    readonly digest: string
  }[]
  /** What was asked for and is not there, in words without values: the answer's own `missing`. Entries of former versions have none. */
  readonly missing?: readonly string[]
  /** Bytes of the answer's passages, rows and items. */
  readonly bytes: number
  readonly atEpochMs: number
}

/** Milliseconds on the agent's own clock; the control plane corrects the skew. */
export interface RemoteSpan {
  readonly name: string
  readonly startEpochMs: number
  readonly ms: number
}

/** Claims of a passport: a JWT, EdDSA, `typ: passport+jwt`, lifetime 60 s, audience = the data plane's name. */
export interface PassportClaims {
  readonly iss: string
  readonly aud: string
  readonly sub: string
  readonly tenant: string
  readonly roles: readonly string[]
  readonly groups: readonly string[]
  /** What may be asked: names of collections, `sql:NAME` for queries, `items:NAME` for tables. */
  readonly collections: readonly string[]
  readonly purpose: string
  readonly residency: string
  /** The request id. */
  readonly jti: string
  readonly iat: number
  readonly exp: number
}
