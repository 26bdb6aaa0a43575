import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalJson } from '#kit/canonical-json.ts'
import { replaceFile } from '#kit/durable-file.ts'
import { sameBytes } from '#tlog/bytes.ts'
import type { OpenedCheckpoint } from '#tlog/checkpoint.ts'
import { formatNote } from '#tlog/note.ts'
import { Frontier } from '#tlog/frontier.ts'
import { HASH_BYTES } from '#tlog/hash.ts'
import { adminEventRecord } from './ocsf-admin.ts'
import { lockFolder } from './lock.ts'
import { openAuditLog } from './log.ts'
import { eachEntry } from './read-entries.ts'
import { readLeaves } from './read-tree.ts'
import { scanTrail } from './scan-trail.ts'
import { sha256 } from './segment.ts'
import { readCheckpoints, readIfThere, readSigned, trailPaths } from './signed.ts'
import { type TrailKey, logName, openTrailKey, writeTrailKey } from './trail-key.ts'

export interface TrailState {
  readonly origin: string
  readonly entries: number
  readonly signedSize: number
  /** Why the log must not be continued; empty when it may. */
  readonly problem: string
}

/** How a log stands against what was ever signed for it, as far as this folder knows. */
export async function trailState(dataFolder: string, { signer }: TrailKey): Promise<TrailState> {
  const signed = await readSigned(dataFolder, signer.key)
  const { audit } = trailPaths(dataFolder)
  await mkdir(audit, { recursive: true, mode: 0o700 })
  const { entries, problem } = await against(audit, signed)
  return { origin: signer.key.name, entries, signedSize: signed[0]?.size ?? 0, problem }
}

async function against(
  audit: string,
  signed: readonly OpenedCheckpoint[],
): Promise<{ readonly entries: number; readonly problem: string }> {
  const frontier = new Frontier(sha256)
  const differing: number[] = []
  const check = (): void => {
    for (const { size, root } of signed)
      if (size === frontier.size && !sameBytes(frontier.root(), root)) differing.push(size)
  }
  check()
  const scan = await scanTrail(audit, {
    onLeaves: (leaves) => {
      for (let at = 0; at < leaves.length; at += HASH_BYTES) {
        frontier.push(leaves.subarray(at, at + HASH_BYTES))
        check()
      }
    },
  })
  const largest = signed[0]?.size ?? 0
  if (scan.bad !== undefined) return { entries: scan.entries, problem: `entry ${scan.bad.index}: ${scan.bad.reason}` }
  if (differing.length > 0)
    return { entries: scan.entries, problem: `the first ${differing[0]} entries are not those that were signed` }
  const isShort = scan.entries < largest
  return { entries: scan.entries, problem: isShort ? `${largest} entries were signed, ${scan.entries} are here` : '' }
}

/**
 * Brings a log that lost its end up to another copy of it.
 * @returns entries appended. @throws when the copy is not the same log, or not what was signed.
 */
export async function reconcileFrom(dataFolder: string, key: TrailKey, copy: string): Promise<number> {
  const own = trailPaths(dataFolder)
  const other = trailPaths(copy)
  const audit = (await isFolder(other.audit)) ? other.audit : copy
  const files = [own.checkpoint, own.signed, own.cosigned, other.signed, join(audit, 'checkpoint')]
  const signed = await readCheckpoints(files, key.signer.key)
  const theirs = await against(audit, signed)
  if (theirs.problem !== '') throw new Error(`the copy can not be used: ${theirs.problem}`)
  const log = await openAuditLog(own.audit)
  try {
    const have = log.size
    if (have > theirs.entries) throw new Error(`the copy has ${theirs.entries} entries, here are ${have}`)
    if (!(await readLeaves(own.audit, 0, have)).equals(await readLeaves(audit, 0, have)))
      throw new Error('the entries here are not the beginning of the copy: begin a new log with --new-log')
    const [largest] = signed
    if (largest !== undefined) await replaceFile(own.signed, formatNote(largest.note))
    const missing: string[] = []
    await eachEntry(audit, ({ bytes }) => void missing.push(bytes.toString('utf8')), have)
    for (let at = 0; at < missing.length; at += APPEND_AT_ONCE)
      await Promise.all(missing.slice(at, at + APPEND_AT_ONCE).map((text) => log.append(text)))
    return missing.length
  } finally {
    await log.close()
  }
}

const APPEND_AT_ONCE = 1000

export interface NewLog {
  readonly origin: string
  /** Where the old log is now. */
  readonly archive: string
}

/** Puts the log away and begins the next one of its origin; its first entry says what was before and why. */
export async function beginNewLog(dataFolder: string, key: TrailKey, reason: string): Promise<NewLog> {
  const { audit, signed, checkpoint, key: keyFile } = trailPaths(dataFolder)
  const previousCheckpoint = (await readIfThere(signed)) ?? (await readIfThere(checkpoint)) ?? ''
  const { stored } = key
  const archive = join(dataFolder, 'archive', `${stored.number}-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`)
  await mkdir(audit, { recursive: true, mode: 0o700 })
  const unlock = await lockFolder(audit)
  try {
    await mkdir(archive, { recursive: true, mode: 0o700 })
    // The number first: a crash from here on leaves a new log with an old folder, which opening refuses and this mends.
    await writeTrailKey(keyFile, { ...stored, number: stored.number + 1 })
    for (const [from, name] of [
      [audit, 'audit'],
      [signed, 'signed'],
      [join(dataFolder, 'index'), 'index'],
    ] as const) {
      if (await exists(from)) await rename(from, join(archive, name))
    }
  } finally {
    await unlock()
    await rm(join(archive, 'audit', 'lock'), { force: true })
  }
  const opened = await openTrailKey(keyFile, stored.origin)
  const origin = logName(stored.origin, opened.stored.number)
  const log = await openAuditLog(audit)
  try {
    await log.append(canonicalJson(logBegins(origin, previousCheckpoint, reason)))
  } finally {
    await log.close()
  }
  return { origin, archive }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  )
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** First entry of a log that follows one which can not be continued; the checkpoint is empty when none was signed. */
function logBegins(origin: string, previousCheckpoint: string, reason: string): object {
  const detail = { previousCheckpoint, reason }
  return adminEventRecord(
    { kind: 'log', action: 'began', actor: 'cli', subjectId: origin, outcome: 'done', atEpochMs: Date.now(), detail },
    0,
  )
}
