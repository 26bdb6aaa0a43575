import { decoder } from '#infer/anthropic/decode.ts'
import { encoder } from '#infer/anthropic/encode.ts'
import { error } from '#infer/anthropic/error.ts'
import type { Call, Flavour } from '#infer/anthropic/flavour.ts'
import type { Provider } from '#infer/provider.ts'

/**
 * Flags that Vertex takes; any other is answered with 400. From reports in public issue trackers up to June 2026
 * (BerriAI/litellm #21867 and #31607, maximhq/bifrost #3055): context management and compaction are not among them.
 */
const BETAS: ReadonlySet<string> = new Set([
  'context-1m-2025-08-07',
  'fine-grained-tool-streaming-2025-05-14',
  'interleaved-thinking-2025-05-14',
  'token-efficient-tools-2025-02-19',
])

/** Fields of Anthropic's own API that Vertex takes; it refuses what it does not know. */
const REST: ReadonlySet<string> = new Set(['metadata', 'thinking', 'output_config'])

const METHODS: Readonly<Record<Call, string>> = {
  whole: 'rawPredict',
  stream: 'streamRawPredict',
  count: 'rawPredict',
}

/** Claude on Vertex AI: Anthropic's format with the model in the path and the version in the body. */
const VERTEX: Flavour = {
  // The count has a model of its own in the path, and the real one in the body.
  url: ({ endpoint, model }, call) =>
    `${endpoint}/publishers/anthropic/models/${call === 'count' ? 'count-tokens' : segment(model)}:${METHODS[call]}`,
  headers: {},
  head: ({ model }, call) => ({ anthropic_version: 'vertex-2023-10-16', ...(call === 'count' ? { model } : {}) }),
  betas: BETAS,
  betasIn: 'body',
  rest: REST,
  toolRest: false,
  display: false,
  imageUrls: false,
}

/** One segment of the path; versions stand behind an `@`, which needs no encoding there. */
function segment(model: string): string {
  return encodeURIComponent(model).replaceAll('%40', '@')
}

export const vertexClaude: Provider = { encode: encoder(VERTEX), decoder, error }
