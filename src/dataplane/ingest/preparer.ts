import type { Serializable } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { z } from 'zod'
import type { Fate } from './manifest.ts'
import type { PreparedPart } from './prepare.ts'
import type { DocumentInput } from '#dataplane/parse/source.ts'
import { ProcessLane, ProcessLaneError } from '#dataplane/process-lane.ts'
import type { ProcessLaneLimits } from '#dataplane/process-lane.ts'

/** The document gives no passages, or no further ones; the note says why and what to change, never what it holds. */
export class PrepareFailure extends Error {
  readonly fate: Exclude<Fate, 'indexed' | 'pending' | 'deleted'>
  readonly note: string

  constructor(fate: Exclude<Fate, 'indexed' | 'pending' | 'deleted'>, note: string, cause?: unknown) {
    super(note, cause === undefined ? undefined : { cause })
    this.name = 'PrepareFailure'
    this.fate = fate
    this.note = note
  }
}

export interface Preparer {
  /**
   * Parts of a document in order, made as they are asked for, at most one ahead. Documents beyond the number of
   * workers wait for each other. Left early, or aborted, the work on the document ends.
   *
   * @throws {PrepareFailure} when the document can not be read; parts may have been given out before.
   * @throws the reason of the signal when it is aborted, and an error for a package that is missing.
   */
  prepare(input: DocumentInput, signal?: AbortSignal): AsyncGenerator<PreparedPart>
  /** Gives back the memory of workers that have nothing to do; they end by themselves after ten seconds. */
  rest(): Promise<void>
  /** Ends the workers; documents that are being prepared, or wait, are rejected. */
  close(): Promise<void>
}

export interface PreparerLimits {
  /** Worker processes. Default two, or one where there is a single core: the model that embeds needs the rest. */
  readonly workers?: number
  /** For one part, and so for a document that must be read whole. Default 60 seconds. */
  readonly partTimeoutMs?: number
  /** Heap of a worker, in megabytes. Default 1024. */
  readonly maxHeapMb?: number
  /** All the memory of a worker, in megabytes. Default 1536. */
  readonly maxResidentMb?: number
}

const MAX_WORKERS = 2
const PART_TIMEOUT_MS = 60_000
/** A file that takes more memory ends the worker, not the agent: what JavaScript holds, and all of it. */
const MAX_HEAP_MB = 1024
const MAX_RESIDENT_MB = 1536
/** An idle worker holds some 100 MB. */
const IDLE_MS = 10_000
/** A part that was begun may be finished; after this the worker is ended instead. */
const STOP_GRACE_MS = 500

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
  record: z.number(),
  lastRecord: z.number(),
  start: z.number(),
  end: z.number(),
  findings: z.array(Finding),
})

const Reply = z.union([
  z.object({ part: z.object({ title: z.string(), passages: z.array(Passage) }) }),
  z.object({ end: z.literal(true) }),
  z.object({
    failure: z.enum(['corrupt', 'encrypted', 'unsupported', 'too-large', 'empty', 'unreadable', 'other']),
    message: z.string(),
  }),
])

/** Parses, splits and screens in worker processes that start when they are needed. */
export function createPreparer(limits: PreparerLimits = {}): Preparer {
  return new WorkerPreparer(limits)
}

