import { hash } from 'node:crypto'
import { Agent, createServer, request as send } from 'node:http'

/**
 * The routers that every router has to beat: node:http, bytes passed through. `turn` takes one upstream after the other
 * and knows nothing; `hash` chooses by how a request's body begins, whatever there is to do elsewhere.
 */
const [mode = '', ...upstreams] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true })
/** Well into the first message, and before the end of any document of the benchmark. */
const BEGINNING_BYTES = 2000
let turn = 0

function choose(body: Buffer): string {
  turn += 1
  const number =
    mode === 'hash' ? Number.parseInt(hash('sha256', body.subarray(0, BEGINNING_BYTES)).slice(0, 8), 16) : turn
  return upstreams[number % upstreams.length] ?? ''
}

const server = createServer({ keepAliveTimeout: 120_000, noDelay: true }, (request, response) => {
  const pieces: Buffer[] = []
  request.on('data', (piece: Buffer) => pieces.push(piece))
  request.on('end', () => {
    const body = Buffer.concat(pieces)
    const { host: _host, connection: _connection, ...headers } = request.headers
    const call = send(
      `${choose(body)}${request.url ?? '/'}`,
      { agent, method: request.method ?? 'GET', headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.on('data', (piece: Buffer) => response.write(piece))
        answer.on('end', () => response.end())
        answer.on('error', () => response.destroy())
      },
    )
    call.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()))
    response.once('close', () => call.destroy())
    call.end(body)
  })
})

server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(
    `plain proxy: http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}\n`,
  )
})
