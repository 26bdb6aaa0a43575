import { z } from 'zod'
import { type Trip } from '#contract/crossing.ts'
import { Refusal } from '#contract/refusal.ts'
import type { ContextDeps } from './ground.ts'

/** What the data plane says of itself: collections with their counts and what is done to them, queries, tables. */
const Listing = z.looseObject({
  agent: z.string(),
  model: z.string(),
  collections: z.array(z.looseObject({ name: z.string(), state: z.string() })),
})

export type CollectionListing = z.infer<typeof Listing>

const MAX_BYTES = 1024 * 1024

/** Asks the data plane how far its collections are. @throws {Refusal} CONTEXT_UNAVAILABLE */
export async function listCollections(deps: ContextDeps | undefined, trip: Trip): Promise<CollectionListing> {
  if (deps === undefined) throw new Refusal('CONTEXT_UNAVAILABLE', 'no data plane is configured')
  const { timeoutMs } = deps
  try {
    const answer = await deps.cross(trip, {
      layer: 'data',
      to: deps.place,
      method: 'GET',
      url: `${deps.endpoint}/v1/collections`,
      headers: { accept: 'application/json' },
      credential: deps.credential,
      connectMs: timeoutMs,
      firstByteMs: timeoutMs,
      idleMs: timeoutMs,
      totalMs: timeoutMs,
      maxAnswerBytes: MAX_BYTES,
    })
    return Listing.parse(JSON.parse(await answer.text()))
  } catch (error) {
    throw new Refusal('CONTEXT_UNAVAILABLE', 'the data plane did not say what it holds', {
      cause: error,
      retryAfterS: 2,
    })
  }
}
