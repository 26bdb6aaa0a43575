import { type Socket, connect, createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** A way to a server that takes as long as if it stood in another region. */
export interface FarWay {
  readonly port: number
  /** Bytes of both directions since the last call, TCP payload. */
  takeBytes(): { readonly up: number; readonly down: number }
  close(): Promise<void>
}

/**
 * Passes bytes to a server on this machine and back, each half a round trip later than they came. A new connection takes
 * one more round trip, for the handshake of TCP. Neither TLS nor TCP's slow start is imitated, which flatters large
 * answers and new connections.
 */
export async function farWayTo(targetPort: number, rttMs: number): Promise<FarWay> {
  let [up, down] = [0, 0]
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: targetPort, host: '127.0.0.1', noDelay: true })
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    const openAt = performance.now() + rttMs
    delayed(near, far, { halfMs: rttMs / 2, openAt, count: (bytes) => (up += bytes) })
    delayed(far, near, { halfMs: rttMs / 2, openAt, count: (bytes) => (down += bytes) })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    takeBytes() {
      const taken = { up, down }
      ;[up, down] = [0, 0]
      return taken
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

interface Delay {
  readonly halfMs: number
  /** No byte leaves before. */
  readonly openAt: number
  readonly count: (bytes: number) => void
}

/** Keeps the order: each piece waits until its time has come, whatever was before it. */
function delayed(from: Socket, to: Socket, { halfMs, openAt, count }: Delay): void {
  let last = Promise.resolve()
  const later = (work: () => void): void => {
    const dueMs = Math.max(performance.now(), openAt) + halfMs
    last = last.then(async () => {
      const leftMs = dueMs - performance.now()
      if (leftMs > 0) await wait(leftMs)
      if (!to.destroyed) work()
    })
  }
  from.on('data', (piece: Buffer) => {
    count(piece.length)
    later(() => to.write(piece))
  })
  from.on('end', () => later(() => to.end()))
  from.on('close', (hadError) => {
    if (hadError) later(() => to.destroy())
  })
}
