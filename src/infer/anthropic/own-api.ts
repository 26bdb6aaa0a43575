import type { Flavour } from './flavour.ts'

/**
 * Flags of the Messages API, from the public SDK (@anthropic-ai/sdk 1.13.0, `AnthropicBeta`). Not here: flags of other
 * paths (files, batches, agents), and those that say who the client is (`oauth-…`, `claude-code-…`), which belong to a
 * credential that is not ours.
 */
const BETAS: ReadonlySet<string> = new Set([
  'advisor-tool-2026-03-01',
  'code-execution-2025-05-22',
  'code-execution-2025-08-25',
  'compact-2026-01-12',
  'compact-2026-09-04',
  'computer-use-2024-10-22',
  'computer-use-2025-01-24',
  'computer-use-2025-11-24',
  'context-1m-2025-08-07',
  'context-management-2025-06-27',
  'effort-2025-11-24',
  'extended-cache-ttl-2025-04-11',
  'fast-mode-2026-02-01',
  'fine-grained-tool-streaming-2025-05-14',
  'interleaved-thinking-2025-05-14',
  'mcp-client-2025-04-04',
  'mcp-client-2025-11-20',
  'mid-conversation-output-config-2026-07-01',
  'mid-conversation-tool-changes-2026-07-01',
  'model-context-window-exceeded-2025-08-26',
  'output-128k-2025-02-19',
  'output-300k-2026-03-24',
  'pdfs-2024-09-25',
  'prompt-caching-2024-07-31',
  'structured-outputs-2025-11-13',
  'task-budgets-2026-03-13',
  'thinking-binding-controls-2026-08-01',
  'thinking-display-updates-2026-08-18',
  'thinking-token-count-2026-05-13',
  'token-counting-2024-11-01',
  'token-efficient-tools-2025-02-19',
  'tool-search-tool-2025-10-19',
])

/** Anthropic's own Messages API. */
export const OWN_API: Flavour = {
  url: ({ endpoint }, call) => `${endpoint}/v1/messages${call === 'count' ? '/count_tokens' : ''}`,
  headers: { 'anthropic-version': '2023-06-01' },
  head: ({ model }) => ({ model }),
  betas: BETAS,
  betasIn: 'header',
  rest: undefined,
  toolRest: true,
  display: true,
  imageUrls: true,
}
