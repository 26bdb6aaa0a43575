import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** The worker died, or took too long and was ended. The next call starts a new one. */
export class WorkerLaneError extends Error {
  readonly timedOut: boolean

  constructor(message: string, timedOut: boolean, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'WorkerLaneError'
    this.timedOut = timedOut
  }
}

/** One worker thread that answers one message at a time. It starts on the first call and keeps no process alive while idle. */
export class WorkerLane {
  readonly #script: URL
  #worker: Worker | undefined

  constructor(script: URL) {
    this.#script = script
  }

  /**
   * Sends a message and waits for the answer. Calls must not overlap.
   *
   * @throws {WorkerLaneError} when the worker dies or does not answer within `timeoutMs`.
   */
  async call(message: unknown, timeoutMs: number): Promise<unknown> {
    const worker = (this.#worker ??= this.#start())
    const waiting = new AbortController()
    const signal = AbortSignal.any([waiting.signal, AbortSignal.timeout(timeoutMs)])
    worker.ref()
    try {
      const answer = Promise.race([once(worker, 'message', { signal }), exited(worker, waiting.signal)])
      worker.postMessage(message)
      const reply: readonly unknown[] = await answer
      return reply[0]
    } catch (error) {
      this.#worker = undefined
      await worker.terminate()
      const timedOut = error instanceof Error && error.name === 'AbortError'
      throw new WorkerLaneError(timedOut ? `no answer within ${timeoutMs} ms` : 'the worker died', timedOut, error)
    } finally {
      waiting.abort()
      worker.unref()
    }
  }

  async close(): Promise<void> {
    await this.#worker?.terminate()
    this.#worker = undefined
  }

  #start(): Worker {
    // The parent's own flags (a test runner's, an inspector's) mean nothing here.
    const worker = new Worker(this.#script, { execArgv: [] })
    // `once` above rejects with it; without a listener an error between two calls would end the process.
    worker.on('error', () => {
      if (this.#worker === worker) this.#worker = undefined
    })
    return worker
  }
}

async function exited(worker: Worker, signal: AbortSignal): Promise<never> {
  await once(worker, 'exit', { signal })
  throw new Error('the worker exited')
}
