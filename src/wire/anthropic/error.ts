import type { Refusal, RefusalCode } from '#contract/refusal.ts'

/** Anthropic's error types, for every refusal. */
export const ERROR_TYPES: Readonly<Record<RefusalCode, string>> = {
  WIRE_MALFORMED: 'invalid_request_error',
  WIRE_UNSUPPORTED: 'invalid_request_error',
  WIRE_NOT_FOUND: 'not_found_error',
  WIRE_TOO_LARGE: 'request_too_large',
  WIRE_TOO_SLOW: 'invalid_request_error',
  IDENTITY_MISSING: 'authentication_error',
  IDENTITY_INVALID: 'authentication_error',
  IDENTITY_EXPIRED: 'authentication_error',
  IDENTITY_FORBIDDEN: 'permission_error',
  IDENTITY_UNAVAILABLE: 'api_error',
  POLICY_DENIED: 'permission_error',
  GUARD_BLOCKED: 'invalid_request_error',
  GUARD_UNAVAILABLE: 'api_error',
  CONTEXT_FORBIDDEN: 'permission_error',
  CONTEXT_UNKNOWN: 'not_found_error',
  CONTEXT_UNAVAILABLE: 'api_error',
  LIMIT_RATE: 'rate_limit_error',
  LIMIT_BUDGET: 'rate_limit_error',
  RECALL_UNKNOWN: 'not_found_error',
  ROUTE_UNKNOWN_MODEL: 'not_found_error',
  ROUTE_NO_TARGET: 'overloaded_error',
  INFER_COLD: 'overloaded_error',
  INFER_UNSUPPORTED: 'invalid_request_error',
  INFER_FILTERED: 'invalid_request_error',
  INFER_REJECTED: 'invalid_request_error',
  INFER_THROTTLED: 'rate_limit_error',
  INFER_TIMEOUT: 'api_error',
  INFER_UNAVAILABLE: 'api_error',
  INFER_CUT: 'api_error',
  BORDER_REFUSED: 'api_error',
  RECORD_UNAVAILABLE: 'api_error',
  DRAINING: 'overloaded_error',
  OVERLOADED: 'overloaded_error',
  CALLER_GONE: 'api_error',
  INTERNAL: 'api_error',
}

export function error(refusal: Refusal, requestId: string): string {
  return JSON.stringify({
    type: 'error',
    error: {
      type: ERROR_TYPES[refusal.code],
      message: refusal.message,
      code: refusal.code,
      param: refusal.param ?? null,
    },
    request_id: requestId,
  })
}
