import type { Entry } from '#contract/entry.ts'
import { spansOf } from './trace.ts'

export interface OtlpOptions {
  /** Sends one request body; resolves to the answer's status. */
  readonly send: (body: string) => Promise<number>
  readonly serviceName: string
  readonly cloud: string
  readonly region: string
  /** Milliseconds between exports. Default 2,000. */
  readonly everyMs?: number
}

export interface OtlpExporter {
  push(entry: Entry): void
  /** Entries whose trace was not kept because the queue was full or the collector refused. */
  readonly dropped: number
  close(): Promise<void>
}

/** Entries that wait for export; beyond it they are dropped and counted: telemetry never costs a request. */
const MAX_QUEUE = 2048
const MAX_BATCH = 128
const TRIES = 3

/** Exports traces by OTLP/HTTP in JSON, in batches, behind the requests' backs. */
export function createOtlpExporter(options: OtlpOptions): OtlpExporter {
  // Rendered when they are pushed: text dies cheaply, an entry kept for seconds does not.
  const queue: string[] = []
  const state = { dropped: 0 }
  let flushing: Promise<void> | undefined

  const flush = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = queue.splice(0, MAX_BATCH)
      if (!(await sendWithRetries(options, bodyOf(options, batch)))) state.dropped += batch.length
    }
  }
  const kick = (): void => {
    flushing ??= flush().finally(() => {
      flushing = undefined
    })
  }
  const timer = setInterval(kick, options.everyMs ?? 2000)
  timer.unref()
  return {
    push(entry) {
      if (queue.length >= MAX_QUEUE) state.dropped += 1
      else queue.push(spansOf(entry))
      if (queue.length >= MAX_BATCH) kick()
    },
    get dropped() {
      return state.dropped
    },
    async close() {
      clearInterval(timer)
      kick()
      await flushing
    },
  }
}

async function sendWithRetries({ send }: OtlpOptions, body: string): Promise<boolean> {
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    try {
      const status = await send(body)
      if (status < 300) return true
      if (status !== 429 && status < 500) return false
    } catch {
      // The collector is away: the next try is the answer, and the count when there is none left.
    }
    if (attempt < TRIES) await new Promise((resolve) => setTimeout(resolve, 200 * attempt))
  }
  return false
}

function bodyOf({ serviceName, cloud, region }: OtlpOptions, traces: readonly string[]): string {
  const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } })
  const resource = JSON.stringify({
    attributes: [
      attribute('service.name', serviceName),
      attribute('cloud.provider', cloud),
      attribute('cloud.region', region),
    ],
  })
  return `{"resourceSpans":[{"resource":${resource},"scopeSpans":[{"scope":{"name":"thinplane"},"spans":[${traces.join(',')}]}]}]}`
}
