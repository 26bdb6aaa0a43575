import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readVllmMetrics } from './vllm-metrics.ts'

const TEXT = `# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a b"} 3.0
vllm:num_requests_running{engine="1",model_name="a b"} 2 1732500000000
vllm:num_requests_waiting{engine="0"} 7
vllm:kv_cache_usage_perc{engine="0"} 0.25
vllm:kv_cache_usage_perc{engine="1"} 0.75
`

test('engines are added up, and the fullest cache counts', () => {
  assert.deepEqual(readVllmMetrics(TEXT), { running: 5, waiting: 7, cacheUsage: 0.75 })
})

test('the name before 0.9 is understood, and the new one is preferred', () => {
  const old = TEXT.replaceAll('kv_cache_usage', 'gpu_cache_usage')
  assert.deepEqual(readVllmMetrics(old), { running: 5, waiting: 7, cacheUsage: 0.75 })
  assert.deepEqual(readVllmMetrics(`${old}vllm:kv_cache_usage_perc 0.5\n`), { running: 5, waiting: 7, cacheUsage: 0.5 })
})

for (const [what, text] of [
  ['nothing', ''],
  ['a page', '<html>404</html>'],
  ['a comment only', '# TYPE vllm:num_requests_running gauge\n'],
  ['fewer than none', TEXT.replace(' 7', ' -7')],
  ['no number', TEXT.replace(' 7', ' NaN')],
  ['more than there are', TEXT.replace(' 7', ' 1e300')],
  ['a cache that is fuller than full', TEXT.replace('0.75', '75')],
] as const) {
  test(`${what} is not believed, and said why`, () => assert.equal(typeof readVllmMetrics(text), 'string'))
}
