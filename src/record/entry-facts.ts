import { asRecord, asText, parseJson } from '#kit/json.ts'

/** What of an entry is searched for, whatever class of event it is. The one place that knows where it stands in the JSON. */
export interface EntryFacts {
  /** Id of the event: that of the request, where it is one. */
  readonly id: string
  /** Epoch milliseconds. */
  readonly timeMs: number
  readonly subject: string
  readonly tenant: string
  readonly alias: string
  readonly target: string
  readonly outcome: string
  readonly code: string
  /** When databases have to forget the entry, epoch milliseconds; 0: never. */
  readonly forgetMs: number
}

const DAY_MS = 86_400_000

/** Facts of one entry; empty ones where it has none. */
export function factsOf(json: string): EntryFacts {
  const event = asRecord(parseJson(json)) ?? {}
  const metadata = asRecord(event['metadata'])
  const own = asRecord(event['unmapped'])
  const user = asRecord(asRecord(event['actor'])?.['user']) ?? asRecord(event['user'])
  const service = asRecord(asRecord(event['message_context'])?.['service'])
  const days = asRecord(own?.['policy'])?.['retentionDays']
  const time = event['time']
  const timeMs = typeof time === 'number' && Number.isFinite(time) ? time : 0
  return {
    id: asText(metadata?.['uid']) ?? '',
    timeMs,
    subject: asText(user?.['uid']) ?? asText(user?.['name']) ?? '',
    tenant: asText(metadata?.['tenant_uid']) ?? '',
    alias: asText(own?.['alias']) ?? '',
    target: event['ai_model'] === undefined ? '' : (asText(service?.['name']) ?? ''),
    outcome: asText(own?.['outcome']) ?? '',
    code: asText(asRecord(asRecord(event['api'])?.['response'])?.['error']) ?? asText(own?.['action']) ?? '',
    forgetMs: typeof days === 'number' && Number.isFinite(days) ? timeMs + days * DAY_MS : 0,
  }
}
