import { Refusal } from '#contract/refusal.ts'
import type { Target } from '#contract/target.ts'
import { asRecord, asText, parseJson } from '#kit/json.ts'
import type { ErrorAnswer } from '#infer/provider.ts'
import { retryAfterSeconds } from '#infer/retry-after.ts'

/** Quota comes as 400, "not ready" as 429, a failed model as 424: the type in the header says more than the status. */
export function error(answer: ErrorAnswer, target: Target): Refusal {
  const type = (answer.headers['x-amzn-errortype'] ?? '').split(':')[0] ?? ''
  const name = `target \`${target.name}\``
  const retryAfterS = retryAfterSeconds(answer.headers['retry-after'])
  const facts = retryAfterS === undefined ? {} : { retryAfterS }
  if (answer.status === 429 || answer.status === 503 || type === 'ServiceQuotaExceededException') {
    return new Refusal('INFER_THROTTLED', `${name} is out of capacity`, facts)
  }
  if (answer.status === 408 || answer.status === 504)
    return new Refusal('INFER_TIMEOUT', `${name}: the model timed out`)
  if (answer.status === 400 || answer.status === 413)
    return new Refusal(
      'INFER_REJECTED',
      `${name} rejected the request: ${reasonOf(answer.body) ?? (type === '' ? answer.status : type)}`,
    )
  return new Refusal('INFER_UNAVAILABLE', `${name} answered ${answer.status}${type === '' ? '' : ` (${type})`}`)
}

/** An exception frame inside a stream. */
export function streamException(type: string): Refusal {
  if (type === 'throttlingException' || type === 'serviceUnavailableException') {
    return new Refusal('INFER_THROTTLED', `the upstream reported ${type} inside the stream`)
  }
  if (type === 'validationException')
    return new Refusal('INFER_REJECTED', 'the upstream rejected the request inside the stream')
  return new Refusal('INFER_UNAVAILABLE', `the upstream reported ${type === '' ? 'an error' : type} inside the stream`)
}

function reasonOf(body: string): string | undefined {
  const document = asRecord(parseJson(body))
  const message = asText(document?.['message']) ?? asText(document?.['Message'])
  return message?.replaceAll(/\s+/g, ' ').slice(0, 300)
}
