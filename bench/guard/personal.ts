import type { Finding } from '#contract/screened.ts'
import { scan } from '#detect/scan.ts'
import { type Row, readRows } from './data.ts'
import { type Tally, counts, newTally, overlaps, scoreOf, typesOf } from './judge.ts'
import { type Outcome, outcome, share } from './outcome.ts'

const SETS = ['presidio_synth_v2', 'presidio_generated_large', 'presidio_generated_small'] as const

/** Floors and targets of F1 by label of the data; other labels are reported without one. */
const GOALS: Readonly<Record<string, readonly [floor: number, target: number]>> = {
  EMAIL: [0.99, 1],
  US_SSN: [0.99, 1],
  IP: [0.99, 1],
  DOMAIN: [0.99, 1],
  CREDIT_CARD: [0.97, 0.99],
  IBAN: [0.98, 1],
  PHONE: [0.9, 0.94],
  PERSON: [0.75, 0.82],
}

/** Personal data by type: overlap with a marked place, same type. */
export function judgePersonal(folder: string): Outcome[] {
  return SETS.flatMap((set) => {
    const tallies = tallyOf(readRows(folder, set))
    return [...tallies].sort(byGoal).map(([label, tally]) => {
      const { precision, recall, f1 } = scoreOf(tally)
      const goal = GOALS[label]
      return outcome(
        `${label}, ${set}`,
        `F1 ${share(f1)} (P ${share(precision)}, R ${share(recall)}, n ${tally.truths})`,
        {
          floor: goal === undefined ? '' : `F1 ${goal[0]}`,
          target: goal === undefined ? '' : `${goal[1]}`,
          isMet: goal === undefined ? undefined : f1 >= goal[0],
          misses: `${tally.truths - tally.hit} missed, ${tally.findings - tally.right} false`,
        },
      )
    })
  })
}

function byGoal([a]: readonly [string, Tally], [b]: readonly [string, Tally]): number {
  return Number(GOALS[a] === undefined) - Number(GOALS[b] === undefined)
}

function tallyOf(rows: readonly Row[]): Map<string, Tally> {
  const labels = new Set(rows.flatMap(({ spans = [] }) => spans.map(([, , label]) => label)))
  const tallies = new Map([...labels].map((label) => [label, newTally()]))
  for (const { text, spans = [] } of rows) {
    const found = scan(text)
    for (const [label, tally] of tallies) {
      const truths = spans.filter((span) => span[2] === label)
      const ours = found.filter(({ type }) => typesOf(label).includes(type))
      tally.truths += truths.length
      tally.hit += truths.filter((span) => ours.some((finding) => overlaps(finding, span))).length
      tally.findings += ours.length
      tally.right += ours.filter((finding) => truths.some((span) => overlaps(finding, span))).length
    }
  }
  return tallies
}

/** Presidio's own recogniser tests: positives found, negatives flagged with the type they must not be. */
export function judgeRecognisers(folder: string): Outcome[] {
  let [positives, hit, negatives, flagged] = [0, 0, 0, 0]
  const missed: string[] = []
  const wrong: string[] = []
  for (const row of readRows(folder, 'presidio_recognizer_tests')) {
    const found = scan(row.text)
    if (row.negative_for !== undefined) {
      negatives += 1
      if (!has(found, row.negative_for)) continue
      flagged += 1
      wrong.push(row.negative_for)
    } else if ((row.spans?.length ?? 0) > 0 || (row.expected_count ?? 0) > 0) {
      positives += 1
      if (isFound(row, found)) hit += 1
      else missed.push(row.type ?? '')
    }
  }
  return [
    outcome('recogniser cases: positives found', `${share(hit / positives)} of ${positives}`, {
      floor: '0.90',
      target: '0.95',
      isMet: hit / positives >= 0.9,
      misses: counts(missed, 60),
    }),
    outcome('recogniser cases: negatives flagged', `${share(flagged / negatives)} of ${negatives}`, {
      floor: '0.03',
      target: '0.01',
      isMet: flagged / negatives <= 0.03,
      misses: counts(wrong, 60),
    }),
  ]
}

function isFound({ spans = [], type = '' }: Row, found: readonly Finding[]): boolean {
  if (spans.length === 0) return has(found, type)
  return spans.every((span) =>
    found.some((finding) => typesOf(span[2]).includes(finding.type) && overlaps(finding, span)),
  )
}

function has(found: readonly Finding[], label: string): boolean {
  return found.some(({ type }) => typesOf(label).includes(type))
}
