import { z } from 'zod'
import type { Credential, Cross, Trip } from '#contract/crossing.ts'
import { detached } from '#contract/crossing.ts'
import { Refusal } from '#contract/refusal.ts'
import { Lru } from '#kit/lru.ts'

export interface GroupOptions {
  /** Microsoft Graph without a slash at the end. Default `https://graph.microsoft.com`. */
  readonly endpoint: string
  readonly region: string
  /** Proves this control plane to Graph in the caller's tenant: an application token. */
  readonly credential: (tenant: string) => Credential
  /** How long groups are believed, in milliseconds. Default 600,000. */
  readonly ttlMs: number
  /** Callers in more groups are turned away: a cut list would make a rule on the rest of them fail in silence. */
  readonly maxGroups: number
}

export interface Groups {
  readonly ids: readonly string[]
  readonly untilEpochMs: number
}

export interface GroupReader {
  /**
   * All security groups of one object, through other groups too.
   * @throws {Refusal} IDENTITY_UNAVAILABLE when Graph gives no list, IDENTITY_FORBIDDEN when it is too long.
   */
  readonly read: (caller: { tenant: string; oid: string; isApp: boolean }, trip: Trip) => Promise<Groups>
}

const Members = z.object({ value: z.array(z.string().max(64)) })
/** Callers whose groups are held: only those with too many for their token are. */
const MAX_CALLERS = 1000
/** 11,000 ids, the most that Graph gives, are 430 KB. */
const MAX_ANSWER_BYTES = 1_048_576

/** Groups of callers whose token has no room for them, from Microsoft Graph: in memory, one question at a time for each. */
export function createGroupReader(options: GroupOptions, cross: Cross, nowEpochMs: () => number): GroupReader {
  const held = new Lru<string, Groups>(MAX_CALLERS)
  const flights = new Map<string, Promise<Groups>>()
  return {
    read: async (caller, trip) => {
      const name = `${caller.tenant} ${caller.oid}`
      const known = held.get(name)
      if (known !== undefined && known.untilEpochMs > nowEpochMs()) return known
      const underWay = flights.get(name)
      if (underWay !== undefined) return underWay
      const flight = ask(options, cross, detached(trip), caller)
        .then((ids) => {
          const groups = { ids, untilEpochMs: nowEpochMs() + options.ttlMs }
          held.set(name, groups)
          return groups
        })
        .finally(() => flights.delete(name))
      flights.set(name, flight)
      return flight
    },
  }
}

async function ask(
  { endpoint, region, credential, maxGroups }: GroupOptions,
  cross: Cross,
  trip: Trip,
  { tenant, oid, isApp }: { tenant: string; oid: string; isApp: boolean },
): Promise<readonly string[]> {
  const answer = await answered(async () => {
    const { status, text } = await cross(trip, {
      layer: 'identity',
      to: { cloud: 'azure', region },
      method: 'POST',
      // The address in the token itself is of a service that is gone, and would be the token's to choose.
      url: `${endpoint}/v1.0/${isApp ? 'servicePrincipals' : 'users'}/${encodeURIComponent(oid)}/getMemberObjects`,
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: '{"securityEnabledOnly":true}',
      credential: credential(tenant),
      connectMs: 2000,
      firstByteMs: 5000,
      idleMs: 5000,
      totalMs: 8000,
      maxAnswerBytes: MAX_ANSWER_BYTES,
    }).then(async (received) => ({ status: received.status, text: await received.text() }))
    if (status === 400 && text.includes('Directory_ResultSizeLimitExceeded')) return 'too many'
    if (status !== 200) throw new Error(`Graph answered ${status}`)
    return Members.parse(JSON.parse(text)).value
  })
  if (answer === 'too many' || answer.length > maxGroups) {
    throw new Refusal(
      'IDENTITY_FORBIDDEN',
      `the caller is in more than ${maxGroups} groups, have the application assign app roles or only its own groups to the token`,
    )
  }
  return Object.freeze(answer.toSorted())
}

async function answered<Answer>(work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work()
  } catch (error) {
    throw new Refusal('IDENTITY_UNAVAILABLE', 'the groups of the caller can not be read from Microsoft Graph', {
      cause: error,
      retryAfterS: 5,
    })
  }
}
