import type { PassageWithVector } from '#dataplane/index/store.ts'
import { FindingsJson } from './findings.ts'
import type { Candidate } from './rank.ts'

/** White space between two passages that stand side by side in a document: a paragraph's end, a page's end. */
const GAP_CHARS = 8
/** A passage that was put together of neighbours is not longer. */
const MERGED_CHARS = 4000
/** Characters of a token, roughly. */
const TOKEN_CHARS = 4

/**
 * Passages that follow each other in one document become one, at the place of the better: the model reads them in the
 * order in which they were written, and source and heading are said once.
 */
export function mergeNeighbours(candidates: readonly Candidate[]): Candidate[] {
  const rank = new Map(candidates.map(({ key }, at) => [key, at]))
  const inOrder = candidates.toSorted(
    (a, b) => documentOf(a).localeCompare(documentOf(b)) || a.passage.start - b.passage.start,
  )
  const merged: { candidate: Candidate; rank: number }[] = []
  for (const candidate of inOrder) {
    const own = rank.get(candidate.key) ?? 0
    const last = merged.at(-1)
    if (last !== undefined && areNeighbours(last.candidate, candidate)) {
      const better = last.rank < own ? last.candidate : candidate
      const passage = joined(last.candidate.passage, candidate.passage, better.passage)
      merged[merged.length - 1] = {
        candidate: { ...better, key: last.candidate.key, passage },
        rank: Math.min(last.rank, own),
      }
    } else {
      merged.push({ candidate, rank: own })
    }
  }
  return merged.toSorted((a, b) => a.rank - b.rank).map(({ candidate }) => candidate)
}

function documentOf({ collection, passage }: Candidate): string {
  return `${collection}\n${passage.document}`
}

function areNeighbours(a: Candidate, b: Candidate): boolean {
  const gap = b.passage.start - a.passage.end
  return (
    documentOf(a) === documentOf(b) &&
    a.passage.generation === b.passage.generation &&
    a.passage.rules === b.passage.rules &&
    gap >= 0 &&
    gap <= GAP_CHARS &&
    a.passage.text.length + b.passage.text.length <= MERGED_CHARS
  )
}

function joined(a: PassageWithVector, b: PassageWithVector, better: PassageWithVector): PassageWithVector {
  // Passages are trimmed, so what stands between them is white space: as much of it as there was keeps the offsets.
  const between = '\n'.repeat(b.start - a.end)
  const shift = a.text.length + between.length
  const findings = [
    ...FindingsJson.parse(a.findings),
    ...FindingsJson.parse(b.findings).map((finding) => ({
      ...finding,
      start: finding.start + shift,
      end: finding.end + shift,
    })),
  ]
  return {
    ...a,
    heading: a.heading === b.heading ? a.heading : better.heading,
    end: b.end,
    lastRecord: b.lastRecord,
    text: a.text + between + b.text,
    findings: JSON.stringify(findings),
  }
}

/** The best passages whose estimated tokens fit; the first stays whatever its size. */
export function withinTokens(candidates: readonly Candidate[], maxTokens = Number.POSITIVE_INFINITY): Candidate[] {
  let tokens = 0
  const kept: Candidate[] = []
  for (const candidate of candidates) {
    tokens += Math.ceil(candidate.passage.text.length / TOKEN_CHARS)
    if (kept.length > 0 && tokens > maxTokens) break
    kept.push(candidate)
  }
  return kept
}
