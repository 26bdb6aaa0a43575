import type { ChatMeter } from './cloud-run-chat.ts'
import type { EngineGauges } from './vllm-engine.ts'

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Blocks that a server without an engine claims to have. */
const CLAIMED_BLOCKS = 8192
/** Requests at once that fill the cache of a server without an engine. */
const CLAIMED_REQUESTS = 100

/** vLLM's `/metrics`. Counters begin anew with each instance, as they do there. */
export function metrics(
  model: string,
  meter: ChatMeter,
  engine: { readonly gauges: EngineGauges; readonly numGpuBlocks: number } | undefined,
): string {
  const labels = `engine="0",model_name="${model}"`
  const line = (name: string, kind: string, value: number) =>
    `# TYPE vllm:${name} ${kind}\nvllm:${name}{${labels}} ${value}\n`
  const gauges = engine?.gauges ?? withoutEngine(meter)
  return [
    line('num_requests_running', 'gauge', gauges.running),
    line('num_requests_waiting', 'gauge', gauges.waiting),
    line('kv_cache_usage_perc', 'gauge', gauges.kvUsage),
    line('prefix_cache_queries_total', 'counter', gauges.queriedTokens),
    line('prefix_cache_hits_total', 'counter', gauges.hitTokens),
    line('prompt_tokens_total', 'counter', meter.promptTokens),
    line('generation_tokens_total', 'counter', meter.generationTokens),
    '# TYPE vllm:request_success_total counter\n',
    ...[...meter.finished].map(
      ([reason, count]) => `vllm:request_success_total{${labels},finished_reason="${reason}"} ${count}\n`,
    ),
    `# TYPE vllm:cache_config_info gauge\nvllm:cache_config_info{block_size="16",${labels},num_gpu_blocks="${engine?.numGpuBlocks ?? CLAIMED_BLOCKS}"} 1\n`,
  ].join('')
}

function withoutEngine({ running }: ChatMeter): EngineGauges {
  return { running, waiting: 0, kvUsage: Math.min(1, running / CLAIMED_REQUESTS), queriedTokens: 0, hitTokens: 0 }
}
