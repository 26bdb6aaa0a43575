import { Refusal } from '#contract/refusal.ts'
import type { Target } from '#contract/target.ts'
import type { ErrorAnswer } from '#infer/provider.ts'
import { retryAfterSeconds } from '#infer/retry-after.ts'
import { asList, asRecord, asText, parseJson } from '#kit/json.ts'

type Fields = Readonly<Record<string, unknown>>

/** `{"error":{"code","message","status","details"}}`; for streams the same in a list. */
export function error(answer: ErrorAnswer, target: Target): Refusal {
  const fields = errorObject(parseJson(answer.body))
  const name = `target \`${target.name}\``
  const status = asText(fields?.['status'])
  const retryAfterS = retryAfterSeconds(answer.headers['retry-after']) ?? retryDelay(fields)
  const facts = retryAfterS === undefined ? {} : { retryAfterS }
  if (answer.status === 429 || answer.status === 503) {
    return new Refusal('INFER_THROTTLED', `${name} is out of capacity`, facts)
  }
  if (answer.status === 408 || answer.status === 504)
    return new Refusal('INFER_TIMEOUT', `${name} timed out (${answer.status})`, facts)
  // A precondition that fails is the project's: a location without the model, an account without billing.
  const isRejected = (answer.status === 400 || answer.status === 413) && status !== 'FAILED_PRECONDITION'
  if (isRejected)
    return new Refusal('INFER_REJECTED', `${name} rejected the request: ${reasonOf(fields) ?? answer.status}`)
  // 401, 403 and 404 are our own configuration at the target, never the caller's credential.
  return new Refusal(
    'INFER_UNAVAILABLE',
    `${name} answered ${answer.status}${status === undefined ? '' : ` (${status})`}`,
  )
}

/** An error inside a stream that began with 200. */
export function inBandError(value: unknown): Refusal {
  const fields = asRecord(value)
  const status = asText(fields?.['status'])
  const code = fields?.['code']
  if (code === 429 || code === 503 || status === 'RESOURCE_EXHAUSTED' || status === 'UNAVAILABLE')
    return new Refusal('INFER_THROTTLED', 'the upstream ran out of capacity')
  if (code === 504 || status === 'DEADLINE_EXCEEDED')
    return new Refusal('INFER_TIMEOUT', 'the upstream timed out inside the stream')
  if (code === 400 || status === 'INVALID_ARGUMENT')
    return new Refusal('INFER_REJECTED', 'the upstream rejected the request inside the stream')
  return new Refusal('INFER_UNAVAILABLE', 'the upstream reported an error inside the stream')
}

function errorObject(parsed: unknown): Fields | undefined {
  const document = asRecord(Array.isArray(parsed) ? asList(parsed)[0] : parsed)
  return asRecord(document?.['error'])
}

/** `RetryInfo` among the details: `"12s"`. */
function retryDelay(fields: Fields | undefined): number | undefined {
  for (const detail of asList(fields?.['details'])) {
    const seconds = /^(\d+(?:\.\d+)?)s$/.exec(asText(asRecord(detail)?.['retryDelay']) ?? '')?.[1]
    if (seconds !== undefined) return Math.ceil(Number(seconds))
  }
  return undefined
}

function reasonOf(fields: Fields | undefined): string | undefined {
  return asText(fields?.['message'])?.replaceAll(/\s+/g, ' ').slice(0, 300)
}
