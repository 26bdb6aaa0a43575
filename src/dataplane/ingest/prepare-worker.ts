/** Parses and screens in a process of its own: a hostile file may take its time and its memory. */
import { z } from 'zod'
import { ParseError } from '#dataplane/parse/parsed.ts'
import type { ParseFailure } from '#dataplane/parse/parsed.ts'
import { prepare } from './prepare.ts'
import type { PreparedPart } from './prepare.ts'

/** What the worker answers: the next part, or that there is none. */
export type PrepareReply =
  | { readonly part: PreparedPart }
  | { readonly end: true }
  | { readonly failure: ParseFailure | 'other'; readonly message: string }

const Named = z.object({ name: z.string(), contentType: z.string().optional() })

/** `open` starts a document and asks for its first part, `next` for another, `stop` lets go of it. */
const PrepareRequest = z.union([
  z.object({
    open: z.union([
      Named.extend({ bytes: z.instanceof(Uint8Array) }),
      Named.extend({ path: z.string(), size: z.number() }),
    ]),
  }),
  z.object({ next: z.literal(true) }),
  z.object({ stop: z.literal(true) }),
])

let parts: AsyncGenerator<PreparedPart> | undefined

async function reply(message: unknown): Promise<PrepareReply> {
  try {
    const request = PrepareRequest.parse(message)
    if (!('next' in request)) await parts?.return(undefined)
    if ('stop' in request) return { end: true }
    if ('open' in request) parts = prepare(request.open)
    const next = await parts?.next()
    return next === undefined || next.done === true ? { end: true } : { part: next.value }
  } catch (error) {
    if (error instanceof ParseError) return { failure: error.fate, message: error.message }
    return { failure: 'other', message: error instanceof Error ? error.message : String(error) }
  }
}

process.on('message', (message) => {
  void reply(message).then((answer) => process.send?.(answer))
})
