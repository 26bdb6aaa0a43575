import { Agent, request } from 'node:http'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, zstdDecompress } from 'node:zlib'
import { z } from 'zod'

/** One answer of the context call. */
export interface ContextReply {
  /** From the first byte sent to the last received, milliseconds. */
  readonly ms: number
  /** Of the body, as it came over the wire. */
  readonly bytes: number
  readonly plainBytes: number
  readonly passages: number
  /** Milliseconds by name of the span. */
  readonly spans: Readonly<Record<string, number>>
}

export type Encoding = 'br' | 'zstd' | 'gzip' | 'identity'

const Answer = z.object({
  passages: z.array(z.unknown()),
  missing: z.array(z.string()),
  spans: z.array(z.object({ name: z.string(), ms: z.number() })),
})

const UNPACK = { br: promisify(brotliDecompress), zstd: promisify(zstdDecompress), gzip: promisify(gunzip) }

export type ContextClient = ReturnType<typeof contextClient>

/** A client that keeps its connections, or makes a new one for each call. */
export function contextClient(url: string, { keepAlive }: { readonly keepAlive: boolean }) {
  const agent = new Agent({ keepAlive })
  return {
    /** @throws when the answer is an error, or something was left out of it. */
    async ask(body: object, encoding: Encoding): Promise<ContextReply> {
      const text = JSON.stringify(body)
      const started = performance.now()
      const { status, packed, coded } = await post(`${url}/v1/context`, text, encoding, agent)
      const ms = performance.now() - started
      const plain = coded === undefined ? packed : await UNPACK[coded](packed)
      if (status !== 200) throw new Error(`the agent answered ${status}: ${plain.toString()}`)
      const { passages, missing, spans } = Answer.parse(JSON.parse(plain.toString()))
      if (missing.length > 0) throw new Error(`an answer is incomplete: ${missing.join('; ')}`)
      return {
        ms,
        bytes: packed.length,
        plainBytes: plain.length,
        passages: passages.length,
        spans: Object.fromEntries(spans.map(({ name, ms: each }) => [name, each])),
      }
    },
    close: () => agent.destroy(),
  }
}

interface Packed {
  readonly status: number
  readonly packed: Buffer
  readonly coded: keyof typeof UNPACK | undefined
}

function post(url: string, text: string, encoding: Encoding, agent: Agent): Promise<Packed> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      'accept-encoding': encoding,
    }
    const sent = request(url, { method: 'POST', agent, headers }, (answer) => {
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('error', reject)
      answer.on('end', () => {
        const coded = answer.headers['content-encoding']
        resolve({
          status: answer.statusCode ?? 0,
          packed: Buffer.concat(parts),
          coded: coded === 'br' || coded === 'zstd' || coded === 'gzip' ? coded : undefined,
        })
      })
    })
    sent.on('error', reject)
    sent.end(text)
  })
}
