import type { ContextRequest } from '#contract/context.ts'
import { Refusal } from '#contract/refusal.ts'
import { z } from 'zod'

/** A client that can not take this much can not take an answer without passages either. */
const MIN_ANSWER_BYTES = 2048

/** A caller that says nothing waits as long as the gateway does by default. */
const DEFAULT_DEADLINE_MS = 10_000
const MAX_DEADLINE_MS = 300_000
const MAX_QUERIES = 8
/** As many as one BatchGetItem takes. */
const MAX_ITEMS = 100

const Request = z.strictObject({
  queries: z.array(z.string().max(100_000)).max(8).default([]),
  collections: z.array(z.string().max(63)).max(16).default([]),
  topK: z.int().min(1).max(50).default(6),
  maxBytes: z.int().min(MIN_ANSWER_BYTES),
  maxTokens: z.int().min(1).optional(),
  deadlineMs: z.int().min(1).max(MAX_DEADLINE_MS).default(DEFAULT_DEADLINE_MS),
  sql: z
    .array(z.strictObject({ name: z.string().max(63), params: z.record(z.string().max(63), z.unknown()).default({}) }))
    .max(MAX_QUERIES)
    .default([]),
  items: z
    .array(z.strictObject({ table: z.string().max(63), key: z.record(z.string().max(63), z.unknown()) }))
    .max(MAX_ITEMS)
    .default([]),
  principal: z.string().max(8192).default(''),
})

/**
 * The body of `POST /v1/context`.
 *
 * @throws {Refusal} WIRE_MALFORMED naming the field.
 */
export function parseContextRequest(body: string): ContextRequest & { readonly deadlineMs: number } {
  const parsed = Request.safeParse(parseJson(body))
  if (!parsed.success) throw malformed(parsed.error)
  const { maxTokens, ...request } = parsed.data
  const { queries, collections, sql, items } = request
  if (queries.length === 0 && collections.length > 0) throw lacks('queries', 'what is to be searched for')
  if (collections.length === 0 && queries.length > 0) throw lacks('collections', 'where it is to be searched')
  if (queries.length + sql.length + items.length === 0)
    throw lacks('queries', 'what is asked for: `queries`, `sql` or `items`')
  return {
    ...request,
    ...(maxTokens === undefined ? {} : { maxTokens }),
    collections: [...new Set(collections)],
    queries: [...new Set(queries)],
  }
}

function lacks(param: string, what: string): Refusal {
  return new Refusal('WIRE_MALFORMED', `the field \`${param}\` is missing, say ${what}`, { param })
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
