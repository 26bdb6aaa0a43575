import { once } from 'node:events'
import type { Server } from 'node:http'

/** Listens, and resolves with the base URL, without a slash at the end. `port` 0: any free one. */
export async function listen(server: Server, host: string, port: number): Promise<string> {
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a simulated service has no port')
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
}

/** Cuts every connection and stops listening. */
export async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(
    servers
      .filter((server) => server.listening)
      .map(async (server) => {
        const closed = once(server, 'close')
        server.close()
        server.closeAllConnections()
        await closed
      }),
  )
}
