import { z } from 'zod'
import type { Ask, SqlAsk } from '#contract/ask.ts'
import type { ContextAnswer, ContextRequest } from '#contract/context.ts'
import { type Credential, type Cross, CrossFault, type Trip } from '#contract/crossing.ts'
import type { Permit } from '#contract/permit.ts'
import type { Place } from '#contract/place.ts'
import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import { factPassages } from './facts.ts'
import type { PassportOffice } from './passport.ts'

export interface ContextDeps {
  readonly cross: Cross
  readonly passports: PassportOffice
  /** Base URL of the data plane. */
  readonly endpoint: string
  readonly place: Place
  /** The data plane's name: the audience of passports. */
  readonly audience: string
  readonly credential: Credential
  readonly timeoutMs: number
  /** Upper bound of the answer. Default 65,536 bytes. */
  readonly maxBytes: number
}

export interface GroundQuestion {
  readonly principal: Principal
  readonly permit: Permit
  /** The locally screened request: what leaves holds placeholders already. */
  readonly ask: Ask
  readonly topK: number
  readonly residency: string
  /** Queries that the alias asks with every request. */
  readonly sql: readonly SqlAsk[]
}

/** Characters of the last user message that are searched for; more only blurs the query. */
const MAX_QUERY_CHARS = 2000
/** Left of the timeout for the way there and back: the agent answers before it. */
const TRAVEL_MS = 200

/**
 * The one call into the data plane; undefined when the request carries no collection.
 * @throws {Refusal} CONTEXT_UNAVAILABLE, CONTEXT_FORBIDDEN, CONTEXT_UNKNOWN
 */
export async function ground(
  deps: ContextDeps | undefined,
  question: GroundQuestion,
  trip: Trip,
): Promise<ContextAnswer | undefined> {
  const { permit, principal, ask } = question
  // A passage beside the texts would be embedded as one more of them.
  if (permit.collections.length === 0 || ask.operation === 'embed') return undefined
  if (deps === undefined)
    throw new Refusal('CONTEXT_UNAVAILABLE', 'no data plane is configured, so collections can not be read')
  const query = queryOf(ask)
  const collections = query === '' ? [] : permit.collections.filter((name) => !isFact(name))
  // The client's own first: what is wrong with one is said by its place in the client's list.
  const sql = [...(ask.ground?.sql ?? []), ...question.sql]
  const items = ask.ground?.items ?? []
  if (collections.length + sql.length + items.length === 0) return undefined
  const passport = await deps.passports.mint({
    principal,
    collections: permit.collections,
    requestId: trip.requestId,
    residency: question.residency,
    audience: deps.audience,
  })
  const request: ContextRequest = {
    queries: collections.length === 0 ? [] : [query],
    collections,
    topK: question.topK,
    maxBytes: deps.maxBytes,
    deadlineMs: Math.max(1, deps.timeoutMs - TRAVEL_MS),
    sql,
    items,
    principal: passport,
  }
  const answer = await call(deps, request, trip)
  return { ...answer, passages: [...answer.passages, ...factPassages(answer)] }
}

/** Whether a name of a permit is that of a query or a table, which no search is made in. */
function isFact(name: string): boolean {
  return name.startsWith('sql:') || name.startsWith('items:')
}

/** What is searched for: the last thing that the user said. */
function queryOf(ask: Ask): string {
  const last = ask.messages.findLast(({ role }) => role === 'user')
  const text = last?.parts.map((part) => (part.type === 'text' ? part.text : '')).join('\n') ?? ''
  return text.trim().slice(0, MAX_QUERY_CHARS)
}

async function call(deps: ContextDeps, request: ContextRequest, trip: Trip): Promise<ContextAnswer> {
  let status: number
  let body: string
  try {
    const answer = await deps.cross(trip, {
      layer: 'data',
      to: deps.place,
      method: 'POST',
      url: `${deps.endpoint}/v1/context`,
      headers: { 'content-type': 'application/json', accept: 'application/json', 'accept-encoding': 'br, zstd, gzip' },
      body: JSON.stringify(request),
      credential: deps.credential,
      connectMs: deps.timeoutMs,
      firstByteMs: deps.timeoutMs,
      idleMs: deps.timeoutMs,
      totalMs: deps.timeoutMs,
      maxAnswerBytes: deps.maxBytes * 2 + 65_536,
    })
    status = answer.status
    body = await answer.text()
  } catch (error) {
    if (error instanceof CrossFault && error.kind === 'aborted') throw error
    throw unavailable('the data plane gave no answer', error)
  }
  if (status !== 200) throw refusalOf(status, body)
  try {
    return Answer.parse(JSON.parse(body)) satisfies ContextAnswer
  } catch (error) {
    throw unavailable('the data plane answered in a form that is not known', error)
  }
}

function unavailable(message: string, cause: unknown): Refusal {
  return new Refusal('CONTEXT_UNAVAILABLE', message, { cause, retryAfterS: 2 })
}

const AgentError = z.object({
  error: z.object({ code: z.string(), message: z.string(), param: z.string().optional() }),
})
/** What a client wrote itself, and can mend. */
const CLIENTS_OWN = /^(?:sql|items)\[/
/** What the agent may say to a caller as it is; everything else means that the two planes disagree. */
const PASSED_ON = ['CONTEXT_FORBIDDEN', 'CONTEXT_UNKNOWN'] as const

function refusalOf(status: number, body: string): Refusal {
  const parsed = AgentError.safeParse(safeJson(body))
  const code = PASSED_ON.find((candidate) => parsed.success && parsed.data.error.code === candidate)
  if (code !== undefined && parsed.success) return new Refusal(code, parsed.data.error.message)
  const { param = '', message = '' } = parsed.data?.error ?? {}
  if (status === 400 && CLIENTS_OWN.test(param))
    return new Refusal('WIRE_MALFORMED', `\`thinplane.ground\`: ${message}`, { param: `thinplane.ground.${param}` })
  return unavailable(
    `the data plane answered ${status}`,
    new Error(parsed.success ? parsed.data.error.code : 'no error body'),
  )
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const Finding = z.object({
  type: z.string(),
  start: z.number(),
  end: z.number(),
  score: z.number(),
  detector: z.string(),
})

const Answer = z.object({
  passages: z.array(
    z.object({
      text: z.string(),
      source: z.object({
        collection: z.string(),
        document: z.string(),
        title: z.string(),
        heading: z.string(),
        page: z.number(),
        record: z.number(),
        lastRecord: z.number(),
        start: z.number(),
        end: z.number(),
      }),
      score: z.number(),
      tokens: z.number(),
      screened: z.object({ rules: z.string(), findings: z.array(Finding) }),
    }),
  ),
  rows: z.array(z.object({ name: z.string(), columns: z.array(z.string()), rows: z.array(z.array(z.unknown())) })),
  items: z.array(z.object({ table: z.string(), item: z.record(z.string(), z.unknown()) })),
  // Keys in canonical order: the receipt is written into the audit entry as it stands.
  receipt: z.object({
    agent: z.string(),
    atEpochMs: z.number(),
    bytes: z.number(),
    missing: z.array(z.string()),
    reads: z.array(z.object({ collection: z.string(), digest: z.string(), document: z.string() })),
    requestId: z.string(),
    subject: z.string(),
    tenant: z.string(),
  }),
  missing: z.array(z.string()),
  spans: z.array(z.object({ name: z.string(), startEpochMs: z.number(), ms: z.number() })),
})
