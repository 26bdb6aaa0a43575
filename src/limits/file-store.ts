import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { ExchangeReply, ExchangeRequest, LedgerStore } from './exchange.ts'
import type { SqliteReply } from './sqlite-worker.ts'

/** The ledger needs little: a batch of some thousand rows. */
const WORKER_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 8 }
/** A worker that says nothing is ended, and the next exchange starts another. */
const PATIENCE_MS = 4500

/** A ledger in a SQLite file, for gateways of one machine. The file is opened with the first exchange. */
export class FileStore implements LedgerStore {
  readonly kind = 'file'
  readonly #path: string
  #worker: Worker | undefined

  constructor(path: string) {
    this.#path = path
  }

  async exchange(request: ExchangeRequest): Promise<ExchangeReply> {
    const said = await this.#ask<SqliteReply>(request)
    if ('failure' in said) {
      // What is wrong with the file may be mended: it is opened anew.
      await this.#end()
      throw new Error(said.failure)
    }
    return said.reply
  }

  async close(): Promise<void> {
    if (this.#worker === undefined) return
    await this.#ask('close').catch(() => undefined)
    await this.#end()
  }

  async #ask<Said>(message: unknown): Promise<Said> {
    const worker = (this.#worker ??= this.#start())
    const waiting = new AbortController()
    const signal = AbortSignal.any([waiting.signal, AbortSignal.timeout(PATIENCE_MS)])
    try {
      const said = Promise.race([once(worker, 'message', { signal }), exited(worker, waiting.signal)])
      worker.postMessage(message)
      const reply: readonly unknown[] = await said
      return reply[0] as Said
    } catch (error) {
      await this.#end()
      const isLate = error instanceof Error && error.name === 'AbortError'
      throw new Error(isLate ? `${this.#path}: no answer within ${PATIENCE_MS} ms` : `${this.#path}: its thread died`, {
        cause: error,
      })
    } finally {
      waiting.abort()
    }
  }

  #start(): Worker {
    // Some versions of Node say that SQLite is experimental; that belongs into no terminal.
    const worker = new Worker(new URL('sqlite-worker.ts', import.meta.url), {
      workerData: this.#path,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      resourceLimits: WORKER_LIMITS,
    })
    worker.on('error', () => undefined)
    worker.unref()
    return worker
  }

  async #end(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }
}

async function exited(worker: Worker, signal: AbortSignal): Promise<never> {
  await once(worker, 'exit', { signal })
  throw new Error('the worker exited')
}
