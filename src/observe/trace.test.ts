import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Crossing } from '#contract/crossing.ts'
import type { Entry } from '#contract/entry.ts'
import { asList, asRecord } from '#kit/json.ts'
import { spansOf } from './trace.ts'

const AT = 1_795_564_800_123.25

function crossing(changes: Partial<Crossing> = {}): Crossing {
  return {
    layer: 'inference',
    spanId: '00f067aa0ba902b7',
    from: 'azure:eastus',
    to: 'gcp:us-east4',
    host: '127.0.0.1:9',
    status: 200,
    bytesOut: 10,
    bytesIn: 20,
    firstByteMs: 5,
    ms: 9.5,
    egressMicroUsd: 3,
    error: '',
    atEpochMs: AT + 2,
    ...changes,
  }
}

function entry(changes: Partial<Entry> = {}): Entry {
  return {
    id: 'req-0193a5b8c0000123456789abcdef',
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    atEpochMs: AT,
    images: undefined,
    route: undefined,
    limits: undefined,
    ms: 20.5,
    firstContentMs: 12,
    outcome: 'answered',
    status: 200,
    code: '',
    dialect: 'openai-chat',
    stream: true,
    alias: 'chat',
    principal: undefined,
    peer: '',
    policy: {
      policies: [],
      guardProfile: '',
      forbidden: [],
      collections: [],
      purpose: '',
      jurisdictions: undefined,
      retentionDays: undefined,
      logging: 'standard',
    },
    digests: { prompt: '', answer: '' },
    findings: [],
    safety: {
      microUsd: 0,
      mode: 'off',
      over: [],
      problem: '',
      records: 0,
      savedMicroUsd: 0,
      services: [],
      shadow: false,
      verdict: 'not-asked',
    },
    receipt: undefined,
    attempts: [],
    target: 'vllm',
    provider: 'openai-compatible',
    model: 'llama',
    usage: { input: 5, cachedRead: 2, cachedWrite: 1, output: 3, reasoning: 4 },
    usageEstimated: false,
    cost: { modelMicroUsd: 2_000_000, egressMicroUsd: 0 },
    crossings: [crossing()],
    stages: [{ stage: 'infer', place: 'gcp:us-east4', startMs: 1.5, ms: 10 }],
    remote: [],
    lag: { stage: 'infer', place: 'gcp:us-east4', ms: 10 },
    ...changes,
  }
}

interface ReadSpan {
  readonly fields: Readonly<Record<string, unknown>>
  readonly attributes: ReadonlyMap<unknown, unknown>
}

function spans(given: Entry): ReadSpan[] {
  return asList(JSON.parse(`[${spansOf(given)}]`)).map((item) => {
    const { attributes, ...fields } = asRecord(item) ?? {}
    return {
      fields,
      attributes: new Map(
        asList(attributes).map((attribute) => [asRecord(attribute)?.['key'], asRecord(attribute)?.['value']]),
      ),
    }
  })
}

test('a request becomes a root, a span a stage and a span a crossing, all of one trace', () => {
  const made = spans(entry({ remote: [{ stage: 'retrieve', place: 'aws:us-east-1', startMs: 3, ms: 1 }] }))
  assert.deepEqual(
    made.map(({ fields }) => [fields['name'], fields['kind'], fields['parentSpanId']]),
    [
      ['chat chat', 2, ''],
      ['infer', 1, '0123456789abcdef'],
      ['retrieve', 1, '0123456789abcdef'],
      ['crossing inference', 3, '0123456789abcdef'],
    ],
  )
  assert.ok(made.every(({ fields }) => fields['traceId'] === '4bf92f3577b34da6a3ce929d0e0e4736'))
  const ids = made.map(({ fields }) => String(fields['spanId']))
  assert.ok(ids.every((id) => /^[0-9a-f]{16}$/.test(id)))
  assert.equal(new Set(ids).size, 4)
  assert.deepEqual([ids[0], ids[3]], ['0123456789abcdef', '00f067aa0ba902b7'])
})

