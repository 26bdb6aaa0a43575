/**
 * Loaded before a stand-in that would listen on every interface, at a port that has to be chosen beforehand: it listens
 * on the loopback interface at any free port, and prints `listening PORT`.
 */
import { Server } from 'node:net'

const listen: unknown = Reflect.get(Server.prototype, 'listen')

Server.prototype.listen = function (this: Server, ...given: unknown[]): Server {
  const done = given.findLast((value) => typeof value === 'function')
  this.once('listening', () => {
    const address = this.address()
    if (typeof address === 'object') process.stdout.write(`listening ${address?.port}\n`)
    if (typeof done === 'function') Reflect.apply(done, this, [])
  })
  if (typeof listen === 'function') Reflect.apply(listen, this, [{ port: 0, host: '127.0.0.1' }])
  return this
}
