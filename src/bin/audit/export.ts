import { once } from 'node:events'
import { openCheckpoint } from '#tlog/checkpoint.ts'
import { exportTiles } from '#record/export-tiles.ts'
import { listSegments, scanSegment, segmentPath } from '#record/segment.ts'
import type { Given } from '#bin/command.ts'
import { checkpointOf, keyBeside, placeOf } from './place.ts'

/** `audit export`: the entries as NDJSON, or a complete static log. */
export async function exportTrail(given: Given): Promise<number> {
  const to = given.text('tiles')
  return to === undefined ? exportLines(given) : exportStatic(given, to)
}

const PIECE_BYTES = 1024 * 1024

async function exportLines(given: Given): Promise<number> {
  const { audit } = await placeOf(given)
  let expected = 0
  for (const first of await listSegments(audit)) {
    if (first !== expected) return broken(expected, 'entries are missing')
    const lines: Buffer[] = []
    const scan = scanSegment(segmentPath(audit, first), {
      onEntry: (entry) => void lines.push(Buffer.concat([entry, Buffer.from('\n')])),
    })
    for (const piece of pieces(lines)) if (!process.stdout.write(piece)) await once(process.stdout, 'drain')
    expected += scan.entries
    if (scan.bad !== undefined) return broken(expected, scan.bad)
  }
  return 0
}

function* pieces(lines: readonly Buffer[]): Generator<Buffer> {
  let [held, bytes]: [Buffer[], number] = [[], 0]
  for (const line of lines) {
    held.push(line)
    bytes += line.length
    if (bytes < PIECE_BYTES) continue
    yield Buffer.concat(held)
    ;[held, bytes] = [[], 0]
  }
  if (bytes > 0) yield Buffer.concat(held)
}

function broken(entries: number, reason: string): number {
  process.stderr.write(`the trail is broken after ${entries} entries: ${reason}\n`)
  return 1
}

async function exportStatic(given: Given, to: string): Promise<number> {
  const place = await placeOf(given)
  const key = await keyBeside(place)
  const note = await checkpointOf(place)
  if (key === undefined || note === undefined) throw new Error('there is no signed checkpoint to export')
  const checkpoint = await openCheckpoint(note, key)
  const files = await exportTiles(place.audit, { checkpoint, note, to })
  process.stdout.write(`${checkpoint.size} entries of ${checkpoint.origin} in ${files} files in ${to}\n`)
  return 0
}
