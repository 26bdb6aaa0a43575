import { Refusal } from '#contract/refusal.ts'
import type { Target } from '#contract/target.ts'
import { asRecord, asText, parseJson } from '#kit/json.ts'
import type { ErrorAnswer } from '#infer/provider.ts'
import { retryAfterSeconds } from '#infer/retry-after.ts'

/** Cloud Run answers 429, 503 and 504 when it has no instance: capacity, not a fault of the request. */
const CAPACITY = new Set([429, 503, 529])

export function error(answer: ErrorAnswer, target: Target): Refusal {
  const reason = reasonOf(answer.body)
  const name = `target \`${target.name}\``
  const retryAfterS = retryAfterSeconds(answer.headers['retry-after'])
  const facts = retryAfterS === undefined ? {} : { retryAfterS }
  if (CAPACITY.has(answer.status)) return new Refusal('INFER_THROTTLED', `${name} is out of capacity`, facts)
  if (answer.status === 408 || answer.status === 504)
    return new Refusal('INFER_TIMEOUT', `${name} timed out (${answer.status})`, facts)
  const filtered = filteredBy(answer.body)
  if (filtered !== undefined)
    return new Refusal('INFER_FILTERED', `the content filter of ${name} refused the prompt: ${filtered}`, {
      param: 'messages',
    })
  if (answer.status === 400 || answer.status === 413 || answer.status === 422) {
    return new Refusal('INFER_REJECTED', `${name} rejected the request: ${reason ?? answer.status}`)
  }
  // 401, 403 and 404 are our own configuration at the target, never the caller's credential.
  return new Refusal('INFER_UNAVAILABLE', `${name} answered ${answer.status}`)
}

/** An error object inside a stream that began with 200. */
export function inBandError(value: unknown): Refusal {
  const status = asRecord(value)?.['code']
  if (status === 429) return new Refusal('INFER_THROTTLED', 'the upstream ran out of capacity')
  return new Refusal('INFER_UNAVAILABLE', 'the upstream reported an error inside the stream')
}

/**
 * Azure's own filter: what it found, or undefined when it was not the filter that refused. Its details have been seen
 * under several names: on the wire, in the specification and in the documentation.
 */
function filteredBy(body: string): string | undefined {
  const error = asRecord(asRecord(parseJson(body))?.['error'])
  const inner = asRecord(error?.['innererror']) ?? asRecord(error?.['inner_error'])
  const isFilter = error?.['code'] === 'content_filter' || inner?.['code'] === 'ResponsibleAIPolicyViolation'
  if (!isFilter) return undefined
  const results = asRecord(inner?.['content_filter_result']) ?? asRecord(inner?.['content_filter_results']) ?? {}
  const found = Object.entries(results).flatMap(([category, value]) => {
    const result = asRecord(value)
    if (result?.['filtered'] !== true) return []
    const severity = asText(result['severity'])
    return [`${category.replaceAll('_', ' ')}${severity === undefined ? '' : ` ${severity}`}`]
  })
  return found.length === 0 ? 'no category given' : found.join(', ')
}

/** vLLM, llama-server and OpenAI: `{"error":{"message"}}`; older vLLM: `{"message"}`. Shortened, one line. */
function reasonOf(body: string): string | undefined {
  const document = asRecord(parseJson(body))
  const message = asText(asRecord(document?.['error'])?.['message']) ?? asText(document?.['message'])
  return message?.replaceAll(/\s+/g, ' ').slice(0, 300)
}
