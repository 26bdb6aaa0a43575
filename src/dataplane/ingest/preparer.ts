import { z } from 'zod'
import type { Fate } from './manifest.ts'
import type { PreparedDocument } from './prepare.ts'
import { readFile } from 'node:fs/promises'
import type { Finding as FindingType } from '#contract/screened.ts'
import type { DocumentInput } from '#dataplane/parse/input.ts'
import { WorkerLane, WorkerLaneError } from '#dataplane/worker-lane.ts'

/** Why a document gives no passages. */
export class PrepareFailure extends Error {
  readonly fate: Exclude<Fate, 'indexed' | 'pending' | 'deleted'>
  readonly note: string

  constructor(fate: Exclude<Fate, 'indexed' | 'pending' | 'deleted'>, note: string) {
    super(note)
    this.name = 'PrepareFailure'
    this.fate = fate
    this.note = note
  }
}

/** A document ready for the index, or why there is none. */
type Prepared =
  | { readonly document: PreparedDocument }
  | { readonly fate: Exclude<Fate, 'indexed' | 'empty' | 'too-large' | 'pending' | 'deleted'>; readonly note: string }

export interface PreparedPart {
  readonly title: string
  readonly passages: readonly {
    readonly text: string
    readonly heading: string
    readonly page: number
    readonly record: number
    readonly start: number
    readonly end: number
    readonly findings: readonly FindingType[]
  }[]
}

export interface Preparer {
  /** Parts in order. @throws {PrepareFailure} */
  prepare(input: DocumentInput, signal?: AbortSignal): AsyncIterable<PreparedPart>
  /** Gives the worker's memory back; the next call starts a new one. */
  rest(): Promise<void>
  /** Calls that wait are rejected. */
  close(): Promise<void>
}

/** A file that takes longer is given up. */
const TIMEOUT_MS = 60_000
/** A file that takes more memory kills the worker, not the agent. */
const MAX_HEAP_MB = 1024

const Finding = z.object({
  type: z.string(),
  start: z.number(),
  end: z.number(),
  score: z.number(),
  detector: z.string(),
})

const Passage = z.object({
  text: z.string(),
  heading: z.string(),
  page: z.number(),
  start: z.number(),
  end: z.number(),
  findings: z.array(Finding),
})

const Reply = z.union([
  z.object({ document: z.object({ title: z.string(), passages: z.array(Passage) }) }),
  z.object({ failure: z.enum(['corrupt', 'encrypted', 'unsupported', 'other']), message: z.string() }),
])

/** Parses, splits and screens on a worker thread. */
export function createPreparer(): Preparer {
  const lane = new WorkerLane(new URL('./prepare-worker.ts', import.meta.url), {
    maxOldGenerationSizeMb: MAX_HEAP_MB,
  })
  let last: Promise<unknown> = Promise.resolve()
  let isClosed = false

  async function prepareNow(document: string, bytes: Uint8Array<ArrayBuffer>): Promise<Prepared> {
    if (isClosed) throw new Error('the preparer was closed')
    try {
      const reply = Reply.parse(await lane.call({ document, bytes }, TIMEOUT_MS))
      if ('document' in reply) return reply
      // A missing package, or a bug, would mark every document as broken: it must stop the ingest instead.
      if (reply.failure === 'other') throw new Error(reply.message)
      return { fate: reply.failure, note: reply.message }
    } catch (error) {
      // A document is not broken because the agent stops.
      if (!(error instanceof WorkerLaneError) || isClosed) throw error
      if (error.timedOut) return { fate: 'too-slow', note: `it took longer than ${TIMEOUT_MS / 1000} seconds to read` }
      return { fate: 'corrupt', note: 'it could not be read within the memory that one document may take' }
    }
  }

  return {
    async *prepare(input) {
      const bytes = 'bytes' in input ? input.bytes : new Uint8Array(await readFile(input.path))
      const turn = last.then(async () => await prepareNow(input.name, bytes))
      last = turn.catch(() => undefined)
      const done = await turn
      if ('fate' in done) throw new PrepareFailure(done.fate, done.note)
      yield { ...done.document, passages: done.document.passages.map((each) => ({ ...each, record: 0 })) }
    },
    async rest() {
      last = last.then(async () => await lane.close())
      await last
    },
    async close() {
      isClosed = true
      await lane.close()
    },
  }
}
