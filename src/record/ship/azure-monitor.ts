import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type Credential, type Cross, type Trip } from '#contract/crossing.ts'
import type { Place } from '#contract/place.ts'
import { asRecord, asText, parseJson } from '#kit/json.ts'
import { factsOf } from '#record/entry-facts.ts'
import type { Shipped } from './follow.ts'
import { outcomeOf } from './outcome.ts'
import type { Sink } from './shipper.ts'

export interface AzureMonitorOptions {
  /** Logs ingestion endpoint of the data collection rule or endpoint. */
  readonly endpoint: string
  /** Immutable id of the data collection rule: `dcr-` and 32 hex digits. */
  readonly ruleId: string
  /** Name of the stream, such as `Custom-ThinplaneAudit`. */
  readonly stream: string
  readonly place: Place
  /** A token for `https://monitor.azure.com`. */
  readonly credential: Credential
}

const API_VERSION = '2023-01-01'
/** The Logs Ingestion API takes 1 MB a call, compressed and uncompressed; columns and commas need room beside the JSON. */
const MAX_CALL_BYTES = 1_000_000
const MAX_BATCH_BYTES = 700_000
/** It cuts a field at 64 KB; an event beyond this is left out rather than cut, its hash says which it is. */
const MAX_EVENT_BYTES = 60_000
const compressed = promisify(gzip)

/** Azure Monitor, by the Logs Ingestion API. */
export function azureMonitor(options: AzureMonitorOptions, cross: Cross, trip: () => Trip): Sink {
  const { endpoint, ruleId, stream, place, credential } = options
  const url = `${endpoint}/dataCollectionRules/${ruleId}/streams/${encodeURIComponent(stream)}?api-version=${API_VERSION}`
  return {
    name: 'azure-monitor',
    maxBatchBytes: MAX_BATCH_BYTES,
    send: async (batch) => {
      const text = JSON.stringify(batch.map(rowOf))
      if (batch.length > 1 && Buffer.byteLength(text) > MAX_CALL_BYTES)
        return { outcome: 'too-large', problem: 'over 1 MB uncompressed' }
      const bytes = await compressed(text)
      return outcomeOf(
        () =>
          cross(trip(), {
            layer: 'archive',
            to: place,
            method: 'POST',
            url,
            headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
            bytes,
            credential,
            connectMs: 5000,
            firstByteMs: 30_000,
            idleMs: 10_000,
            totalMs: 60_000,
            maxAnswerBytes: 65_536,
          }),
        new Set([204]),
      )
    },
  }
}

/** One row: columns to search by, and the event as it stands. `TenantId` and `Type` are names of the service's own. */
function rowOf({ index, hash, json }: Shipped): object {
  const facts = factsOf(json)
  const event = asRecord(parseJson(json))
  const isWhole = Buffer.byteLength(json) <= MAX_EVENT_BYTES
  return {
    TimeGenerated: new Date(facts.timeMs).toISOString(),
    EventId: facts.id,
    LogIndex: index,
    LeafHash: hash,
    ClassUid: event?.['class_uid'] ?? 0,
    ActorOid: facts.subject,
    ActorTid: facts.tenant,
    Alias: facts.alias,
    Target: facts.target,
    Outcome: facts.outcome,
    Code: facts.code,
    TraceUid: asText(asRecord(event?.['trace'])?.['uid']) ?? '',
    Event: isWhole ? event : null,
  }
}
