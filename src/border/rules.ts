import { CrossFault, type CrossRequest, type Layer } from '#contract/crossing.ts'

/**
 * What may leave. Text and JSON only: raw documents and images stay where they are.
 * All limits are bytes of one call's body unless they say otherwise.
 */
export interface BorderRules {
  readonly maxBodyBytes: Readonly<Record<Layer, number>>
  /**
   * Calls that one request may make into a layer. Inference counts every attempt, also of a fallback; safety is one
   * call a service and kind, but for texts beyond a service's limit, which go in pieces side by side.
   */
  readonly maxCalls: Readonly<Record<Layer, number>>
}

export const DEFAULT_RULES: BorderRules = {
  maxBodyBytes: {
    identity: 65_536,
    safety: 262_144,
    data: 65_536,
    inference: 8_388_608,
    probe: 0,
    telemetry: 4_194_304,
    witness: 65_536,
    timestamp: 1024,
    archive: 8_388_608,
  },
  maxCalls: {
    identity: 3,
    safety: 24,
    data: 1,
    inference: 4,
    probe: Number.POSITIVE_INFINITY,
    telemetry: Number.POSITIVE_INFINITY,
    witness: Number.POSITIVE_INFINITY,
    timestamp: Number.POSITIVE_INFINITY,
    archive: Number.POSITIVE_INFINITY,
  },
}

/** A digest to be stamped is DER: the one thing that leaves in binary. */
const TIMESTAMP_TYPE = 'application/timestamp-query'
/** Content types that count as text. */
const TEXT_TYPES = /^(?:application\/(?:json|x-www-form-urlencoded|x-ndjson)|text\/plain)\b/

/**
 * @throws {CrossFault} `rule` when the call would break one; nothing has left then.
 */
export function enforce(
  rules: BorderRules,
  request: CrossRequest,
  { calls, bodyBytes }: { readonly calls: number; readonly bodyBytes: number },
): void {
  if (calls >= rules.maxCalls[request.layer]) {
    throw new CrossFault(
      'rule',
      `call ${calls + 1} into the ${request.layer} layer, a request may make ${rules.maxCalls[request.layer]}`,
    )
  }
  if (request.body === undefined && request.bytes === undefined) return
  const type = request.headers['content-type'] ?? ''
  const isStamp = request.layer === 'timestamp' && type === TIMESTAMP_TYPE
  const isPacked = request.layer === 'archive' && request.headers['content-encoding'] === 'gzip'
  const mayBeBytes = isStamp || isPacked
  if ((request.bytes !== undefined) !== mayBeBytes || (!isStamp && !TEXT_TYPES.test(type))) {
    throw new CrossFault('rule', `content type \`${type}\` may not leave, only text and JSON`)
  }
  if (bodyBytes > rules.maxBodyBytes[request.layer]) {
    throw new CrossFault(
      'rule',
      `${bodyBytes} bytes for the ${request.layer} layer, at most ${rules.maxBodyBytes[request.layer]} may leave`,
    )
  }
}