test('times are nanoseconds as text, from the arrival on', () => {
  const [root, stage, call] = spans(entry())
  const times = (span: ReadSpan | undefined): unknown[] => [
    span?.fields['startTimeUnixNano'],
    span?.fields['endTimeUnixNano'],
  ]
  assert.deepEqual(times(root), ['1795564800123250000', '1795564800143750000'])
  assert.deepEqual(times(stage), ['1795564800124750000', '1795564800134750000'])
  assert.deepEqual(times(call), ['1795564800125250000', '1795564800134750000'])
})

test('the root says what was asked, who answered and where the time went', () => {
  const [root] = spans(entry())
  assert.deepEqual(
    root?.attributes,
    new Map<unknown, unknown>([
      ['gen_ai.operation.name', { stringValue: 'chat' }],
      ['gen_ai.request.model', { stringValue: 'chat' }],
      ['gen_ai.request.stream', { boolValue: true }],
      ['gen_ai.usage.input_tokens', { intValue: '8' }],
      ['gen_ai.usage.output_tokens', { intValue: '7' }],
      ['gen_ai.response.time_to_first_chunk', { doubleValue: 0.012 }],
      ['http.response.status_code', { intValue: '200' }],
      ['thinplane.request.id', { stringValue: 'req-0193a5b8c0000123456789abcdef' }],
      ['thinplane.outcome', { stringValue: 'answered' }],
      ['thinplane.target', { stringValue: 'vllm' }],
      ['thinplane.cost.usd', { doubleValue: 2 }],
      ['thinplane.lag.stage', { stringValue: 'infer' }],
      ['thinplane.lag.place', { stringValue: 'gcp:us-east4' }],
    ]),
  )
})

test('a crossing says where it went, how much left and what it cost', () => {
  const call = spans(entry()).at(-1)
  assert.deepEqual(
    call?.attributes,
    new Map<unknown, unknown>([
      ['server.address', { stringValue: '127.0.0.1:9' }],
      ['http.response.status_code', { intValue: '200' }],
      ['cloud.provider', { stringValue: 'gcp' }],
      ['cloud.region', { stringValue: 'us-east4' }],
      ['thinplane.crossing.from', { stringValue: 'azure:eastus' }],
      ['thinplane.crossing.bytes_out', { intValue: '10' }],
      ['thinplane.crossing.bytes_in', { intValue: '20' }],
      ['thinplane.crossing.egress_usd', { doubleValue: 0.000003 }],
    ]),
  )
})

const statuses: readonly (readonly [what: string, changes: Partial<Entry>, code: number, error: unknown])[] = [
  ['an answer', {}, 0, undefined],
  [
    'a block, which is the plane doing its work',
    { outcome: 'blocked', status: 400, code: 'GUARD_BLOCKED' },
    0,
    { stringValue: 'GUARD_BLOCKED' },
  ],
  ['a caller who left', { outcome: 'abandoned', status: 499, code: 'CALLER_GONE' }, 0, { stringValue: 'CALLER_GONE' }],
  ['a failure', { outcome: 'failed', status: 502, code: 'INFER_CUT' }, 2, { stringValue: 'INFER_CUT' }],
]

for (const [what, changes, code, error] of statuses) {
  test(`the status of ${what} is ${code}`, () => {
    const [root] = spans(entry(changes))
    assert.deepEqual(root?.fields['status'], { code })
    assert.deepEqual(root?.attributes.get('error.type'), error)
  })
}

test('a call that failed is an error of its own span only', () => {
  const made = spans(entry({ crossings: [crossing({ error: 'reset', status: 0 })] }))
  assert.deepEqual(
    made.map(({ fields }) => fields['status']),
    [{ code: 0 }, { code: 0 }, { code: 2 }],
  )
  assert.deepEqual(made[2]?.attributes.get('error.type'), { stringValue: 'reset' })
})

test('what was never sent has no time, and a request that was not read has no model', () => {
  const [root] = spans(entry({ firstContentMs: -1, alias: '', stages: [], crossings: [] }))
  assert.equal(root?.fields['name'], 'chat')
  assert.equal(root?.attributes.has('gen_ai.response.time_to_first_chunk'), false)
})

test('names that callers choose can not break out of their place', () => {
  const alias = 'a","kind":9,"x":"\n\u2028\\'
  const [root] = spans(entry({ alias }))
  assert.deepEqual([root?.fields['name'], root?.fields['kind']], [`chat ${alias}`.trim(), 2])
})
