import type { Crossing } from '#contract/crossing.ts'
import type { Entry, StageTime } from '#contract/entry.ts'
import { randomHex } from '#kit/random-hex.ts'

const INTERNAL = 1
const SERVER = 2
const CLIENT = 3

/** Attributes whose type is double by the conventions, also when their value is a whole number. */
const DOUBLES = new Set(['gen_ai.response.time_to_first_chunk', 'thinplane.crossing.egress_usd', 'thinplane.cost.usd'])

interface Span {
  readonly traceId: string
  readonly spanId: string
  /** Empty for the root. */
  readonly parentSpanId: string
  readonly name: string
  readonly kind: number
  readonly startEpochMs: number
  readonly ms: number
  readonly isError: boolean
  readonly facts: Facts
}

type Facts = Readonly<Record<string, string | number | boolean>>

/**
 * The trace of one request in OTLP's JSON, made at its end from what was recorded: a root span, one span a stage, one
 * a crossing, separated by commas. Put together as text: an object for each attribute would cost several times as much.
 * A block by policy or guard is the plane doing its work, so it is not an error.
 */
export function spansOf(entry: Entry): string {
  const rootId = entry.id.slice(-16)
  const parts: string[] = []
  writeSpan(parts, rootSpan(entry, rootId))
  for (const stage of entry.stages) writeSpan(parts, stageSpan(entry, rootId, stage))
  for (const stage of entry.remote) writeSpan(parts, stageSpan(entry, rootId, stage))
  for (const crossing of entry.crossings) writeSpan(parts, crossingSpan(entry, rootId, crossing))
  return parts.join('')
}

function rootSpan(entry: Entry, spanId: string): Span {
  return {
    traceId: entry.traceId,
    spanId,
    parentSpanId: '',
    name: `chat ${entry.alias}`.trim(),
    kind: SERVER,
    startEpochMs: entry.atEpochMs,
    ms: entry.ms,
    isError: entry.outcome === 'failed',
    facts: {
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
    },
  }
}

function stageSpan(entry: Entry, parentSpanId: string, stage: StageTime): Span {
  return {
    traceId: entry.traceId,
    spanId: randomHex(8),
    parentSpanId,
    name: stage.stage,
    kind: INTERNAL,
    startEpochMs: entry.atEpochMs + stage.startMs,
    ms: stage.ms,
    isError: false,
    facts: { 'thinplane.place': stage.place },
  }
}

function crossingSpan(entry: Entry, parentSpanId: string, crossing: Crossing): Span {
  const [cloud = '', region = ''] = crossing.to.split(':')
  return {
    traceId: entry.traceId,
    spanId: crossing.spanId,
    parentSpanId,
    name: `crossing ${crossing.layer}`,
    kind: CLIENT,
    startEpochMs: crossing.atEpochMs,
    ms: crossing.ms,
    isError: crossing.error !== '',
    facts: {
      'server.address': crossing.host,
      'http.response.status_code': crossing.status,
      'cloud.provider': cloud,
      'cloud.region': region,
      'thinplane.crossing.from': crossing.from,
      'thinplane.crossing.bytes_out': crossing.bytesOut,
      'thinplane.crossing.bytes_in': crossing.bytesIn,
      'thinplane.crossing.egress_usd': crossing.egressMicroUsd / 1e6,
      ...(crossing.error === '' ? {} : { 'error.type': crossing.error }),
    },
  }
}

/** One flat text in the end: adding strings up would leave a tree of them, to be flattened later at a multiple. */
function writeSpan(parts: string[], span: Span): void {
  const { traceId, spanId, parentSpanId, name, kind, startEpochMs, ms, isError, facts } = span
  parts.push(
    parts.length === 0 ? '{"traceId":"' : ',{"traceId":"',
    traceId,
    '","spanId":"',
    spanId,
    '","parentSpanId":"',
    parentSpanId,
  )
  parts.push('","name":', JSON.stringify(name), ',"kind":', String(kind), ',"startTimeUnixNano":"', nanos(startEpochMs))
  parts.push('","endTimeUnixNano":"', nanos(startEpochMs + ms), '","attributes":[')
  let comma = '{"key":"'
  for (const key in facts) {
    parts.push(comma, key, '","value":', valueText(key, facts[key] ?? ''))
    comma = '},{"key":"'
  }
  parts.push(isError ? '}],"status":{"code":2}}' : '}],"status":{"code":0}}')
}

function valueText(key: string, value: string | number | boolean): string {
  if (typeof value === 'string') return `{"stringValue":${JSON.stringify(value)}}`
  if (typeof value === 'boolean') return `{"boolValue":${value}}`
  return DOUBLES.has(key) || !Number.isInteger(value) ? `{"doubleValue":${value}}` : `{"intValue":"${value}"}`
}

/** Nanoseconds as text: they do not fit into a double, microseconds do. */
function nanos(epochMs: number): string {
  return `${Math.round(epochMs * 1000)}000`
}
