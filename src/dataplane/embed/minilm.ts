import { Lru } from '#kit/lru.ts'
import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { WorkerLane } from '#dataplane/worker-lane.ts'
import { EmbedError } from './embedder.ts'
import type { Embedder } from './embedder.ts'

/**
 * Of 97 times that a question about nothing (football, cakes, random letters) was put to one of the two corpora of this
 * repository, 86 stay below it; most of the others come near what the corpora are about (flights, presses, cranes, mercury).
 * Of 119 queries of the evaluation corpus that have an answer, none does.
 */
const FLOOR = 0.27
const QUERY_CACHE_ENTRIES = 1000
/** Loading the weights takes about two seconds on two busy cores. */
const TIMEOUT_MS = 60_000
/** One model takes about 200 MB; more workers than this do not pay. */
const MAX_WORKERS = 3
/** More texts than this waiting for each worker: one more worker. */
const TEXTS_PER_WORKER = 4
/** After a bulk job all workers but one are ended. */
const IDLE_MS = 2000

const Reply = z.union([z.object({ vector: z.instanceof(Float32Array) }), z.object({ failure: z.string() })])

interface Job {
  readonly text: string
  readonly done: PromiseWithResolvers<Float32Array>
}

/**
 * MiniLM (all-MiniLM-L6-v2, 384 dimensions, English, the first 256 tokens of a text) on worker threads.
 * One text blocks its thread for 40 ms (a question) to 200 ms (a passage), so it never runs on the thread
 * that answers requests.
 */
export function createMiniLmEmbedder(floor = FLOOR): Embedder {
  return new MiniLmEmbedder(floor)
}

class MiniLmEmbedder implements Embedder {
  readonly model = 'minilm-l6-v2-fp16'
  readonly dimensions = 384
  readonly floor: number
  readonly #queries = new Lru<string, Promise<Float32Array>>(QUERY_CACHE_ENTRIES)
  readonly #urgent: Job[] = []
  readonly #bulk: Job[] = []
  readonly #idle: WorkerLane[] = []
  readonly #lanes = new Set<WorkerLane>()
  readonly #maxLanes = Math.min(MAX_WORKERS, availableParallelism())
  #shrink: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(floor: number) {
    this.floor = floor
  }

  async embed(texts: readonly string[]): Promise<Float32Array[]> {
    return await Promise.all(texts.map(async (text) => await this.#enqueue(this.#bulk, text)))
  }

  async embedQuery(text: string): Promise<Float32Array> {
    const cached = this.#queries.get(text)
    if (cached !== undefined) return await cached
    const vector = this.#enqueue(this.#urgent, text)
    this.#queries.set(text, vector)
    // A failure must not be remembered.
    vector.catch(() => this.#queries.delete(text))
    return await vector
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#shrink)
    for (const { done } of [...this.#urgent.splice(0), ...this.#bulk.splice(0)]) {
      done.reject(new EmbedError('the embedder was closed'))
    }
    await Promise.all(Array.from(this.#lanes, async (lane) => await lane.close()))
    this.#lanes.clear()
    this.#idle.length = 0
  }

  #enqueue(queue: Job[], text: string): Promise<Float32Array> {
    if (this.#isClosed) return Promise.reject(new EmbedError('the embedder was closed'))
    const job: Job = { text, done: Promise.withResolvers<Float32Array>() }
    queue.push(job)
    this.#pump()
    return job.done.promise
  }

  #pump(): void {
    clearTimeout(this.#shrink)
    for (let waiting = this.#waiting(); waiting > 0; waiting = this.#waiting()) {
      const lane = this.#idle.pop() ?? this.#grow(waiting)
      const job = lane === undefined ? undefined : (this.#urgent.shift() ?? this.#bulk.shift())
      if (lane === undefined || job === undefined) return
      void this.#run(lane, job)
    }
    if (this.#lanes.size > 1) this.#shrink = setTimeout(() => this.#endSpare(), IDLE_MS).unref()
  }

  #waiting(): number {
    return this.#urgent.length + this.#bulk.length
  }

  #grow(waiting: number): WorkerLane | undefined {
    const isWorthIt = this.#lanes.size === 0 || waiting > this.#lanes.size * TEXTS_PER_WORKER
    if (!isWorthIt || this.#lanes.size >= this.#maxLanes) return undefined
    const lane = new WorkerLane(new URL('./minilm-worker.ts', import.meta.url))
    this.#lanes.add(lane)
    return lane
  }

  #endSpare(): void {
    while (this.#lanes.size > 1) {
      const lane = this.#idle.pop()
      if (lane === undefined) return
      this.#lanes.delete(lane)
      void lane.close()
    }
  }

  async #run(lane: WorkerLane, job: Job): Promise<void> {
    try {
      const reply = Reply.parse(await lane.call({ text: job.text }, TIMEOUT_MS))
      if ('vector' in reply) job.done.resolve(reply.vector)
      else job.done.reject(new EmbedError(reply.failure))
    } catch (error) {
      job.done.reject(new EmbedError('the embedding worker failed', error))
    }
    if (!this.#lanes.has(lane)) return
    this.#idle.push(lane)
    this.#pump()
  }
}
