import type { ContextRequest } from '#contract/context.ts'
import { Refusal } from '#contract/refusal.ts'
import { z } from 'zod'

/** A client that can not take this much can not take an answer without passages either. */
const MIN_ANSWER_BYTES = 2048

const Request = z.strictObject({
  queries: z.array(z.string().max(100_000)).min(1).max(8),
  collections: z.array(z.string().max(63)).min(1).max(16),
  topK: z.int().min(1).max(50),
  maxBytes: z.int().min(MIN_ANSWER_BYTES),
  sql: z.array(z.strictObject({ name: z.string(), params: z.record(z.string(), z.unknown()) })).default([]),
  items: z.array(z.strictObject({ table: z.string(), key: z.record(z.string(), z.unknown()) })).default([]),
  principal: z.string().max(8192).default(''),
})

/**
 * The body of `POST /v1/context`.
 *
 * @throws {Refusal} WIRE_MALFORMED naming the field; WIRE_UNSUPPORTED for sources that this agent does not have.
 */
export function parseContextRequest(body: string): ContextRequest {
  const parsed = Request.safeParse(parseJson(body))
  if (!parsed.success) throw malformed(parsed.error)
  const request = parsed.data
  for (const name of ['sql', 'items'] as const) {
    if (request[name].length === 0) continue
    throw new Refusal('WIRE_UNSUPPORTED', `this agent has no source for \`${name}\` yet, leave the list empty`, {
      param: name,
    })
  }
  return { ...request, collections: [...new Set(request.collections)], queries: [...new Set(request.queries)] }
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new Refusal('WIRE_MALFORMED', 'the body is not JSON')
  }
}

function malformed(error: z.ZodError): Refusal {
  const issue = error.issues[0]
  const path = issue?.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('') ?? ''
  const param = path.replace(/^\./, '') || (issue?.code === 'unrecognized_keys' ? (issue.keys[0] ?? '') : '')
  return new Refusal('WIRE_MALFORMED', `the field \`${param || 'body'}\` is not what it should be: ${say(issue)}`, {
    param: param || 'body',
  })
}

/** Zod names what it expected, never what it was given. */
function say(issue: z.core.$ZodIssue | undefined): string {
  const message = issue?.message ?? 'malformed'
  return message.charAt(0).toLowerCase() + message.slice(1)
}
