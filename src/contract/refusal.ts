/**
 * Every expected error has a code here; everything else that escapes is a bug and becomes a 500.
 *
 * status: HTTP status the caller sees.
 * fallOver: whether the next target may be tried (only before the first content byte).
 * level: how loudly it is logged; a block by policy or guard is a success of the plane, so `info`.
 * fix: what the reader should change, for docs/reference/refusals.md.
 */
export const REFUSALS = {
  WIRE_MALFORMED: { status: 400, fallOver: false, level: 'info', fix: 'Correct the field that the message names.' },
  WIRE_UNSUPPORTED: {
    status: 400,
    fallOver: false,
    level: 'info',
    fix: 'Leave out the field or the kind of content that the message names, or use another path.',
  },
  WIRE_NOT_FOUND: { status: 404, fallOver: false, level: 'info', fix: 'Use one of the paths that the message lists.' },
  WIRE_TOO_LARGE: {
    status: 413,
    fallOver: false,
    level: 'info',
    fix: 'Send less text, or raise the limit that the message names in the configuration.',
  },
  WIRE_TOO_SLOW: {
    status: 408,
    fallOver: false,
    level: 'info',
    fix: 'Send the whole request within the time that the message names.',
  },
  IDENTITY_MISSING: {
    status: 401,
    fallOver: false,
    level: 'info',
    fix: 'Send `Authorization: Bearer` with an access token or a key, or `x-api-key` with a key.',
  },
  IDENTITY_INVALID: {
    status: 401,
    fallOver: false,
    level: 'warn',
    fix: 'Request a token for this API from the configured issuer, or use a key that has not been revoked.',
  },
  IDENTITY_EXPIRED: { status: 401, fallOver: false, level: 'info', fix: 'Request a new token or a new key.' },
  IDENTITY_FORBIDDEN: {
    status: 403,
    fallOver: false,
    level: 'warn',
    fix: 'The credential is genuine, but not one for this API or target: the message says which kind of caller, scope or role is asked for.',
  },
  IDENTITY_UNAVAILABLE: {
    status: 503,
    fallOver: false,
    level: 'error',
    fix: 'The issuer could not be asked for signing keys, or the directory for groups; try again, and check that the control plane can reach them.',
  },
  POLICY_DENIED: {
    status: 403,
    fallOver: false,
    level: 'info',
    fix: 'Ask for a role that permits the model or the collection, or change the policy that the message names.',
  },
  GUARD_BLOCKED: {
    status: 400,
    fallOver: false,
    level: 'info',
    fix: 'Remove what the message names from the prompt, or ask for a guard profile that replaces instead of blocking.',
  },
  GUARD_UNAVAILABLE: {
    status: 503,
    fallOver: false,
    level: 'error',
    fix: 'The managed safety check gave no verdict; try again, and look at its health on the status page.',
  },
  CONTEXT_FORBIDDEN: {
    status: 403,
    fallOver: false,
    level: 'info',
    fix: 'Ask for a role that may read the collection.',
  },
  CONTEXT_UNKNOWN: {
    status: 404,
    fallOver: false,
    level: 'info',
    fix: 'Use a collection that the configuration defines and that has been ingested.',
  },
  CONTEXT_UNAVAILABLE: {
    status: 503,
    fallOver: false,
    level: 'error',
    fix: 'The data plane gave no context; try again, and check that its process runs and its index exists.',
  },
  LIMIT_RATE: {
    status: 429,
    fallOver: false,
    level: 'info',
    fix: 'Come back after the time in Retry-After, ask for shorter answers (`max_tokens`), or raise the rule of `limits` that the message names.',
  },
  LIMIT_BUDGET: {
    status: 429,
    fallOver: false,
    level: 'info',
    fix: 'Come back when the next window begins (Retry-After), use a cheaper model, or raise the rule of `limits` that the message names.',
  },
  RECALL_UNKNOWN: {
    status: 404,
    fallOver: false,
    level: 'info',
    fix: 'Send the whole conversation as `input`: answers are kept for a while only, by one process, and where policy allows it.',
  },
  ROUTE_UNKNOWN_MODEL: {
    status: 404,
    fallOver: false,
    level: 'info',
    fix: 'Use one of the aliases that GET /v1/models lists.',
  },
  ROUTE_NO_TARGET: {
    status: 503,
    fallOver: false,
    level: 'error',
    fix: 'Every permitted target of the alias is out; try again after the time in Retry-After.',
  },
  INFER_COLD: {
    status: 503,
    fallOver: true,
    level: 'warn',
    fix: 'The target was asleep and is starting; try again after the time in Retry-After. Keep it awake with `thinplane warm` or a calendar, or let policy permit another target.',
  },
  INFER_UNSUPPORTED: {
    status: 400,
    fallOver: true,
    level: 'info',
    fix: 'Leave out what the message names, or ask a model whose targets can do it.',
  },
  INFER_FILTERED: {
    status: 400,
    fallOver: false,
    level: 'info',
    fix: "Rephrase what the target's own content filter objects to, or change the filter at the target.",
  },
  INFER_REJECTED: {
    status: 400,
    fallOver: false,
    level: 'info',
    fix: 'The model refused the request as it is; its own reason is in the message.',
  },
  INFER_THROTTLED: {
    status: 429,
    fallOver: true,
    level: 'warn',
    fix: 'The model is out of capacity; try again after the time in Retry-After.',
  },
  INFER_TIMEOUT: {
    status: 504,
    fallOver: true,
    level: 'warn',
    fix: 'The model did not answer within the deadline that the message names.',
  },
  INFER_UNAVAILABLE: { status: 502, fallOver: true, level: 'warn', fix: 'The model could not be reached or failed.' },
  INFER_CUT: {
    status: 502,
    fallOver: false,
    level: 'warn',
    fix: 'The answer ended before the model said it was done; what arrived is not whole, so ask again.',
  },
  BORDER_REFUSED: {
    status: 500,
    fallOver: false,
    level: 'error',
    fix: 'A call to another cloud broke a border rule (payload, size or number of calls); raise the limit or send less.',
  },
  RECORD_UNAVAILABLE: {
    status: 503,
    fallOver: false,
    level: 'error',
    fix: 'The audit trail can not be written, so nothing is served; free disk space or mend the data folder.',
  },
  DRAINING: {
    status: 503,
    fallOver: false,
    level: 'info',
    fix: 'This process is stopping; the next try reaches another.',
  },
  OVERLOADED: {
    status: 503,
    fallOver: false,
    level: 'warn',
    fix: 'Too many requests are open at once; try again after the time in Retry-After, or raise `listen.maxConcurrent`.',
  },
  CALLER_GONE: { status: 499, fallOver: false, level: 'info', fix: 'The caller closed the connection before the end.' },
  INTERNAL: {
    status: 500,
    fallOver: false,
    level: 'error',
    fix: 'This is a fault of the control plane; its log has the cause under the request id.',
  },
} as const satisfies Record<string, RefusalRow>

