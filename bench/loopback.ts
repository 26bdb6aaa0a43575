import { Server } from 'node:net'

/**
 * Loaded before a peer that has no option for its address: whatever it listens on, it listens on this machine only.
 * It also says that the peer is up, since its own words differ from version to version.
 */
type Listen = (this: Server, ...given: unknown[]) => Server

// The method is put back wrapped around itself: it is never called without its server.
const listen = Object.getOwnPropertyDescriptor(Server.prototype, 'listen')?.value as Listen

function listenHere(this: Server, ...given: unknown[]): Server {
  const [first] = given
  const port = typeof first === 'object' && first !== null && 'port' in first ? Number(first.port) : Number(first)
  const callback = given.find((value) => typeof value === 'function')
  this.once('listening', () => process.stdout.write(`peer: http://127.0.0.1:${port}\n`))
  return listen.call(this, { port, host: '127.0.0.1' }, callback)
}

Object.defineProperty(Server.prototype, 'listen', { value: listenHere, writable: true, configurable: true })
