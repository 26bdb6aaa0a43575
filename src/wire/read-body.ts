import type { IncomingMessage } from 'node:http'
import { isUtf8 } from 'node:buffer'
import { Refusal } from '#contract/refusal.ts'

export interface BodyLimits {
  readonly maxBytes: number
  /** What to do about the limit. Default: raise `listen.maxBodyBytes`. */
  readonly limit?: string
}

/**
 * The whole body as text.
 * @throws {Refusal} WIRE_TOO_LARGE as soon as it is clear, WIRE_UNSUPPORTED for compressed bodies, WIRE_MALFORMED
 * when it is not UTF-8, CALLER_GONE when the caller leaves in the middle.
 */
export function readBody(
  request: IncomingMessage,
  { maxBytes, limit = 'send less or raise `listen.maxBodyBytes`' }: BodyLimits,
): Promise<string> {
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    return Promise.reject(
      new Refusal('WIRE_UNSUPPORTED', 'compressed bodies are not read, send the body without `content-encoding`'),
    )
  }
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return Promise.reject(tooLarge(maxBytes, limit))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > maxBytes) {
        request.removeAllListeners('data')
        reject(tooLarge(maxBytes, limit))
      } else chunks.push(chunk)
    })
    request.on('end', () => {
      const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
      if (isUtf8(body)) resolve(body.toString('utf8'))
      else reject(new Refusal('WIRE_MALFORMED', 'the body is not UTF-8'))
    })
    const gone = (): void =>
      reject(new Refusal('CALLER_GONE', 'the caller closed the connection before the end of the request'))
    request.on('error', gone)
    request.on('close', () => {
      if (!request.complete) gone()
    })
  })
}

function tooLarge(maxBytes: number, limit: string): Refusal {
  return new Refusal('WIRE_TOO_LARGE', `the body is over ${maxBytes} bytes, ${limit}`)
}
