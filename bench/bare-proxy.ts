import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import { type Dispatcher, Pool } from 'undici'

/**
 * The least that a gateway on this runtime can do: node:http in front, undici behind, bytes passed through as they
 * come, and a caller who leaves ends the call upstream. It reads nothing, decides nothing and writes nothing down:
 * what Thinplane takes beyond this is the price of what it does.
 */
const [upstream = ''] = process.argv.slice(2)
const pool = new Pool(upstream, { connections: 256, pipelining: 1 })
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host'])

class PassThrough implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse
  #isDone = false

  constructor(response: ServerResponse) {
    this.#response = response
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#response.once('close', () => {
      if (!this.#isDone) controller.abort(new Error('the caller left'))
    })
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    for (const name in headers) {
      const value = headers[name]
      if (value !== undefined && !HOP_BY_HOP.has(name)) this.#response.setHeader(name, value)
    }
    this.#response.writeHead(status)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#response.write(chunk)) return
    controller.pause()
    this.#response.once('drain', () => controller.resume())
  }

  onResponseEnd(): void {
    this.#isDone = true
    this.#response.end()
  }

  onResponseError(): void {
    this.#isDone = true
    if (this.#response.headersSent) this.#response.destroy()
    else this.#response.writeHead(502).end()
  }
}

const server = createServer({ keepAliveTimeout: 120_000, noDelay: true }, (request, response) => {
  const headers: Record<string, string> = {}
  for (const name in request.headers) {
    const value = request.headers[name]
    if (typeof value === 'string' && !HOP_BY_HOP.has(name)) headers[name] = value
  }
  pool.dispatch({ path: request.url ?? '/', method: 'POST', headers, body: request }, new PassThrough(response))
})

server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(
    `bare proxy: http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}\n`,
  )
})
