import { createServer } from 'node:net'

/** A port that is free on `host` now: the wanted one, or any when it is 0. @throws when the wanted one is taken. */
export function freePort(wanted: number, host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE')
        reject(new Error(`port ${wanted} on ${host} is taken: stop what uses it, or choose another with --port`))
      else if (error.code === 'EACCES')
        reject(
          new Error(`port ${wanted} on ${host} may not be used by this account: choose one above 1023 with --port`),
        )
      else reject(error)
    })
    server.listen(wanted, host, () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : wanted
      server.close(() => resolve(port))
    })
  })
}
