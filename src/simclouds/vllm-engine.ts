import { type Clock, pause } from './clock.ts'
import { BLOCK_TOKENS, type Lease, PrefixCache, blockHashes, tokensOf } from './prefix-cache.ts'
import { type Random, seeded } from './seeded.ts'
import { type EngineOptions, type EngineSettings, engineSettings } from './vllm-presets.ts'

/** What an engine is asked for. */
export interface EngineTask {
  /** The prompt as the chat template writes it. */
  readonly text: string
  /** vLLM's `cache_salt`: who has another one shares nothing. */
  readonly salt: string | undefined
  /** What will be said, a token each. */
  readonly pieces: readonly string[]
}

/** One answer while it is made. */
export interface Speech {
  /** Each piece when the engine has it. Ends early when the client leaves. */
  readonly pieces: AsyncIterable<string>
  readonly promptTokens: number
  /** Tokens of the prompt that came from the prefix cache: known from the first piece on, 0 before. */
  cachedTokens(): number
}

/** What vLLM says of itself in `/metrics`. */
export interface EngineGauges {
  readonly running: number
  readonly waiting: number
  /** Share of the cache's blocks in use, 0 to 1. */
  readonly kvUsage: number
  /** Tokens that were looked up in the prefix cache, and those of them that were found. */
  readonly queriedTokens: number
  readonly hitTokens: number
}

interface Waiting {
  readonly task: EngineTask
  readonly hashes: readonly string[]
  readonly begin: (lease: Lease) => void
}

/**
 * vLLM's engine in time: so many requests run, the others wait in line. Prompts are computed one after the other, less
 * what the prefix cache holds; answers are spoken side by side, slower the more there are. What it leaves out:
 * preemption (an answer's blocks are reserved when it begins), chunks of prefill between tokens, speculation, adapters.
 */
export class VllmEngine {
  readonly settings: EngineSettings
  readonly #clock: Clock
  readonly #random: Random
  readonly #cache: PrefixCache
  readonly #line = new Set<Waiting>()
  #running = 0
  #speaking = 0
  #isPrefilling = false
  #queriedTokens = 0
  #hitTokens = 0

  constructor(options: EngineOptions, clock: Clock) {
    this.settings = engineSettings(options)
    this.#clock = clock
    this.#random = seeded(this.settings.seed)
    this.#cache = new PrefixCache(this.settings.numGpuBlocks)
  }

  /** Tokens that a prompt and its answer may have together: what the cache holds. */
  get maxModelTokens(): number {
    return this.settings.numGpuBlocks * BLOCK_TOKENS
  }

  speak(task: EngineTask, signal: AbortSignal): Speech {
    const promptTokens = tokensOf(task.text)
    let cachedTokens = 0
    const begun = (lease: Lease): void => void (cachedTokens = lease.cachedTokens)
    return {
      pieces: this.#run(task, promptTokens, signal, begun),
      promptTokens,
      cachedTokens: () => cachedTokens,
    }
  }

  gauges(): EngineGauges {
    return {
      running: this.#running,
      waiting: this.#line.size,
      kvUsage: this.#cache.usage,
      queriedTokens: this.#queriedTokens,
      hitTokens: this.#hitTokens,
    }
  }

  async *#run(
    task: EngineTask,
    promptTokens: number,
    signal: AbortSignal,
    begun: (lease: Lease) => void,
  ): AsyncGenerator<string> {
    const hashes = this.settings.prefixCaching ? blockHashes(task.text, task.salt) : []
    const lease = await this.#turn(task, hashes, signal)
    if (lease === undefined) return
    begun(lease)
    try {
      await this.#prefill(lease, hashes, promptTokens - lease.cachedTokens, signal)
      await pause(this.#clock, this.settings.overheadMs * this.#loadFactor(), signal)
      let said = ''
      for await (const piece of this.#decode(task.pieces, signal)) {
        said += piece
        yield piece
      }
      // What was said is computed too: the next turn of a conversation finds it.
      if (this.settings.prefixCaching && !signal.aborted) lease.commit(blockHashes(`${task.text}${said}`, task.salt))
    } finally {
      this.#running -= 1
      lease.release()
      this.#admit()
    }
  }

  /** Waits for a place, in the order of arrival. Undefined when the client left first. */
  async #turn(task: EngineTask, hashes: readonly string[], signal: AbortSignal): Promise<Lease | undefined> {
    if (signal.aborted) return undefined
    const { promise, resolve } = Promise.withResolvers<Lease | undefined>()
    const leave = (): void => {
      this.#line.delete(waiting)
      resolve(undefined)
      this.#admit()
    }
    const waiting: Waiting = {
      task,
      hashes,
      begin: (lease) => {
        signal.removeEventListener('abort', leave)
        resolve(lease)
      },
    }
    signal.addEventListener('abort', leave, { once: true })
    this.#line.add(waiting)
    this.#admit()
    return promise
  }

  /** First come, first served: one that does not fit holds up those behind it. */
  #admit(): void {
    const [first] = this.#line
    if (first === undefined || this.#isPrefilling || this.#running >= this.settings.maxNumSeqs) return
    const promptTokens = tokensOf(first.task.text)
    const blocks = Math.ceil((promptTokens + first.task.pieces.length) / BLOCK_TOKENS)
    const lease = this.#cache.take(first.hashes, promptTokens, blocks)
    if (lease === undefined) return
    this.#line.delete(first)
    this.#running += 1
    this.#isPrefilling = true
    this.#queriedTokens += this.settings.prefixCaching ? promptTokens : 0
    this.#hitTokens += lease.cachedTokens
    first.begin(lease)
  }

  /** The processor computes one prompt at a time, and whoever is next finds what this one leaves in the cache. */
  async #prefill(lease: Lease, hashes: readonly string[], tokens: number, signal: AbortSignal): Promise<void> {
    await pause(this.#clock, tokens * this.settings.prefillMsPerToken * this.#loadFactor(), signal)
    if (!signal.aborted) lease.commit(hashes)
    this.#isPrefilling = false
    this.#admit()
  }

  async *#decode(pieces: readonly string[], signal: AbortSignal): AsyncGenerator<string> {
    this.#speaking += 1
    try {
      let dueAtMs = this.#clock.nowMs()
      for (const piece of pieces) {
        await pause(this.#clock, dueAtMs - this.#clock.nowMs(), signal)
        if (signal.aborted) return
        yield piece
        dueAtMs += this.settings.tokenMs * this.#loadFactor() * this.#jitter()
      }
    } finally {
      this.#speaking -= 1
    }
  }

  /** 1 with one answer being spoken, the whole factor with as many as may run. */
  #loadFactor(): number {
    const { loadFactor, maxNumSeqs } = this.settings
    return maxNumSeqs <= 1 ? 1 : 1 + ((loadFactor - 1) * Math.max(0, this.#speaking - 1)) / (maxNumSeqs - 1)
  }

  #jitter(): number {
    return 1 + this.settings.jitter * (2 * this.#random() - 1)
  }
}
