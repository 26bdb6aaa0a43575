import type { Crossing } from '#contract/crossing.ts'
import type { Entry, StageTime } from '#contract/entry.ts'
import { randomHex } from '#kit/random-hex.ts'

/** OTLP's JSON form of one span. */
export interface OtlpSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly OtlpAttribute[]
  readonly status: { readonly code: number }
}

interface OtlpAttribute {
  readonly key: string
  readonly value:
    | { readonly stringValue: string }
    | { readonly intValue: string }
    | { readonly doubleValue: number }
    | { readonly boolValue: boolean }
}

const INTERNAL = 1
const SERVER = 2
const CLIENT = 3
const STATUS_UNSET = 0
const STATUS_ERROR = 2

/** Attributes whose type is double by the conventions, also when their value is a whole number. */
const DOUBLES = new Set(['gen_ai.response.time_to_first_chunk', 'thinplane.crossing.egress_usd', 'thinplane.cost.usd'])

/**
 * The trace of one request, made at its end from what was recorded: a root span, one span a stage, one a crossing.
 * A block by policy or guard is the plane doing its work, so it is not an error.
 */
export function spansOf(entry: Entry): OtlpSpan[] {
  const rootId = entry.id.slice(-16)
  const isError = entry.outcome === 'failed'
  const root: OtlpSpan = {
    traceId: entry.traceId,
    spanId: rootId,
    parentSpanId: '',
    name: `chat ${entry.alias}`.trim(),
    kind: SERVER,
    ...times(entry.atEpochMs, entry.ms),
    attributes: attributes(rootFacts(entry)),
    status: { code: isError ? STATUS_ERROR : STATUS_UNSET },
  }
  const stages = [...entry.stages, ...entry.remote].map((stage) => stageSpan(entry, rootId, stage))
  return [root, ...stages, ...entry.crossings.map((crossing) => crossingSpan(entry, rootId, crossing))]
}

function rootFacts(entry: Entry): Facts {
  return {
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': entry.alias,
    'gen_ai.request.stream': entry.stream,
    'gen_ai.usage.input_tokens': entry.usage.input + entry.usage.cachedRead + entry.usage.cachedWrite,
    'gen_ai.usage.output_tokens': entry.usage.output + entry.usage.reasoning,
    ...(entry.firstContentMs < 0 ? {} : { 'gen_ai.response.time_to_first_chunk': entry.firstContentMs / 1000 }),
    'http.response.status_code': entry.status,
    ...(entry.code === '' ? {} : { 'error.type': entry.code }),
    'thinplane.request.id': entry.id,
    'thinplane.outcome': entry.outcome,
    'thinplane.target': entry.target,
    'thinplane.cost.usd': entry.cost.modelMicroUsd / 1e6,
    'thinplane.lag.stage': entry.lag.stage,
    'thinplane.lag.place': entry.lag.place,
  }
}

function stageSpan(entry: Entry, parent: string, stage: StageTime): OtlpSpan {
  return {
    traceId: entry.traceId,
    spanId: randomHex(8),
    parentSpanId: parent,
    name: stage.stage,
    kind: INTERNAL,
    ...times(entry.atEpochMs + stage.startMs, stage.ms),
    attributes: attributes({ 'thinplane.place': stage.place }),
    status: { code: STATUS_UNSET },
  }
}

function crossingSpan(entry: Entry, parent: string, crossing: Crossing): OtlpSpan {
  const [cloud = '', region = ''] = crossing.to.split(':')
  return {
    traceId: entry.traceId,
    spanId: crossing.spanId,
    parentSpanId: parent,
    name: `crossing ${crossing.layer}`,
    kind: CLIENT,
    ...times(crossing.atEpochMs, crossing.ms),
    attributes: attributes({
      'server.address': crossing.host,
      'http.response.status_code': crossing.status,
      'cloud.provider': cloud,
      'cloud.region': region,
      'thinplane.crossing.from': crossing.from,
      'thinplane.crossing.bytes_out': crossing.bytesOut,
      'thinplane.crossing.bytes_in': crossing.bytesIn,
      'thinplane.crossing.egress_usd': crossing.egressMicroUsd / 1e6,
      ...(crossing.error === '' ? {} : { 'error.type': crossing.error }),
    }),
    status: { code: crossing.error === '' ? STATUS_UNSET : STATUS_ERROR },
  }
}

type Facts = Readonly<Record<string, string | number | boolean>>

function attributes(facts: Facts): OtlpAttribute[] {
  return Object.entries(facts).map(([key, value]) => {
    if (typeof value === 'string') return { key, value: { stringValue: value } }
    if (typeof value === 'boolean') return { key, value: { boolValue: value } }
    return DOUBLES.has(key) || !Number.isInteger(value)
      ? { key, value: { doubleValue: value } }
      : { key, value: { intValue: String(value) } }
  })
}

/** Nanoseconds as text: they do not fit into a double. */
function times(
  startEpochMs: number,
  ms: number,
): { readonly startTimeUnixNano: string; readonly endTimeUnixNano: string } {
  const start = BigInt(Math.round(startEpochMs * 1000)) * 1000n
  return { startTimeUnixNano: String(start), endTimeUnixNano: String(start + BigInt(Math.round(ms * 1000)) * 1000n) }
}
