import type { Target } from '#contract/target.ts'
import type { EncodedRequest } from '#infer/provider.ts'

/** A call of one method of a model. */
export function request(target: Target, method: string, body: object, dropped: readonly string[]): EncodedRequest {
  const isStream = method === 'streamGenerateContent'
  const model = encodeURIComponent(target.model).replaceAll('%40', '@')
  return {
    // Without `alt=sse` the stream would be one JSON list.
    url: `${target.endpoint}/publishers/google/models/${model}:${method}${isStream ? '?alt=sse' : ''}`,
    headers: { 'content-type': 'application/json', accept: isStream ? 'text/event-stream' : 'application/json' },
    body: JSON.stringify(body),
    dropped,
  }
}
