import { randomHex } from '#kit/random-hex.ts'

export interface TraceContext {
  readonly traceId: string
  readonly sampled: boolean
  /** Span id of the caller, or empty. */
  readonly parentId: string
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/

/** The caller's trace by W3C Trace Context, or a new one, sampled, when the header is absent or not well formed. */
export function traceContext(header: string | undefined): TraceContext {
  const match = header === undefined ? null : TRACEPARENT.exec(header)
  const [, version, traceId = '', parentId = '', flags = ''] = match ?? []
  const isValid =
    match !== null &&
    version !== 'ff' &&
    !/^0+$/.test(traceId) &&
    !/^0+$/.test(parentId) &&
    (version !== '00' || header?.length === 55)
  if (!isValid) return { traceId: randomHex(16), sampled: true, parentId: '' }
  return { traceId, sampled: (Number.parseInt(flags, 16) & 1) === 1, parentId }
}
