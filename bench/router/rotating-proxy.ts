import { Agent, createServer, request as send } from 'node:http'

/**
 * The router that every router has to beat: node:http, each request to the next of the upstreams in turn, bytes passed
 * through. It reads nothing and knows nothing.
 */
const upstreams = process.argv.slice(2)
const agent = new Agent({ keepAlive: true })
let turn = 0

const server = createServer({ keepAliveTimeout: 120_000, noDelay: true }, (request, response) => {
  const upstream = upstreams[turn % upstreams.length] ?? ''
  turn += 1
  const { host: _host, connection: _connection, ...headers } = request.headers
  const call = send(
    `${upstream}${request.url ?? '/'}`,
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
  request.pipe(call)
})

server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(
    `rotating proxy: http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}\n`,
  )
})