class WorkerPreparer implements Preparer {
  readonly #maxWorkers: number
  readonly #timeoutMs: number
  readonly #laneLimits: ProcessLaneLimits
  readonly #lanes = new Set<ProcessLane>()
  readonly #idle: ProcessLane[] = []
  readonly #waiting: PromiseWithResolvers<ProcessLane>[] = []
  #idleTimer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor({ workers, partTimeoutMs, maxHeapMb, maxResidentMb }: PreparerLimits) {
    this.#maxWorkers = workers ?? Math.min(MAX_WORKERS, availableParallelism())
    this.#timeoutMs = partTimeoutMs ?? PART_TIMEOUT_MS
    this.#laneLimits = { maxHeapMb: maxHeapMb ?? MAX_HEAP_MB, maxResidentMb: maxResidentMb ?? MAX_RESIDENT_MB }
  }

  async *prepare(input: DocumentInput, signal?: AbortSignal): AsyncGenerator<PreparedPart> {
    const lane = await this.#acquire(signal)
    const call = async (message: Serializable) => Reply.parse(await lane.call(message, this.#timeoutMs))
    let pending: ReturnType<typeof call> | undefined
    try {
      pending = call({ open: input })
      for (;;) {
        const part = partOf(await untilAborted(pending, signal))
        pending = undefined
        if (part === undefined) return
        // One part ahead: the worker goes on while this one is embedded.
        pending = call({ next: true })
        // A failure is told when its part is asked for.
        pending.catch(() => undefined)
        yield part
        signal?.throwIfAborted()
      }
    } catch (error) {
      throw error instanceof ProcessLaneError && !this.#isClosed ? this.#failureOf(error) : error
    } finally {
      if (pending !== undefined) await this.#stop(lane, pending)
      this.#release(lane)
    }
  }

  async rest(): Promise<void> {
    clearTimeout(this.#idleTimer)
    await Promise.all(
      this.#idle.splice(0).map(async (lane) => {
        this.#lanes.delete(lane)
        await lane.close()
      }),
    )
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#idleTimer)
    for (const { reject } of this.#waiting.splice(0)) reject(closedError())
    await Promise.all(Array.from(this.#lanes, async (lane) => await lane.close()))
    this.#lanes.clear()
    this.#idle.length = 0
  }

  async #acquire(signal: AbortSignal | undefined): Promise<ProcessLane> {
    signal?.throwIfAborted()
    if (this.#isClosed) throw closedError()
    clearTimeout(this.#idleTimer)
    const lane = this.#idle.pop() ?? this.#grow()
    if (lane !== undefined) return lane
    const turn = Promise.withResolvers<ProcessLane>()
    this.#waiting.push(turn)
    try {
      return await untilAborted(turn.promise, signal)
    } catch (error) {
      const at = this.#waiting.indexOf(turn)
      if (at !== -1) this.#waiting.splice(at, 1)
      // It may have been given in the same moment.
      else void turn.promise.then((given) => this.#release(given)).catch(() => undefined)
      throw error
    }
  }

  #grow(): ProcessLane | undefined {
    if (this.#lanes.size >= this.#maxWorkers) return undefined
    const lane = new ProcessLane(new URL('./prepare-worker.ts', import.meta.url), this.#laneLimits)
    this.#lanes.add(lane)
    return lane
  }

  #release(lane: ProcessLane): void {
    if (!this.#lanes.has(lane)) return
    const next = this.#waiting.shift()
    if (next !== undefined) {
      next.resolve(lane)
      return
    }
    this.#idle.push(lane)
    clearTimeout(this.#idleTimer)
    this.#idleTimer = globalThis.setTimeout(() => void this.rest(), IDLE_MS).unref()
  }

  /** Lets the worker go of its document; ends it when it is too busy to hear. */
  async #stop(lane: ProcessLane, pending: Promise<unknown>): Promise<void> {
    const grace = new AbortController()
    const isHeard = await Promise.race([
      pending.then(
        () => true,
        () => false,
      ),
      setTimeout(STOP_GRACE_MS, false, { signal: grace.signal }).catch(() => false),
    ])
    grace.abort()
    try {
      if (isHeard) await lane.call({ stop: true }, STOP_GRACE_MS)
      else await lane.close()
    } catch {
      // It was ended, and the next document gets a new one.
    }
    await pending.catch(() => undefined)
  }

  #failureOf(error: ProcessLaneError): PrepareFailure {
    switch (error.reason) {
      case 'timed-out':
        return new PrepareFailure('too-slow', `it took longer than ${this.#timeoutMs / 1000} seconds to read`, error)
      case 'out-of-memory':
        return new PrepareFailure('too-large', 'it takes more memory to read than one document may', error)
      case 'died':
        return new PrepareFailure('corrupt', 'it ended the process that read it: it is broken', error)
    }
  }
}

function partOf(reply: z.infer<typeof Reply>): PreparedPart | undefined {
  if ('part' in reply) return reply.part
  if ('end' in reply) return undefined
  // A missing package, or a bug, would mark every document as broken: it must stop the ingest instead.
  if (reply.failure === 'other') throw new Error(reply.message)
  throw new PrepareFailure(reply.failure, reply.message)
}

function closedError(): Error {
  return new Error('the preparer was closed')
}

async function untilAborted<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return await promise
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
