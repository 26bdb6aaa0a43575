import { sameBytes, toHex } from '#tlog/bytes.ts'
import { TlogError } from '#tlog/error.ts'
import { Frontier } from '#tlog/frontier.ts'
import { HASH_BYTES } from '#tlog/hash.ts'
import { type Policy, type PolicyVerdict, checkPolicy } from '#tlog/policy.ts'
import { scanTrail } from './scan-trail.ts'
import { sha256 } from './segment.ts'

export interface VerifyOptions {
  /** Whose signatures count. */
  readonly policy: Policy
  /** The signed checkpoint, as it was read before the entries; undefined when there is none. */
  readonly checkpoint: string | undefined
  readonly onProgress?: (doneBytes: number, allBytes: number) => void
}

export interface Verdict {
  readonly ok: boolean
  readonly entries: number
  readonly segments: number
  /** Entries that the checkpoint covers. */
  readonly signed: number
  /** Good entries behind it, which no signature covers yet. */
  readonly unsigned: number
  /** Root of the signed tree, hex. */
  readonly root: string
  /** Bytes of an unfinished entry at the end. */
  readonly tornBytes: number
  /** Policy names of witnesses that cosigned, with the time in seconds since 1970. */
  readonly cosigned: Readonly<Record<string, number>>
  /** Index of the first bad entry, when one is. */
  readonly badIndex: number | undefined
  /** Where and why it fails; empty when it does not. */
  readonly reason: string
}

/** Checks a whole trail from its files alone: every leaf hash, the tree, the signatures. */
export async function verifyTrail(folder: string, options: VerifyOptions): Promise<Verdict> {
  const { policy, checkpoint: note, onProgress } = options
  const opened = await judged(policy, note)
  const signedSize = opened.verdict?.checkpoint.size ?? 0
  const frontier = new Frontier(sha256)
  let signedRoot = signedSize === 0 ? frontier.root() : undefined
  const scan = await scanTrail(folder, {
    onProgress,
    onLeaves: (leaves) => {
      for (let at = 0; at < leaves.length && frontier.size < signedSize; at += HASH_BYTES) {
        frontier.push(leaves.subarray(at, at + HASH_BYTES))
        if (frontier.size === signedSize) signedRoot = frontier.root()
      }
    },
  })
  const { bad } = scan
  const reason =
    bad !== undefined
      ? `entry ${bad.index} (${bad.path}): ${bad.reason}`
      : opened.reason !== ''
        ? opened.reason
        : againstTree(scan.entries, opened.verdict, signedRoot)
  return {
    ok: reason === '',
    entries: scan.entries,
    segments: scan.segments,
    signed: Math.min(signedSize, scan.entries),
    unsigned: Math.max(0, scan.entries - signedSize),
    root: opened.verdict === undefined ? '' : toHex(opened.verdict.checkpoint.root),
    tornBytes: scan.tornBytes,
    cosigned: Object.fromEntries(opened.verdict?.cosigned ?? []),
    badIndex: bad?.index,
    reason,
  }
}

async function judged(
  policy: Policy,
  note: string | undefined,
): Promise<{ readonly verdict: PolicyVerdict | undefined; readonly reason: string }> {
  if (note === undefined) return { verdict: undefined, reason: 'there is no signed checkpoint' }
  try {
    return { verdict: await checkPolicy(policy, note), reason: '' }
  } catch (error) {
    if (error instanceof TlogError) return { verdict: undefined, reason: `the checkpoint: ${error.message}` }
    throw error
  }
}

function againstTree(entries: number, verdict: PolicyVerdict | undefined, root: Uint8Array | undefined): string {
  if (verdict === undefined) return ''
  const { size, root: signed } = verdict.checkpoint
  if (root === undefined) return `${size} entries were signed, ${entries} are here`
  return sameBytes(root, signed) ? '' : `the first ${size} entries are not those that were signed`
}
