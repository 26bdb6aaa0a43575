import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Aws } from '#dataplane/aws/aws.ts'
import type { SourceChange } from '#dataplane/sources/source.ts'
import { chooseShards } from './balance.ts'
import type { EventFields } from './event.ts'
import { openLeases } from './leases.ts'
import type { Lease, LeaseTable } from './leases.ts'
import { listShards, readableShards } from './shards.ts'
import type { From, ReadableShard } from './shards.ts'
import { readShard } from './shard-reader.ts'
import type { ShardStart } from './shard-reader.ts'

/** What a consumer reads and how. */
export interface ConsumerOptions {
  readonly stream: string
  /** DynamoDB table of the leases; its key is the text `id`. */
  readonly leases: string
  readonly fields: EventFields
  /** Where a shard that nobody has read is begun. */
  readonly from: From
  /** A lease without a sign of life for so long is taken over. */
  readonly leaseMs: number
  /** Between two reads of a shard in which nothing is new. */
  readonly pollMs: number
  /** Told of events that are left out and of outages that are waited out. */
  readonly onFault: (error: unknown) => void
  /** Epoch milliseconds. */
  readonly now: () => number
}

type Take = (changes: readonly SourceChange[]) => Promise<void>

/** Signs of life within the time of a lease: some may be late. */
const SIGNS_OF_LIFE = 4

/**
 * Reads the shards of a stream, together with every other consumer that uses the same leases, until the signal fires. A
 * record counts as done when `take` has resolved; then the next consumer begins after it.
 *
 * @throws what `take` throws, and when the stream or the table can not be used.
 */
export async function consume(aws: Aws, options: ConsumerOptions, take: Take, signal: AbortSignal): Promise<void> {
  const consumer = new Consumer(aws, options, take)
  try {
    await consumer.run(signal)
  } finally {
    await consumer.close()
  }
}

/** A shard that is being read. */
interface Worker {
  readonly stop: AbortController
  readonly done: Promise<void>
  /** When the lease last was this consumer's for certain, by `performance.now()`. */
  heldAtMs: number
}

class Consumer {
  readonly #aws: Aws
  readonly #options: ConsumerOptions
  readonly #take: Take
  readonly #me = randomUUID()
  readonly #leases: LeaseTable
  readonly #workers = new Map<string, Worker>()
  /** Counters of leases and since when they stand there, by the clock of this machine: others go differently. */
  readonly #seen = new Map<string, { readonly counter: number; readonly sinceMs: number }>()
  readonly #failures: Error[] = []
  #wake: () => void = () => undefined
  #lookedAtMs = performance.now()

  constructor(aws: Aws, options: ConsumerOptions, take: Take) {
    this.#aws = aws
    this.#options = options
    this.#take = take
    this.#leases = openLeases(aws, { table: options.leases, stream: options.stream, owner: this.#me })
  }

