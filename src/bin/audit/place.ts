import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { listSegments } from '#record/segment.ts'
import { readIfThere, trailPaths } from '#record/signed.ts'
import { readTrailKey } from '#record/trail-key.ts'
import { type VerifierKey, formatVkey, parseVkey } from '#tlog/key.ts'
import { type Policy, parsePolicy } from '#tlog/policy.ts'
import { type Given, WrongUsage } from '#bin/command.ts'

/** A trail on disk that a command looks at. */
export interface Place {
  /** The folder that `audit/` is in, or would be. */
  readonly data: string
  /** The log itself. */
  readonly audit: string
  /** The index that `show` and `search` keep. */
  readonly index: string
}

/** The trail in the data folder that `--data` names; the folder of the trail itself is taken too. */
export async function placeOf(given: Given): Promise<Place> {
  const data = given.text('data') ?? '.thinplane'
  for (const audit of [join(data, 'audit'), data]) {
    const isFolder = await stat(audit).then(
      (facts) => facts.isDirectory(),
      () => false,
    )
    if (!isFolder || (await listSegments(audit)).length === 0) continue
    const parent = audit === data && basename(data) === 'audit' ? dirname(data) : data
    return { data: parent, audit, index: join(parent, 'index') }
  }
  throw new Error(`there is no audit trail in ${data}, name the data folder with --data`)
}

export interface Trust {
  readonly policy: Policy
  /** Said with every verdict: a key that lies beside the log proves less than one that was kept elsewhere. */
  readonly source: string
}

/** Whom to believe: `--policy`, else `--key`, else the key that is found beside the log. */
export async function trustOf(given: Given, place: Place): Promise<Trust> {
  const [file, vkey] = [given.text('policy'), given.text('key')]
  if (file !== undefined && vkey !== undefined) throw new WrongUsage('choose --policy or --key, not both')
  if (file !== undefined) return { policy: await parsePolicy(await readFile(file, 'utf8')), source: `policy ${file}` }
  if (vkey !== undefined) return { policy: policyOf(await parseVkey(vkey)), source: 'the key given' }
  const key = await keyBeside(place)
  if (key === undefined)
    throw new Error(`there is no key beside the log in ${place.audit}: give the log's verifier key with --key`)
  return {
    policy: policyOf(key),
    source: 'the key found beside the log (whoever can change the log can change it: use --key or --policy)',
  }
}

export function policyOf(key: VerifierKey): Policy {
  return { logs: [key], witnesses: new Map(), groups: new Map(), quorum: 'none' }
}

/** The verifier key that the data folder holds: of the signing key, or the one that lies beside the entries. */
export async function keyBeside({ data, audit }: Place): Promise<VerifierKey | undefined> {
  const vkey = (await readIfThere(join(audit, 'log.vkey')))?.trim()
  if (vkey !== undefined) return parseVkey(vkey)
  return (await readTrailKey(trailPaths(data).key))?.signer.key
}

/** As text. */
export async function vkeyBeside(place: Place): Promise<string | undefined> {
  const key = await keyBeside(place)
  return key === undefined ? undefined : formatVkey(key)
}

/** A log that is being written has its first checkpoint after a second. */
const FIRST_CHECKPOINT_MS = 3000
const POLL_MS = 100

/** The last signed checkpoint; waits for the first one where a process writes the log. */
export async function checkpointOf({ audit }: Place): Promise<string | undefined> {
  const until = Date.now() + FIRST_CHECKPOINT_MS
  for (;;) {
    const note = await readIfThere(join(audit, 'checkpoint'))
    const isLive = (await readIfThere(join(audit, 'lock'))) !== undefined
    if (note !== undefined || !isLive || Date.now() > until) return note
    await delay(POLL_MS)
  }
}
