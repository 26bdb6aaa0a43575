import { createReadStream } from 'node:fs'
import { GENESIS, checkLine } from './chain.ts'
import { listSegments, segmentPath } from './log.ts'

export interface Verdict {
  readonly ok: boolean
  readonly entries: number
  readonly segments: number
  /** Hash of the last entry: whoever noted it earlier can see that nothing before it has changed. */
  readonly head: string
  /** Where and why it fails; empty when it does not. */
  readonly reason: string
}

/** Reads the whole trail from its files alone and checks every hash and every link. `onEntry` sees each entry's JSON. */
export async function verifyTrail(folder: string, onEntry?: (text: string, seq: number) => void): Promise<Verdict> {
  const segments = await listSegments(folder)
  let [seq, head] = [0, GENESIS]
  for (const [at, segment] of segments.entries()) {
    if (segment !== at) return { ok: false, entries: seq, segments: at, head, reason: `segment ${at} is missing` }
    for await (const line of linesOf(segmentPath(folder, segment))) {
      const check = checkLine(line, seq, head)
      if (!check.ok) {
        return {
          ok: false,
          entries: seq,
          segments: at + 1,
          head,
          reason: `entry ${seq} (${segmentPath(folder, segment)}): ${check.reason}`,
        }
      }
      onEntry?.(check.text, seq)
      seq += 1
      head = check.hash
    }
  }
  return { ok: true, entries: seq, segments: segments.length, head, reason: '' }
}

/** Lines end at a line feed and nothing else: names that callers choose may hold U+2028, which node:readline takes for an end. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = ''
  for await (const piece of createReadStream(path, { encoding: 'utf8' })) {
    const lines = (rest + String(piece)).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}