  async run(signal: AbortSignal): Promise<void> {
    let isFirst = true
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve))
      try {
        await this.#look(signal)
        this.#lookedAtMs = performance.now()
        isFirst = false
      } catch (error) {
        // At the start it is a mistake; later it may pass before anybody takes the leases over.
        if (signal.aborted) return
        if (isFirst || performance.now() - this.#lookedAtMs > this.#options.leaseMs) throw error
        this.#options.onFault(error)
      }
      const [failure] = this.#failures
      if (failure !== undefined) throw failure
      const pause = new AbortController()
      await Promise.race([
        woken,
        wait(this.#options.leaseMs / SIGNS_OF_LIFE, undefined, {
          signal: AbortSignal.any([signal, pause.signal]),
        }).catch(() => undefined),
      ])
      pause.abort()
    }
  }

  /** Ends the reading and gives the leases back, so that others need not wait for them to expire. */
  async close(): Promise<void> {
    const shards = [...this.#workers.keys()]
    for (const { stop } of this.#workers.values()) stop.abort(new Error('the consumer ends'))
    await Promise.all(Array.from(this.#workers.values(), async ({ done }) => await done))
    // They expire by themselves where this fails.
    await Promise.allSettled(shards.map(async (shard) => await this.#leases.giveBack(shard)))
  }

  /** Gives signs of life, and takes what is to be taken. */
  async #look(signal: AbortSignal): Promise<void> {
    await this.#renew()
    const { stream, from } = this.#options
    const shards = await listShards(this.#aws, stream, signal)
    const ids = new Set(shards.flatMap(({ id, parents }) => [id, ...parents]))
    const readAtMs = performance.now()
    const leases = await this.#leases.read([...ids])
    this.#note(leases, readAtMs)
    const readable = readableShards(shards, leases, from)
    const byShard = new Map(readable.map((each) => [each.shard, each]))
    const held = readable.map(({ shard, lease }) => ({ shard, owner: this.#ownerOf(shard, lease) }))
    // One that was taken without this consumer hearing of it: the answer got lost.
    const owned = held.filter(({ shard, owner }) => owner === this.#me && !this.#workers.has(shard))
    const { free, stolen } = chooseShards(held, this.#me)
    const wanted = [...owned.map(({ shard }) => shard), ...free, ...(stolen === undefined ? [] : [stolen])]
    await Promise.all(
      wanted.map(async (shard) => {
        const found = byShard.get(shard)
        if (found !== undefined && !signal.aborted) await this.#begin(found)
      }),
    )
  }

  async #renew(): Promise<void> {
    await Promise.all(
      Array.from(this.#workers, async ([shard, worker]) => {
        const askedAtMs = performance.now()
        if (await this.#leases.renew(shard)) worker.heldAtMs = askedAtMs
        else worker.stop.abort(new LostError())
      }),
    )
  }

  #note(leases: ReadonlyMap<string, Lease>, atMs: number): void {
    for (const [shard, { counter }] of leases) {
      if (this.#seen.get(shard)?.counter !== counter) this.#seen.set(shard, { counter, sinceMs: atMs })
    }
    for (const shard of this.#seen.keys()) if (!leases.has(shard)) this.#seen.delete(shard)
  }

  /** Who reads a shard; undefined when nobody does any more. */
  #ownerOf(shard: string, lease: Lease | undefined): string | undefined {
    if (this.#workers.has(shard)) return this.#me
    if (lease?.owner === undefined || lease.owner === this.#me) return lease?.owner
    const seen = this.#seen.get(shard)
    const isAlive = seen === undefined || performance.now() - seen.sinceMs <= this.#options.leaseMs
    return isAlive ? lease.owner : undefined
  }

  async #begin({ shard, lease, begin }: ReadableShard): Promise<void> {
    if (this.#workers.has(shard)) return
    const askedAtMs = performance.now()
    const sinceEpochMs = begin === 'now' ? this.#options.now() : undefined
    const isOurs =
      lease === undefined ? await this.#leases.create(shard, sinceEpochMs) : await this.#leases.take(shard, lease)
    if (!isOurs) return
    const stop = new AbortController()
    const start = lease ?? { checkpoint: undefined, sinceEpochMs }
    // The reader waits for a first turn of the loop, in which the worker is there.
    const done = Promise.resolve().then(async () => await this.#read(shard, start, stop.signal))
    this.#workers.set(shard, { stop, done, heldAtMs: askedAtMs })
  }

  /** Never throws: what fails ends the consumer. */
  async #read(shard: string, start: ShardStart, signal: AbortSignal): Promise<void> {
    const { stream, fields, pollMs, leaseMs, onFault } = this.#options
    try {
      const outcome = await readShard(
        {
          aws: this.#aws,
          stream,
          shard,
          fields,
          start,
          pollMs,
          onFault,
          take: this.#take,
          checkpoint: async (sequence) => await this.#leases.checkpoint(shard, sequence),
          isHeld: () => performance.now() - (this.#workers.get(shard)?.heldAtMs ?? 0) < leaseMs,
        },
        signal,
      )
      if (outcome === 'ended') await this.#leases.end(shard)
    } catch (error) {
      if (!signal.aborted) this.#failures.push(asError(error))
    } finally {
      this.#workers.delete(shard)
      // Children may be begun, or another shard taken.
      this.#wake()
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('the reading of a shard failed', { cause: error })
}

/** Stops the reading of a shard that is somebody else's by now. */
class LostError extends Error {
  constructor() {
    super('the lease was taken by another consumer')
    this.name = 'LostError'
  }
}
