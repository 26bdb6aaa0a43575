import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { type Scan, listSegments, scanSegment, segmentPath } from './segment.ts'

export interface TrailScan {
  readonly segments: number
  /** Entries before the first that is not good. */
  readonly entries: number
  /** Bytes of an unfinished entry at the very end: a crash, or one that is being written now. */
  readonly tornBytes: number
  /** Where and why it is broken; undefined when it is not. */
  readonly bad: { readonly index: number; readonly path: string; readonly reason: string } | undefined
}

export interface TrailScanOptions {
  /** Sees the leaf hashes of one segment after the other. */
  readonly onLeaves: (leaves: Uint8Array) => void
  /** Bytes read so far, and of all. */
  readonly onProgress?: ((doneBytes: number, allBytes: number) => void) | undefined
  /** Bytes from which on a thread a core reads. Default 96 MB. */
  readonly threadsFromBytes?: number | undefined
}

/** A trail smaller than this is read by this thread: starting others would take longer. */
const WORKERS_FROM_BYTES = 96 * 1024 * 1024

/** What of a scan crosses from a worker. */
export type SegmentScan = Omit<Scan, 'bytes'>

/** Reads all segments, a thread a core where that is worth it, and checks every leaf hash and that no segment is missing. */
export async function scanTrail(folder: string, options: TrailScanOptions): Promise<TrailScan> {
  const segments = await listSegments(folder)
  const sizes = await Promise.all(segments.map(async (first) => (await stat(segmentPath(folder, first))).size))
  const allBytes = sizes.reduce((sum, size) => sum + size, 0)
  const isLarge = allBytes >= (options.threadsFromBytes ?? WORKERS_FROM_BYTES) && segments.length > 1
  const threads = isLarge ? Math.min(availableParallelism(), segments.length) : 0
  const readers = Array.from({ length: Math.max(1, threads) }, () => (threads === 0 ? localReader() : workerReader()))
  const results = segments.map((first) => ({ first, ...Promise.withResolvers<SegmentScan>() }))
  // A result may fail when nobody looks at it any more.
  for (const { promise } of results) promise.catch(() => undefined)
  let next = 0
  // Each reader takes the next segment as soon as it is free; results are looked at in order.
  const feed = async (reader: SegmentReader): Promise<void> => {
    for (let own = results[next++]; own !== undefined; own = results[next++]) {
      await reader.scan(segmentPath(folder, own.first)).then(own.resolve, own.reject)
    }
  }
  try {
    for (const reader of readers) void feed(reader)
    return await inOrder(folder, results, { sizes, allBytes }, options)
  } finally {
    next = results.length
    await Promise.all(readers.map((reader) => reader.close()))
  }
}

async function inOrder(
  folder: string,
  results: readonly { readonly first: number; readonly promise: Promise<SegmentScan> }[],
  { sizes, allBytes }: { readonly sizes: readonly number[]; readonly allBytes: number },
  { onLeaves, onProgress }: TrailScanOptions,
): Promise<TrailScan> {
  let [entries, tornBytes, doneBytes] = [0, 0, 0]
  for (const [at, { first, promise }] of results.entries()) {
    const path = segmentPath(folder, first)
    const broken = (reason: string): TrailScan => ({
      segments: at + 1,
      entries,
      tornBytes: 0,
      bad: { index: entries, path, reason },
    })
    if (first > entries) return broken(`entries ${entries} to ${first - 1} are missing`)
    if (first < entries) return broken(`the segment begins with entry ${first}, which stands before it already`)
    const scan = await promise
    onLeaves(scan.leaves)
    entries += scan.entries
    doneBytes += sizes[at] ?? 0
    onProgress?.(doneBytes, allBytes)
    if (scan.bad !== undefined) return broken(scan.bad)
    if (scan.tornBytes > 0 && at < results.length - 1) return broken('the entry is cut off')
    tornBytes = scan.tornBytes
  }
  return { segments: results.length, entries, tornBytes, bad: undefined }
}

interface SegmentReader {
  scan(path: string): Promise<SegmentScan>
  close(): Promise<void>
}

function localReader(): SegmentReader {
  return { scan: async (path) => scanSegment(path), close: () => Promise.resolve() }
}

function workerReader(): SegmentReader {
  const worker = new Worker(new URL('scan-worker.ts', import.meta.url))
  let waiting: PromiseWithResolvers<SegmentScan> | undefined
  worker.on('message', (message: SegmentScan | { readonly failed: string }) => {
    if ('failed' in message) waiting?.reject(new Error(message.failed))
    else waiting?.resolve(message)
  })
  worker.on('error', (error) => waiting?.reject(error))
  return {
    scan: (path) => {
      waiting = Promise.withResolvers()
      worker.postMessage(path)
      return waiting.promise
    },
    close: async () => void (await worker.terminate()),
  }
}
