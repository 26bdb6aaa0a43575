import { z } from 'zod'
import { type Cross, type Trip, detached } from '#contract/crossing.ts'
import type { Place } from '#contract/place.ts'
import { fetchJson } from './fetch-json.ts'

const Metadata = z.object({
  issuer: z.string(),
  jwks_uri: z.url(),
  authorization_endpoint: z.url().optional(),
  token_endpoint: z.url().optional(),
})

/** What an issuer publishes about itself, as far as it is used. */
export type Metadata = z.infer<typeof Metadata>

/** Asked for again after this long, when somebody needs it. */
const FRESH_MS = 24 * 60 * 60 * 1000
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

/**
 * The discovery document of an OpenID Connect issuer, fetched when it is first needed. What is held is used on when
 * the issuer can not be asked.
 */
export function createDiscovery(
  issuer: string,
  place: Place,
  cross: Cross,
  nowEpochMs: () => number,
): (trip: Trip) => Promise<Metadata> {
  let held: { readonly metadata: Metadata; readonly atEpochMs: number } | undefined
  let underWay: Promise<Metadata> | undefined
  const load = async (trip: Trip): Promise<Metadata> => {
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    const metadata = checked(issuer, Metadata.parse(await fetchJson(cross, trip, url, place)))
    held = { metadata, atEpochMs: nowEpochMs() }
    return metadata
  }
  return async (trip) => {
    if (held !== undefined && nowEpochMs() - held.atEpochMs < FRESH_MS) return held.metadata
    underWay ??= load(detached(trip)).finally(() => {
      underWay = undefined
    })
    const last = held?.metadata
    return last === undefined ? underWay : underWay.catch(() => last)
  }
}

/** @throws when the document is not this issuer's own, or points somewhere else. */
function checked(issuer: string, metadata: Metadata): Metadata {
  if (metadata.issuer !== issuer)
    throw new Error(`the discovery document is of issuer ${metadata.issuer}, not of ${issuer}`)
  for (const [field, url] of Object.entries(metadata)) {
    if (field !== 'issuer' && url !== undefined && !isItsOwn(issuer, url))
      throw new Error(`\`${field}\` of the discovery document is not an https address of the issuer's own host`)
  }
  return metadata
}

/** HTTPS on the issuer's host; or this machine, when the issuer is here as well. */
function isItsOwn(issuer: string, text: string): boolean {
  const [own, url] = [new URL(issuer), new URL(text)]
  if (LOOPBACK.has(own.hostname)) return LOOPBACK.has(url.hostname)
  return url.protocol === 'https:' && url.host === own.host
}
