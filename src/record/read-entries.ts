import { listSegments, scanSegment, segmentPath } from './segment.ts'

/** One entry as it stands in the log. */
export interface StoredEntry {
  readonly index: number
  /** The canonical JSON that was logged, byte for byte. */
  readonly bytes: Buffer
}

/** The entry at `index`, or undefined when the log has none. @throws when it does not match its hash. */
export async function readEntry(folder: string, index: number): Promise<StoredEntry | undefined> {
  const first = (await listSegments(folder)).findLast((candidate) => candidate <= index)
  if (first === undefined) return undefined
  let found: StoredEntry | undefined
  const path = segmentPath(folder, first)
  const scan = scanSegment(path, {
    maxEntries: index - first + 1,
    onEntry: (entry, at) => {
      if (first + at === index) found = { index, bytes: Buffer.from(entry) }
    },
  })
  if (found === undefined && scan.bad !== undefined)
    throw new Error(`entry ${first + scan.entries} (${path}): ${scan.bad}`)
  return found
}

/**
 * Hands each good entry on, from the segment that `from` is in. The bytes are valid during the call only.
 * @returns entries of the log up to the end or the first bad one, and why it ends there.
 */
export async function eachEntry(
  folder: string,
  onEntry: (entry: StoredEntry) => void,
  from = 0,
): Promise<{ readonly entries: number; readonly bad: string | undefined }> {
  const segments = await listSegments(folder)
  const begin = Math.max(
    0,
    segments.findLastIndex((first) => first <= from),
  )
  let entries = segments[begin] ?? 0
  for (const first of segments.slice(begin)) {
    if (first !== entries) return { entries, bad: `entries from ${entries} on are missing` }
    const scan = scanSegment(segmentPath(folder, first), {
      onEntry: (bytes, at) => {
        if (first + at >= from) onEntry({ index: first + at, bytes })
      },
    })
    entries += scan.entries
    if (scan.bad !== undefined) return { entries, bad: `entry ${entries}: ${scan.bad}` }
  }
  return { entries, bad: undefined }
}
