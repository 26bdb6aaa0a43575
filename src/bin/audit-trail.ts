import { join } from 'node:path'
import type { Border } from '#border/cross.ts'
import { ConfigProblems, type LoadedConfig, type Problem } from '#config/load.ts'
import { resolveCredential } from '#config/secrets.ts'
import type { Log } from '#observe/log.ts'
import { trailPaths } from '#record/signed.ts'
import { openTrailKey } from '#record/trail-key.ts'
import { type Trail, openTrail } from '#record/trail.ts'
import { Stamper } from '#record/stamper.ts'
import type { Witness } from '#record/witness-feed.ts'
import { COSIGNER_KEY, parseVkey } from '#tlog/key.ts'
import { formatNote } from '#tlog/note.ts'
import { concatBytes } from '#tlog/bytes.ts'
import { tokenSourcesOf } from './token-sources.ts'
import { ownTrip } from './own-trip.ts'

export interface TrailParts {
  readonly border: Border
  readonly log: Log
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Opens the audit trail that a configuration describes. @throws for keys that are none, and as `openTrail` does. */
export async function openConfiguredTrail(loaded: LoadedConfig, parts: TrailParts): Promise<Trail> {
  const { config, resolve } = loaded
  const { border, log } = parts
  const dataFolder = resolve(config.data)
  const { audit } = config
  const { signer } = await openTrailKey(trailPaths(dataFolder).key, originOf(config))
  const witnesses = await Promise.all(audit.witnesses.map((witness) => witnessOf(witness, border)))
  const stamper = await stamperOf(loaded, parts)
  return openTrail({
    dataFolder,
    signer,
    witnesses,
    quorum: audit.quorum ?? Math.floor(witnesses.length / 2) + 1,
    onProblem: (problem) => log.warn('audit log not signed', { problem }),
    onSigned: ({ note, size }) => void stamper?.offer(formatNote(note), size),
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

const MAX_TOKEN_BYTES = 65_536

async function stamperOf({ config, resolve, file }: LoadedConfig, parts: TrailParts): Promise<Stamper | undefined> {
  const { timestamp } = config.audit
  if (timestamp === undefined) return undefined
  const problems: Problem[] = []
  const { environment, border, log } = parts
  const credential = resolveCredential(timestamp.credential, 'audit.timestamp.credential', {
    environment,
    resolve,
    problems,
    tokenSources: tokenSourcesOf(config, { cross: border.cross, environment, resolve, problems }),
  })
  if (problems.length > 0) throw new ConfigProblems(file, problems)
  return Stamper.open({
    folder: join(trailPaths(resolve(config.data)).audit, 'timestamps'),
    everyMs: timestamp.everyHours * 3_600_000,
    now: Date.now,
    onProblem: (problem) => log.warn('audit checkpoint not stamped', { problem }),
    ask: async (bytes) => {
      const answer = await border.cross(ownTrip(), {
        layer: 'timestamp',
        to: timestamp.place,
        method: 'POST',
        url: timestamp.url,
        headers: { 'content-type': 'application/timestamp-query', accept: 'application/timestamp-reply' },
        bytes,
        credential,
        connectMs: 3000,
        firstByteMs: 15_000,
        idleMs: 5000,
        totalMs: 20_000,
        maxAnswerBytes: MAX_TOKEN_BYTES,
      })
      const pieces: Uint8Array[] = []
      for await (const piece of answer.body) pieces.push(piece)
      return { status: answer.status, body: concatBytes(...pieces) }
    },
  })
}
