import { join } from 'node:path'
import type { Given } from '#bin/command.ts'
import { createProgressBar } from '#bin/progress-bar.ts'
import { type Verdict, verifyTrail } from '#record/verify.ts'
import { readIfThere } from '#record/signed.ts'
import { type Policy, checkPolicy } from '#tlog/policy.ts'
import { type Place, checkpointOf, placeOf, trustOf } from './place.ts'

/** `audit verify`: every hash, the tree, the signatures; from files alone. */
export async function verify(given: Given): Promise<number> {
  const place = await placeOf(given)
  const { policy, source } = await trustOf(given, place)
  const bar = createProgressBar('checking', process.stderr)
  // Read before the entries: a log that is being written grows meanwhile.
  const checkpoint = await believed(place, policy)
  const verdict = await verifyTrail(place.audit, { policy, checkpoint, onProgress: (done, all) => bar.show(done, all) })
  bar.end()
  if (given.flag('json'))
    process.stdout.write(`${JSON.stringify({ folder: place.audit, ...verdict, trust: source })}\n`)
  else process.stdout.write(show(verdict, source))
  return verdict.ok ? 0 : 1
}

/** The last checkpoint; where a policy wants cosignatures that it does not have yet, the last one that has them. */
async function believed(place: Place, policy: Policy): Promise<string | undefined> {
  const last = await checkpointOf(place)
  const cosigned = await readIfThere(join(place.audit, 'checkpoint.cosigned'))
  if (last === undefined || cosigned === undefined) return last
  const isGood = async (note: string): Promise<boolean> =>
    checkPolicy(policy, note).then(
      () => true,
      () => false,
    )
  return !(await isGood(last)) && (await isGood(cosigned)) ? cosigned : last
}

function show(verdict: Verdict, source: string): string {
  if (!verdict.ok)
    return `the trail is BROKEN: ${verdict.reason}; ${verdict.entries} entries from the first on match their hashes\n`
  const cosigned = Object.entries(verdict.cosigned).map(
    ([name, timeS]) => `${name} at ${new Date(timeS * 1000).toISOString()}`,
  )
  const lines = [
    `the trail is whole: ${verdict.entries} entries, ${verdict.signed} signed, root ${verdict.root}`,
    ...(verdict.unsigned === 0 ? [] : [`${verdict.unsigned} entries are not yet signed, or not yet cosigned`]),
    ...(verdict.tornBytes === 0 ? [] : [`${verdict.tornBytes} bytes of an unfinished entry stand at the end`]),
    ...(cosigned.length === 0 ? [] : [`cosigned by ${cosigned.join(', ')}`]),
    `signed by ${source}`,
  ]
  return `${lines.join('\n')}\n`
}
