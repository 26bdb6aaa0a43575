import type { Refusal, RefusalCode } from '#contract/refusal.ts'

/** OpenAI's error types, for every refusal. */
export const ERROR_TYPES: Readonly<Record<RefusalCode, string>> = {
  WIRE_MALFORMED: 'invalid_request_error',
  WIRE_UNSUPPORTED: 'invalid_request_error',
  WIRE_NOT_FOUND: 'invalid_request_error',
  WIRE_TOO_LARGE: 'invalid_request_error',
  WIRE_TOO_SLOW: 'invalid_request_error',
  IDENTITY_MISSING: 'authentication_error',
  IDENTITY_INVALID: 'authentication_error',
  IDENTITY_EXPIRED: 'authentication_error',
  IDENTITY_FORBIDDEN: 'permission_error',
  IDENTITY_UNAVAILABLE: 'server_error',
  POLICY_DENIED: 'permission_error',
  GUARD_BLOCKED: 'invalid_request_error',
  GUARD_UNAVAILABLE: 'server_error',
  CONTEXT_FORBIDDEN: 'permission_error',
  CONTEXT_UNKNOWN: 'invalid_request_error',
  CONTEXT_UNAVAILABLE: 'server_error',
  LIMIT_RATE: 'rate_limit_error',
  LIMIT_BUDGET: 'rate_limit_error',
  RECALL_UNKNOWN: 'invalid_request_error',
  ROUTE_UNKNOWN_MODEL: 'invalid_request_error',
  ROUTE_NO_TARGET: 'server_error',
  INFER_COLD: 'server_error',
  INFER_UNSUPPORTED: 'invalid_request_error',
  INFER_FILTERED: 'invalid_request_error',
  INFER_REJECTED: 'invalid_request_error',
  INFER_THROTTLED: 'rate_limit_error',
  INFER_TIMEOUT: 'server_error',
  INFER_UNAVAILABLE: 'server_error',
  INFER_CUT: 'server_error',
  BORDER_REFUSED: 'server_error',
  RECORD_UNAVAILABLE: 'server_error',
  DRAINING: 'server_error',
  OVERLOADED: 'server_error',
  CALLER_GONE: 'server_error',
  INTERNAL: 'server_error',
}

export function error(refusal: Refusal, requestId: string): string {
  return JSON.stringify({
    error: {
      message: refusal.message,
      type: ERROR_TYPES[refusal.code],
      param: refusal.param ?? null,
      code: refusal.code,
      request_id: requestId,
    },
  })
}