interface RefusalRow {
  readonly status: number
  readonly fallOver: boolean
  readonly level: 'info' | 'warn' | 'error'
  readonly fix: string
}

export type RefusalCode = keyof typeof REFUSALS

export interface RefusalFacts {
  readonly blameless?: boolean
  /** The request field at fault, as a path: `messages[2].content`. */
  readonly param?: string
  /** Seconds after which a new try makes sense. */
  readonly retryAfterS?: number
  /** Ids of the policies that refused, for the audit entry. */
  readonly policies?: readonly string[]
  readonly cause?: unknown
  /** What a new token has to bring, for a 401 that more than a new sign-in mends. */
  readonly challenge?: ClaimsChallenge
}

/** A claims challenge as OpenID Connect and Entra's continuous access evaluation have it. */
export interface ClaimsChallenge {
  /** The `claims` parameter of the next token request, as JSON. */
  readonly claims: string
  /** Where a token is asked for; empty when the client knows. */
  readonly authorizationUri: string
}

/**
 * An expected error. The message is one lower-case sentence without a full stop, says what to
 * change, and never carries prompt text, credentials or personal data.
 */
export class Refusal extends Error {
  readonly code: RefusalCode
  readonly param: string | undefined
  readonly retryAfterS: number | undefined
  readonly policies: readonly string[]
  readonly challenge: ClaimsChallenge | undefined
  /** It says nothing against the health of the target that was asked. */
  readonly blameless: boolean

  constructor(code: RefusalCode, message: string, facts: RefusalFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.name = 'Refusal'
    this.code = code
    this.param = facts.param
    this.retryAfterS = facts.retryAfterS
    this.policies = facts.policies ?? []
    this.challenge = facts.challenge
    this.blameless = facts.blameless === true
  }

  get status(): number {
    return REFUSALS[this.code].status
  }

  /** Whether another target may still answer. */
  get fallOver(): boolean {
    return REFUSALS[this.code].fallOver
  }
}

/** Turns anything that was thrown into a refusal; what is not one is a bug and becomes `INTERNAL`. */
export function asRefusal(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown
  return new Refusal('INTERNAL', 'the control plane failed, the cause is in its log under this request id', {
    cause: thrown,
  })
}
