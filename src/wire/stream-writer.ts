import type { ServerResponse } from 'node:http'

/** Writes one piece and waits while the caller reads slower than the model writes. Resolves at once when the caller is gone. */
export function writePiece(response: ServerResponse, piece: string): Promise<void> | undefined {
  if (piece === '' || response.destroyed || response.write(piece)) return undefined
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}
