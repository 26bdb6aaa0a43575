import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics } from './metrics.ts'

test('a counter adds up by its labels', () => {
  const metrics = new Metrics()
  const requests = metrics.counter('requests_total', 'How many.', ['alias', 'code'])
  requests.add(1, 'chat', '')
  requests.add(2.5, 'chat', '')
  requests.add(1, 'chat', 'X')
  assert.equal(
    metrics.show(),
    '# HELP requests_total How many.\n# TYPE requests_total counter\nrequests_total{alias="chat",code=""} 3.5\nrequests_total{alias="chat",code="X"} 1\n',
  )
})

test('a series without labels has no braces', () => {
  const metrics = new Metrics()
  metrics.counter('a_total', 'A.', []).add(1)
  assert.ok(metrics.show().endsWith('\na_total 1\n'))
})

test('a gauge is read when it is shown', () => {
  const metrics = new Metrics()
  let open = 3
  metrics.gauge('open', 'Open.', () => open)
  assert.ok(metrics.show().endsWith('\nopen 3\n'))
  open = 4
  assert.equal(metrics.show(), '# HELP open Open.\n# TYPE open gauge\nopen 4\n')
})

test('the buckets of a histogram hold all that is not above their bound', () => {
  const metrics = new Metrics()
  const seconds = metrics.histogram('seconds', 'Time.', ['stage'], [0.1, 1])
  for (const value of [0.05, 0.1, 0.5, 1, 7]) seconds.observe(value, 'infer')
  assert.deepEqual(metrics.show().split('\n').slice(2), [
    'seconds_bucket{stage="infer",le="0.1"} 2',
    'seconds_bucket{stage="infer",le="1"} 4',
    'seconds_bucket{stage="infer",le="+Inf"} 5',
    'seconds_sum{stage="infer"} 8.65',
    'seconds_count{stage="infer"} 5',
    '',
  ])
})

test('a histogram without labels has its bound as the only one', () => {
  const metrics = new Metrics()
  metrics.histogram('seconds', 'Time.', [], [1]).observe(2)
  assert.deepEqual(metrics.show().split('\n').slice(2, 5), [
    'seconds_bucket{le="1"} 0',
    'seconds_bucket{le="+Inf"} 1',
    'seconds_sum 2',
  ])
})

test('label values can not break out of their place', () => {
  const metrics = new Metrics()
  const counter = metrics.counter('a_total', 'A.', ['x', 'y'])
  counter.add(1, 'quote " and \\', 'line\nfeed')
  assert.ok(metrics.show().endsWith('\na_total{x="quote \\" and \\\\",y="line\\nfeed"} 1\n'))
})

test('series that differ in how their labels divide are not one', () => {
  const metrics = new Metrics()
  const counter = metrics.counter('a_total', 'A.', ['x', 'y'])
  counter.add(1, 'a', 'bc')
  counter.add(1, 'ab', 'c')
  assert.deepEqual(metrics.show().split('\n').slice(2, 4), ['a_total{x="a",y="bc"} 1', 'a_total{x="ab",y="c"} 1'])
})

test('a family that nobody counted shows what it would be', () => {
  const metrics = new Metrics()
  metrics.counter('a_total', 'A.', ['x'])
  assert.equal(metrics.show(), '# HELP a_total A.\n# TYPE a_total counter\n')
})
