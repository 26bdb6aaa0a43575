import type { Crossing } from '#contract/crossing.ts'
import type { Entry } from '#contract/entry.ts'
import { Metrics } from './metrics.ts'

/** Seconds; the GenAI conventions' own boundaries for durations. */
const SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
const STAGE_SECONDS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

const BUCKETS = ['input', 'cachedRead', 'cachedWrite', 'output', 'reasoning'] as const

export interface GatewayMetrics {
  readonly entry: (entry: Entry) => void
  readonly crossing: (crossing: Crossing) => void
  readonly show: () => string
}

export interface Gauges {
  readonly inFlight: () => number
  readonly auditEntries: () => number
  /** Entries that the last checkpoint covers. */
  readonly auditSigned: () => number
  /** Entries that the last checkpoint with enough cosignatures covers. */
  readonly auditCosigned: () => number
  /** Witnesses by name, with the seconds since each cosigned last. */
  readonly witnessAges: () => readonly (readonly [name: string, seconds: number])[]
  /** The store of limits by its kind: 1 when it answers, 0 when it is lost; none without limits. */
  readonly limitStores: () => readonly (readonly [store: string, answers: number])[]
  /** Where copies of the log go, with the entries that have arrived there. */
  readonly auditShipped: () => readonly (readonly [sink: string, entries: number])[]
}

/** Every series of the gateway, fed from audit entries and crossings: what is counted is what is recorded. */
export function createGatewayMetrics(gauges: Gauges): GatewayMetrics {
  const metrics = new Metrics()
  const requests = metrics.counter('thinplane_requests_total', 'Requests by alias, target, outcome and refusal code.', [
    'alias',
    'target',
    'outcome',
    'code',
  ])
  const duration = metrics.histogram(
    'thinplane_request_duration_seconds',
    'From arrival to the end of the answer.',
    ['alias'],
    SECONDS,
  )
  const firstContent = metrics.histogram(
    'thinplane_time_to_first_content_seconds',
    'From arrival to the first content of the answer.',
    ['alias', 'target'],
    SECONDS,
  )
  const stages = metrics.histogram(
    'thinplane_stage_duration_seconds',
    'Time in each stage of the journey.',
    ['stage'],
    STAGE_SECONDS,
  )
  const tokens = metrics.counter('thinplane_tokens_total', 'Tokens by target and bucket; no token is in two buckets.', [
    'target',
    'bucket',
  ])
  const modelUsd = metrics.counter('thinplane_model_usd_total', 'Model cost by target, at the configured prices.', [
    'target',
  ])
  const safetyUsd = metrics.counter(
    'thinplane_safety_usd_total',
    'What managed checks cost, at list prices, by when the profile asks them.',
    ['mode'],
  )
  const safetySavedUsd = metrics.counter(
    'thinplane_safety_saved_usd_total',
    'What they did not cost, since a text was known or not to be asked about.',
    ['mode'],
  )
  const imageBytes = metrics.counter(
    'thinplane_image_bytes_total',
    'Bytes of images as callers sent them, and as they left.',
    ['side'],
  )
  const egressUsd = metrics.counter(
    'thinplane_egress_usd_total',
    'Egress cost by crossing, at the list price of its source region.',
    ['from', 'to'],
  )
  const findings = metrics.counter(
    'thinplane_guard_findings_total',
    'What the guard found, by type, action and place.',
    ['type', 'action', 'where'],
  )
  const crossings = metrics.counter(
    'thinplane_crossings_total',
    'Calls that left for another cloud, by layer, destination and outcome.',
    ['layer', 'to', 'status', 'error'],
  )
  const bytes = metrics.counter(
    'thinplane_crossing_bytes_total',
    'Bytes over the border by layer, destination and direction.',
    ['layer', 'to', 'direction'],
  )
  const crossingSeconds = metrics.histogram(
    'thinplane_crossing_duration_seconds',
    'Calls that left for another cloud, to the end of their answer.',
    ['layer', 'to'],
    SECONDS,
  )
  const routes = metrics.counter(
    'thinplane_route_decisions_total',
    'How answers came about: first choice, detour, hold, hedge, fallback, cached or shared.',
    ['alias', 'kind'],
  )
  const attempts = metrics.counter('thinplane_attempts_total', 'Attempts at targets by outcome.', ['target', 'error'])
  metrics.gauge('thinplane_requests_in_flight', 'Requests that are open now.', gauges.inFlight)
  metrics.gauge('thinplane_audit_entries', 'Entries in the audit trail of this process.', gauges.auditEntries)
  metrics.gauge('thinplane_audit_signed_entries', 'Entries that the last signed checkpoint covers.', gauges.auditSigned)
  metrics.gauge(
    'thinplane_audit_cosigned_entries',
    'Entries that the last checkpoint with enough cosignatures covers.',
    gauges.auditCosigned,
  )
  metrics.gauges(
    'thinplane_audit_witness_age_seconds',
    'Since each witness cosigned last; absent before its first cosignature.',
    'witness',
    gauges.witnessAges,
  )
  metrics.gauges(
    'thinplane_audit_shipped_entries',
    'Entries that have arrived where copies of the trail go.',
    'sink',
    gauges.auditShipped,
  )
  metrics.gauges(
    'thinplane_limit_store_up',
    'Whether the store of limits answers; absent without limits.',
    'store',
    gauges.limitStores,
  )
  metrics.gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss())
  return {
    entry(entry) {
      const { target } = entry
      // An alias that was not permitted may be any text of a caller's: no series is made of it.
      const alias = entry.policy.policies.length > 0 ? entry.alias : ''
      requests.add(1, alias, target, entry.outcome, entry.code)
      duration.observe(entry.ms / 1000, alias)
      if (entry.firstContentMs >= 0) firstContent.observe(entry.firstContentMs / 1000, alias, target)
      for (const { stage, ms } of entry.stages) stages.observe(ms / 1000, stage)
      for (const { type, action, where, count } of entry.findings) findings.add(count, type, action, where)
      if (entry.route !== undefined) routes.add(1, alias, entry.route.kind)
      for (const attempt of entry.attempts) attempts.add(1, attempt.target, attempt.error)
      if (entry.images !== undefined) {
        imageBytes.add(entry.images.bytesIn, 'received')
        imageBytes.add(entry.images.bytesOut, 'sent')
      }
      if (entry.safety.microUsd > 0) safetyUsd.add(entry.safety.microUsd / 1e6, entry.safety.mode)
      if (entry.safety.savedMicroUsd > 0) safetySavedUsd.add(entry.safety.savedMicroUsd / 1e6, entry.safety.mode)
      if (target === '') return
      for (const bucket of BUCKETS) if (entry.usage[bucket] > 0) tokens.add(entry.usage[bucket], target, bucket)
      modelUsd.add(entry.cost.modelMicroUsd / 1e6, target)
    },
    crossing(crossing) {
      const { layer, from, to } = crossing
      crossings.add(1, layer, to, String(crossing.status), crossing.error)
      bytes.add(crossing.bytesOut, layer, to, 'out')
      bytes.add(crossing.bytesIn, layer, to, 'in')
      crossingSeconds.observe(crossing.ms / 1000, layer, to)
      egressUsd.add(crossing.egressMicroUsd / 1e6, from, to)
    },
    show: () => metrics.show(),
  }
}
