import type { Cross, Trip } from '#contract/crossing.ts'
import type { Place } from '#contract/place.ts'

/** Fetches a small JSON document of an issuer. @throws when it does not come, or is not JSON. */
export async function fetchJson(cross: Cross, trip: Trip, url: string, to: Place): Promise<unknown> {
  const answer = await cross(trip, {
    layer: 'identity',
    to,
    method: 'GET',
    url,
    headers: { accept: 'application/json' },
    credential: { kind: 'none' },
    connectMs: 2000,
    firstByteMs: 5000,
    idleMs: 5000,
    totalMs: 8000,
    maxAnswerBytes: 1_048_576,
  })
  const text = await answer.text()
  if (answer.status !== 200) throw new Error(`${new URL(url).host} answered ${answer.status}`)
  return JSON.parse(text) as unknown
}
