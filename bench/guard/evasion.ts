import { scan } from '#detect/scan.ts'
import { readRows } from './data.ts'
import { counts, overlaps, typesOf } from './judge.ts'
import { type Outcome, outcome, share } from './outcome.ts'

/** Disguises by what is looked through: characters, or an encoding. */
const UNICODE = ['zero_width', 'fullwidth', 'homoglyph', 'tag_chars', 'soft_hyphen', 'nbsp_dash']
const ENCODINGS = ['base64', 'base64url', 'hex', 'percent', 'html_entity', 'json_unicode', 'line_wrap', 'spaced']

/** Values in disguise: found when a finding of the right type covers a part of the disguised place. */
export function judgeEvasion(folder: string): Outcome[] {
  const by = new Map<string, { total: number; hit: number; missed: string[] }>()
  for (const { text, spans = [], evasion = '' } of readRows(folder, 'evasion')) {
    const found = scan(text)
    const entry = by.get(evasion) ?? { total: 0, hit: 0, missed: [] }
    by.set(evasion, entry)
    for (const span of spans) {
      entry.total += 1
      if (found.some((one) => typesOf(span[2]).includes(one.type) && overlaps(one, span))) entry.hit += 1
      else entry.missed.push(span[2])
    }
  }
  return [
    group('Unicode', UNICODE, 0.97, 0.99),
    group('encodings', ENCODINGS, 0.9, 0.95),
    ...[...by.keys()].map(single),
  ]

  function group(name: string, kinds: readonly string[], floor: number, target: number): Outcome {
    const entries = kinds.flatMap((kind) => by.get(kind) ?? [])
    const total = entries.reduce((sum, entry) => sum + entry.total, 0)
    const rate = entries.reduce((sum, entry) => sum + entry.hit, 0) / total
    return outcome(`evasion, ${name}: found`, `${share(rate)} of ${total}`, {
      floor: `${floor}`,
      target: `${target}`,
      isMet: rate >= floor,
      misses: counts(entries.flatMap(({ missed }) => missed.map((label) => label.split(':')[0] ?? ''))),
    })
  }

  function single(kind: string): Outcome {
    const { total, hit, missed } = by.get(kind) ?? { total: 0, hit: 0, missed: [] }
    return outcome(`evasion, ${kind}`, `${share(hit / total)} of ${total}`, { misses: counts(missed, 12) })
  }
}
