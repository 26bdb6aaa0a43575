/** Parses and screens away from the thread that answers requests: a hostile file may take its time and its memory. */
import { parentPort } from 'node:worker_threads'
import { z } from 'zod'
import { ParseError } from '#dataplane/parse/parsed.ts'
import { prepare } from './prepare.ts'
import type { PreparedDocument } from './prepare.ts'

/** What the worker answers. */
export type PrepareReply =
  | { readonly document: PreparedDocument }
  | { readonly failure: 'corrupt' | 'encrypted' | 'unsupported' | 'other'; readonly message: string }

const PrepareRequest = z.object({ document: z.string(), bytes: z.instanceof(Uint8Array) })

async function reply(message: unknown): Promise<PrepareReply> {
  const { document, bytes } = PrepareRequest.parse(message)
  try {
    return { document: await prepare(document, bytes) }
  } catch (error) {
    if (error instanceof ParseError) return { failure: error.fate, message: error.message }
    return { failure: 'other', message: error instanceof Error ? error.message : String(error) }
  }
}

parentPort?.on('message', (message) => {
  void reply(message).then((answer) => parentPort?.postMessage(answer))
})
