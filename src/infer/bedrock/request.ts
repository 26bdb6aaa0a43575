import type { Target } from '#contract/target.ts'
import type { EncodedRequest } from '#infer/provider.ts'

/** A call of one operation. The model id is one path segment: an ARN's colons and slashes are encoded too. */
export function request(target: Target, operation: string, body: object, dropped: readonly string[]): EncodedRequest {
  const isStream = operation === 'converse-stream'
  return {
    url: `${target.endpoint}/model/${encodeURIComponent(target.model)}/${operation}`,
    headers: {
      'content-type': 'application/json',
      accept: isStream ? 'application/vnd.amazon.eventstream' : 'application/json',
    },
    body: JSON.stringify(body),
    dropped,
  }
}
