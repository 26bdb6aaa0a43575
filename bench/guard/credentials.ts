import type { Finding } from '#contract/screened.ts'
import { scan } from '#detect/scan.ts'
import { type Row, type Span, readRows } from './data.ts'
import { counts, newTally, overlaps, scoreOf } from './judge.ts'
import { type Outcome, outcome, share } from './outcome.ts'

function secrets(text: string): Finding[] {
  return scan(text).filter(({ type }) => type === 'SECRET')
}

/** Cases of 222 kinds of credential: positives with a finding on the marked place, negatives with any finding. */
export function judgeRuleCases(folder: string): Outcome[] {
  let [positives, hit, negatives, flagged] = [0, 0, 0, 0]
  const missed: string[] = []
  const wrong: string[] = []
  for (const { text, label, rule = '', spans = [] } of readRows(folder, 'gitleaks_rule_cases')) {
    const found = secrets(text)
    if (label === 1) {
      positives += 1
      const isHit =
        spans.length === 0 ? found.length > 0 : spans.every((span) => found.some((one) => overlaps(one, span)))
      if (isHit) hit += 1
      else missed.push(rule)
    } else {
      negatives += 1
      if (found.length > 0) flagged += 1
      if (found.length > 0) wrong.push(`${rule} (${found[0]?.detector})`)
    }
  }
  return [
    outcome('structured credentials: cases found', `${share(hit / positives)} of ${positives}`, {
      floor: '0.98',
      target: '0.99',
      isMet: hit / positives >= 0.98,
      misses: counts(missed),
    }),
    outcome('structured credentials: negatives flagged', `${share(flagged / negatives)} of ${negatives}`, {
      floor: '0.02',
      target: '0',
      isMet: flagged / negatives <= 0.02,
      misses: counts(wrong),
    }),
  ]
}

/** Which half a repository is in: when both halves have about the same figures, rules are not about single ones. */
export function isFirstHalf({ origin = '' }: Row): boolean {
  const repository = /\(([^@]+)@/.exec(origin)?.[1] ?? origin
  let sum = 0
  for (const char of repository) sum = (sum * 31 + char.charCodeAt(0)) % 65_521
  return sum % 2 === 0
}

/**
 * Real code with credentials marked. Tiers `structured` and `generic` count; `low` (identifiers, buckets, salts) and
 * what is marked to be ignored count neither way; every other finding is false.
 */
export function judgeCode(folder: string): Outcome[] {
  const rows = readRows(folder, 'creddata_sub')
  return [
    codeOutcome('credentials in code, all repositories', rows, true),
    codeOutcome('credentials in code, one half of the repositories', rows.filter(isFirstHalf), false),
    codeOutcome(
      'credentials in code, the other half',
      rows.filter((row) => !isFirstHalf(row)),
      false,
    ),
    chosenPasswords(rows),
  ]
}

/** What people choose: words, names, years, and a mark at the end. Not from any list of leaked ones. */
const CHOSEN = [
  'sunshine',
  'letmein',
  'dragonfly',
  'monday',
  'postgres',
  'welcome1',
  'summer2024',
  'Passw0rd!',
  'admin123',
  'hunter22',
  'test1234',
  'Winter#19',
  'iloveyou',
  'swordfish',
  'correct-horse',
  'toor',
]

/**
 * The marked passwords are random letters, so a test for words looks better on them than it is. Here each is replaced
 * by one that a person might choose, and looked for again at the same place.
 */
function chosenPasswords(rows: readonly Row[]): Outcome {
  let [total, hit] = [0, 0]
  const missed: string[] = []
  for (const { text, spans = [] } of rows) {
    const span = spans.find(([, , label, tier]) => tier === 'generic' && label.startsWith('Password'))
    if (span === undefined) continue
    const chosen = CHOSEN[total % CHOSEN.length] ?? ''
    total += 1
    const found = secrets(text.slice(0, span[0]) + chosen + text.slice(span[1]))
    if (found.some((one) => overlaps(one, [span[0], span[0] + chosen.length, '']))) hit += 1
    else missed.push(`number ${CHOSEN.indexOf(chosen) + 1} of the list`)
  }
  return outcome('the same places with passwords that people choose', `R ${share(hit / total)} of ${total}`, {
    target: 'R 0.65',
    misses: counts(missed),
  })
}

function codeOutcome(name: string, rows: readonly Row[], isGoal: boolean): Outcome {
  const all = newTally()
  const tiers = { structured: newTally(), generic: newTally() }
  const missed: string[] = []
  const wrong: string[] = []
  for (const { text, spans = [], ignore = [] } of rows) {
    const found = secrets(text)
    const sensitive = spans.filter(([, , , tier]) => tier !== 'low')
    for (const span of sensitive) {
      const tier = tiers[span[3] === 'structured' ? 'structured' : 'generic']
      const isHit = found.some((finding) => overlaps(finding, span))
      for (const tally of [all, tier]) {
        tally.truths += 1
        if (isHit) tally.hit += 1
      }
      if (!isHit) missed.push(span[2])
    }
    for (const finding of found) {
      const on = (places: readonly Span[]): boolean => places.some((span) => overlaps(finding, span))
      const isRight = on(sensitive)
      if (!isRight && (on(spans) || on(ignore))) continue
      all.findings += 1
      if (isRight) all.right += 1
      else wrong.push(finding.detector)
    }
  }
  const { precision, recall, f1 } = scoreOf(all)
  const tierRecall = ({ truths, hit }: typeof all): string => share(truths === 0 ? 1 : hit / truths)
  return outcome(
    name,
    `F1 ${share(f1)} (P ${share(precision)}, R ${share(recall)}; R structured ${tierRecall(tiers.structured)}, generic ${tierRecall(tiers.generic)}; n ${all.truths})`,
    {
      floor: isGoal ? 'F1 0.80, P 0.80' : '',
      target: isGoal ? 'F1 0.86, P 0.85, R 0.85' : '',
      isMet: isGoal ? f1 >= 0.8 && precision >= 0.8 : undefined,
      misses: `missed: ${counts(missed, 12)}; false: ${counts(wrong, 12)}`,
    },
  )
}

/** Texts in which nothing was planted: false secrets a million characters. */
export function judgeBenign(folder: string): Outcome[] {
  const texts = [
    ...readRows(folder, 'benign_code_docs'),
    ...readRows(folder, 'prompt_injection').filter(({ label }) => label === 0),
  ]
  const found = texts.flatMap(({ text }) => secrets(text))
  const megabytes = texts.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0) / 1e6
  const rate = found.length / megabytes
  return [
    outcome(
      'false secrets in benign code, docs and prompts',
      `${rate.toFixed(1)} a MB (${found.length} in ${megabytes.toFixed(2)} MB)`,
      {
        floor: '10 a MB',
        target: '4 a MB',
        isMet: rate <= 10,
        misses: counts(found.map(({ detector }) => detector)),
      },
    ),
  ]
}
