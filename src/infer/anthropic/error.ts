import { Refusal } from '#contract/refusal.ts'
import type { Target } from '#contract/target.ts'
import type { ErrorAnswer } from '#infer/provider.ts'
import { retryAfterSeconds } from '#infer/retry-after.ts'
import { asList, asRecord, asText, parseJson } from '#kit/json.ts'

/** 529 is Anthropic's own "overloaded". */
const CAPACITY = new Set([429, 503, 529])

/** `{"type":"error","error":{"type","message"}}`; where Google answers in front of Claude, its own shape. */
export function error(answer: ErrorAnswer, target: Target): Refusal {
  const name = `target \`${target.name}\``
  const retryAfterS = retryAfterSeconds(answer.headers['retry-after'])
  const facts = retryAfterS === undefined ? {} : { retryAfterS }
  if (CAPACITY.has(answer.status)) return new Refusal('INFER_THROTTLED', `${name} is out of capacity`, facts)
  if (answer.status === 408 || answer.status === 504)
    return new Refusal('INFER_TIMEOUT', `${name} timed out (${answer.status})`, facts)
  const reason = reasonOf(answer.body)
  // An account without credit is refused as if the request were wrong: that is ours to mend.
  const isRejected = answer.status === 400 || answer.status === 413 || answer.status === 422
  if (isRejected && !/credit balance/i.test(reason ?? ''))
    return new Refusal('INFER_REJECTED', `${name} rejected the request: ${reason ?? answer.status}`)
  // 401, 403 and 404 are our own configuration at the target, never the caller's credential.
  return new Refusal('INFER_UNAVAILABLE', `${name} answered ${answer.status}`)
}

/** An error object inside a stream that began with 200. Google names its kinds in `status`. */
export function inBandError(value: unknown): Refusal {
  const fields = asRecord(value)
  const type = asText(fields?.['type']) ?? asText(fields?.['status']) ?? ''
  if (type === 'overloaded_error' || type === 'rate_limit_error' || type === 'RESOURCE_EXHAUSTED')
    return new Refusal('INFER_THROTTLED', 'the upstream ran out of capacity')
  if (type === 'timeout_error') return new Refusal('INFER_TIMEOUT', 'the upstream timed out inside the stream')
  if (type === 'invalid_request_error')
    return new Refusal('INFER_REJECTED', 'the upstream rejected the request inside the stream')
  return new Refusal('INFER_UNAVAILABLE', 'the upstream reported an error inside the stream')
}

/** The message, shortened and on one line; Google wraps errors of streams in a list. */
function reasonOf(body: string): string | undefined {
  const parsed = parseJson(body)
  const document = asRecord(Array.isArray(parsed) ? asList(parsed)[0] : parsed)
  const message = asText(asRecord(document?.['error'])?.['message'])
  return message?.replaceAll(/\s+/g, ' ').slice(0, 300)
}
