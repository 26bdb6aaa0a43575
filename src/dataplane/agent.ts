import type { ContextAnswer, PassportClaims } from '#contract/context.ts'
import { Refusal } from '#contract/refusal.ts'
import { mayRead, permittedAccessIds } from './access/collection.ts'
import type { CheckPassport } from './access/passport.ts'
import { composeAnswer } from './answer.ts'
import { openDeadline } from './deadline.ts'
import type { Embedder } from './embed/embedder.ts'
import { bindFacts, lookUp } from './facts/look-up.ts'
import type { FactSources } from './facts/look-up.ts'
import type { CollectionIndex } from './index/collection-index.ts'
import { parseContextRequest } from './request.ts'
import type { Reranker } from './retrieve/rerank.ts'
import { retrieve } from './retrieve/retrieve.ts'
import type { Retrieved } from './retrieve/retrieve.ts'

/** What the one call needs. */
export interface AgentWorld {
  readonly name: string
  /** Tenants whose passports are taken. Empty: every tenant's. */
  readonly tenants: readonly string[]
  readonly checkPassport: CheckPassport
  readonly indexes: ReadonlyMap<string, CollectionIndex>
  readonly facts: FactSources
  readonly embedder: Embedder
  readonly reranker: Reranker | undefined
  /** Upper bound of an answer's JSON, whatever the request asks for. */
  readonly maxAnswerBytes: number
  /** Told of what is missing in answers and why. */
  readonly onFault: (error: unknown) => void
  readonly now: () => number
}

/** Kept back for the way of the answer: compressing and sending it. */
const SEND_MS = 20
const NOTHING: Retrieved = { passages: [], missing: [], spans: [] }

/**
 * The one call: who asks, what they may read, then everything that was asked for side by side, and an answer with what
 * there is when the time is over.
 *
 * @param gone fires when the caller has left.
 * @throws {Refusal} WIRE_MALFORMED, IDENTITY_*, CONTEXT_UNKNOWN, CONTEXT_FORBIDDEN: before anything is read.
 */
export async function answerContext(world: AgentWorld, body: string, gone: AbortSignal): Promise<ContextAnswer> {
  const request = parseContextRequest(body)
  const deadline = openDeadline(Math.max(1, request.deadlineMs - SEND_MS), gone)
  const claims = await world.checkPassport(request.principal)
  assertTenant(world, claims)
  const collections = request.collections.map((name) => readable(world, name, claims))
  const facts = bindFacts(world.facts, request, claims)
  const { queries, topK, maxTokens } = request
  const [found, looked] = await Promise.all([
    collections.length === 0
      ? NOTHING
      : retrieve({ queries, topK, collections, ...(maxTokens === undefined ? {} : { maxTokens }) }, world, deadline),
    lookUp(facts, { deadline, now: world.now, onFault: world.onFault }),
  ])
  return composeAnswer(
    {
      agent: world.name,
      claims,
      candidates: found.passages,
      facts: looked,
      missing: [...found.missing, ...looked.missing],
      spans: [...found.spans, ...looked.spans],
      atEpochMs: world.now(),
    },
    Math.min(request.maxBytes, world.maxAnswerBytes),
  )
}

function assertTenant({ tenants }: AgentWorld, { tenant }: PassportClaims): void {
  if (tenants.length === 0 || tenants.includes(tenant)) return
  throw new Refusal('CONTEXT_FORBIDDEN', 'the passport is of a tenant that this agent does not serve', {
    param: 'principal',
  })
}

function readable({ indexes }: AgentWorld, name: string, claims: PassportClaims) {
  const index = indexes.get(name)
  if (index === undefined) {
    const known = Array.from(indexes.keys(), (each) => `\`${each}\``).join(', ')
    throw new Refusal('CONTEXT_UNKNOWN', `no such collection, this agent has ${known || 'none'}`, {
      param: 'collections',
    })
  }
  if (!claims.collections.includes(name)) {
    throw new Refusal('CONTEXT_FORBIDDEN', `the passport does not name the collection \`${name}\``, {
      param: 'collections',
    })
  }
  if (!mayRead(index.collection.readers, claims)) {
    throw new Refusal('CONTEXT_FORBIDDEN', `the caller has no role or group that may read the collection \`${name}\``, {
      param: 'collections',
    })
  }
  return { index, accessIds: permittedAccessIds(index.classes(), claims) }
}
