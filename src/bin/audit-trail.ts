import type { Border } from '#border/cross.ts'
import type { LoadedConfig } from '#config/load.ts'
import type { Log } from '#observe/log.ts'
import { trailPaths } from '#record/signed.ts'
import { openTrailKey } from '#record/trail-key.ts'
import { type Trail, openTrail } from '#record/trail.ts'
import type { Witness } from '#record/witness-feed.ts'
import { COSIGNER_KEY, parseVkey } from '#tlog/key.ts'
import { ownTrip } from './own-trip.ts'

/** Opens the audit trail that a configuration describes. @throws for keys that are none, and as `openTrail` does. */
export async function openConfiguredTrail({ config, resolve }: LoadedConfig, border: Border, log: Log): Promise<Trail> {
  const dataFolder = resolve(config.data)
  const { audit } = config
  const { signer } = await openTrailKey(trailPaths(dataFolder).key, originOf(config))
  const witnesses = await Promise.all(audit.witnesses.map((witness) => witnessOf(witness, border)))
  return openTrail({
    dataFolder,
    signer,
    witnesses,
    quorum: audit.quorum ?? Math.floor(witnesses.length / 2) + 1,
    onProblem: (problem) => log.warn('audit log not signed', { problem }),
  })
}

/** Name of the log: what `audit.origin` says, else the control plane's name. */
export function originOf({
  audit,
  name,
}: {
  readonly audit: { readonly origin?: string | undefined }
  readonly name: string
}): string {
  return audit.origin ?? name.replaceAll(/[\s+]/g, '-')
}

type WitnessConfig = LoadedConfig['config']['audit']['witnesses'][number]

async function witnessOf({ name, url, key: vkey, place }: WitnessConfig, border: Border): Promise<Witness> {
  const key = await parseVkey(vkey)
  if (key.type !== COSIGNER_KEY) throw new Error(`the key of the witness at ${url} is not that of a witness`)
  return {
    name: name ?? key.name,
    key,
    ask: async (body) => {
      const answer = await border.cross(ownTrip(), {
        layer: 'witness',
        to: place,
        method: 'POST',
        url: `${url}/add-checkpoint`,
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        body,
        credential: { kind: 'none' },
        connectMs: 2000,
        firstByteMs: 3000,
        idleMs: 3000,
        totalMs: 4000,
        maxAnswerBytes: 65_536,
      })
      return { status: answer.status, text: await answer.text() }
    },
  }
}
