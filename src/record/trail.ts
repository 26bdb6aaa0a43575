import { join } from 'node:path'
import { replaceFile } from '#kit/durable-file.ts'
import type { OpenedCheckpoint } from '#tlog/checkpoint.ts'
import { type Signer, formatVkey } from '#tlog/key.ts'
import { type AuditLog, openAuditLog } from './log.ts'
import { openTree } from './open-tree.ts'
import { Publisher } from './publisher.ts'
import { readIfThere, readSigned, trailPaths } from './signed.ts'
import type { Witness, WitnessState } from './witness-feed.ts'

export interface TrailOptions {
  /** The folder that `audit/` is in. */
  readonly dataFolder: string
  /** Signs as the log: its name is the origin. */
  readonly signer: Signer
  /** Who is asked to cosign. Default nobody. */
  readonly witnesses?: readonly Witness[]
  /** Cosignatures that a checkpoint needs. Default all. */
  readonly quorum?: number
  /** Milliseconds between two checkpoints while the log grows. Default 1000. */
  readonly everyMs?: number
  readonly segmentBytes?: number
  readonly onProblem: (problem: string) => void
  readonly onSigned?: (checkpoint: OpenedCheckpoint) => void
}

export interface TrailStatus {
  readonly origin: string
  readonly size: number
  readonly signedSize: number
  readonly cosignedSize: number
  readonly witnesses: readonly WitnessState[]
}

/** The audit log with its tree: entries go in at `log`, checkpoints come out. */
export interface Trail {
  readonly log: AuditLog
  /** The log's verifier key, for whoever checks it. */
  readonly vkey: string
  /** The last signed checkpoint with its cosignatures, or undefined before the first. */
  readonly checkpoint: () => Promise<string | undefined>
  readonly status: () => TrailStatus
  /** Signs now what is durable, instead of at the next second. */
  readonly publish: () => Promise<void>
  /** Closes the log, signs its end, and gives witnesses a moment. */
  readonly close: () => Promise<void>
}

const EVERY_MS = 1000

/**
 * Opens the audit trail of a data folder for writing.
 * @throws {LogConflict} when it is shorter than what was signed, or another; and as `openAuditLog` does.
 */
export async function openTrail(options: TrailOptions): Promise<Trail> {
  const { dataFolder, signer, segmentBytes, witnesses = [] } = options
  const paths = trailPaths(dataFolder)
  const signed = await readSigned(dataFolder, signer.key)
  const fresh: { to: (hashes: readonly string[]) => void } = { to: () => undefined }
  const log = await openAuditLog(paths.audit, {
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    onCommitted: (hashes) => fresh.to(hashes),
  })
  try {
    const { tree, mended } = await openTree(paths.audit, log, signed)
    // For whoever gets a copy of the log alone.
    await replaceFile(join(paths.audit, 'log.vkey'), `${formatVkey(signer.key)}\n`)
    const publisher = new Publisher({
      dataFolder,
      signer,
      tree,
      signed: signed[0],
      cosignedSize: await sizeOfCosigned(paths.cosigned),
      witnesses,
      quorum: options.quorum ?? witnesses.length,
      onProblem: options.onProblem,
      onSigned: options.onSigned,
    })
    fresh.to = (hashes) => publisher.take(hashes)
    const timer = setInterval(() => void publisher.publish(), options.everyMs ?? EVERY_MS)
    timer.unref()
    return {
      log: guarded(log, publisher, [log.mended, mended].filter((text) => text !== '').join('; ')),
      vkey: formatVkey(signer.key),
      checkpoint: () => readIfThere(paths.checkpoint),
      status: () => ({
        origin: signer.key.name,
        size: log.size,
        signedSize: publisher.signedSize,
        cosignedSize: publisher.cosignedSize,
        witnesses: publisher.witnesses,
      }),
      publish: () => publisher.publish(),
      close: async () => {
        clearInterval(timer)
        await log.drained()
        await publisher.close()
        await log.close()
      },
    }
  } catch (error) {
    await log.close()
    throw error
  }
}

/** A log that takes nothing once a witness has said that it is not the whole log. */
function guarded(log: AuditLog, publisher: Publisher, mended: string): AuditLog {
  return {
    append: (text) => {
      const { conflict } = publisher
      return conflict === undefined ? log.append(text) : Promise.reject(new Error(conflict))
    },
    get trouble() {
      return publisher.conflict ?? log.trouble
    },
    get size() {
      return log.size
    },
    mended,
    close: () => log.close(),
  }
}

/** Only its own first lines count here: what is cosigned is checked by whoever relies on it. */
async function sizeOfCosigned(path: string): Promise<number> {
  const text = await readIfThere(path)
  return text === undefined ? 0 : Number(text.split('\n')[1])
}
