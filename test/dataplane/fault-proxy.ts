/** A proxy in front of a service of AWS that makes some of its operations go wrong. */
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { once } from 'node:events'

/** What is done with a request instead of passing it on; undefined passes it on. */
export type Interfere = (call: ProxiedCall) => Promise<ProxiedAnswer | undefined> | ProxiedAnswer | undefined

export interface ProxiedCall {
  /** Without the version: `GetRecords`. */
  readonly operation: string
  readonly body: string
}

export interface ProxiedAnswer {
  readonly status: number
  readonly body: unknown
}

export interface FaultProxy {
  readonly url: string
  /** Every call since the start, in order. */
  readonly calls: readonly ProxiedCall[]
  interfere: Interfere
  close(): Promise<void>
}

/** An error as the JSON protocols of AWS write it. */
export function awsError(name: string, status = 400): ProxiedAnswer {
  return { status, body: { __type: name, message: 'made by the test' } }
}

/** Passes requests on to `target` until it is told otherwise. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const calls: ProxiedCall[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(Buffer.from(piece as Uint8Array))
    const bytes = Buffer.concat(pieces)
    const operation = String(request.headers['x-amz-target'] ?? '').split('.')[1] ?? ''
    const call = { operation, body: bytes.toString() }
    calls.push(call)
    const made = await proxy.interfere(call)
    if (made !== undefined) {
      response.writeHead(made.status, { 'content-type': 'application/x-amz-json-1.1' })
      response.end(JSON.stringify(made.body))
      return
    }
    const headers = Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
      ['host', 'connection', 'content-length', 'transfer-encoding', 'expect'].includes(name) || value === undefined
        ? []
        : [[name, String(value)]],
    )
    const passed = await fetch(target + (request.url ?? '/'), { method: 'POST', headers, body: bytes })
    const contents = Buffer.from(await passed.arrayBuffer())
    const type = passed.headers.get('content-type') ?? 'application/x-amz-json-1.1'
    response.writeHead(passed.status, { 'content-type': type })
    response.end(contents)
  }
  const server = createServer((request, response) => {
    // The caller may be killed in between.
    answer(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const proxy: FaultProxy = {
    url: `http://127.0.0.1:${port}`,
    calls,
    interfere: () => undefined,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return proxy
}
