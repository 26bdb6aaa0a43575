import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Numbers, medians } from './journey.ts'
import type { MachineFacts } from './machine.ts'
import { SIDES, type SideName } from './sides.ts'

/** Everything that was found out about the journey. */
export interface JourneyResult {
  readonly rounds: Readonly<Partial<Record<SideName, readonly Numbers[]>>>
  /** Sides that were left out, and why. */
  readonly skipped: Readonly<Partial<Record<SideName, string>>>
}

export interface Report {
  readonly date: string
  readonly machine: MachineFacts
  readonly command: string
  readonly note: string
  readonly journey: JourneyResult | undefined
  /** The other parts. */
  readonly sections: readonly Section[]
}

/** One part of the report: the text that is shown and the numbers behind it. */
export interface Section {
  readonly name: string
  readonly markdown: string
  readonly numbers: unknown
}

/** Writes the report and, beside it, all raw values as JSON. */
export async function writeReport(file: string, report: Report): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, markdownOf(report))
  await writeFile(file.replace(/\.md$/, '') + '.json', `${JSON.stringify(report, undefined, 1)}\n`)
}

/** The report as it is printed and kept. */
export function markdownOf(report: Report): string {
  const { machine } = report
  const facts = [
    `- machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, Linux ${machine.kernel}, audit trail on ${machine.fileSystem}`,
    `- Node ${machine.node}; load average before the first run ${machine.loadAverage.join(', ')}`,
    `- ${machine.isPinned ? 'the process under test alone on core 0; load generator, upstream and everything else on core 1' : `NOT pinned to cores: ${machine.whyNotPinned}`}`,
    `- command: \`${report.command}\``,
  ]
  const parts = [`# Benchmark of ${report.date}`, facts.join('\n')]
  if (report.journey !== undefined) parts.push(journeyMarkdown(report.journey, report.note))
  parts.push(...report.sections.map(({ markdown }) => markdown))
  return `${parts.join('\n\n')}\n`
}

interface Row {
  readonly label: string
  readonly value: (numbers: Numbers, direct: Numbers) => number | undefined
  readonly digits: number
}

const own = (key: string) => (numbers: Numbers) => numbers[key]
const added = (key: string) => (numbers: Numbers, direct: Numbers) => difference(numbers[key], direct[key])
const perSecond = (key: string) => (numbers: Numbers) => quotient(1000, numbers[key])
const percent = (key: string) => (numbers: Numbers) => times(numbers[key], 100)

const ROWS: readonly Row[] = [
  { label: 'requests/s, whole answers, closed loop', value: own('wholeRps'), digits: 0 },
  { label: 'whole answers a second of processor time', value: perSecond('wholeCpuMs'), digits: 0 },
  { label: 'streams a second of processor time', value: perSecond('streamCpuMs'), digits: 0 },
  { label: 'processor ms a request, whole', value: own('wholeCpuMs'), digits: 3 },
  { label: 'p50 ms, whole, closed loop', value: own('wholeP50Ms'), digits: 2 },
  { label: 'p99 ms, whole, closed loop', value: own('wholeP99Ms'), digits: 2 },
  { label: 'requests/s, streams of 20 deltas, closed loop', value: own('streamRps'), digits: 0 },
  { label: 'processor ms a stream', value: own('streamCpuMs'), digits: 3 },
  { label: 'p99 ms, streams, closed loop', value: own('streamP99Ms'), digits: 2 },
  { label: 'requests/s, whole, prose without personal data', value: own('proseRps'), digits: 0 },
  { label: 'requests/s, streams, prose without personal data', value: own('proseStreamRps'), digits: 0 },
  { label: 'p50 ms, one after the other, whole', value: own('sequentialP50Ms'), digits: 3 },
  { label: '… added to the upstream', value: added('sequentialP50Ms'), digits: 3 },
  { label: 'first content added, p50 ms, 1 stream', value: added('first1FirstP50Ms'), digits: 3 },
  { label: 'first content added, p99 ms, 1 stream', value: added('first1FirstP99Ms'), digits: 3 },
  { label: 'first content added, p50 ms, 8 streams', value: added('first8FirstP50Ms'), digits: 3 },
  { label: 'first content added, p99 ms, 8 streams', value: added('first8FirstP99Ms'), digits: 3 },
  { label: 'resident MB after load', value: own('rssMb'), digits: 0 },
  { label: 'resident MB, the most', value: own('rssPeakMb'), digits: 0 },
  { label: 'streams left by the caller', value: own('aborted'), digits: 0 },
  { label: '… noticed by the upstream', value: own('abortsNoticed'), digits: 0 },
  { label: '… after ms, p50', value: own('abortP50Ms'), digits: 2 },
  { label: '… after ms, max', value: own('abortMaxMs'), digits: 2 },
  { label: 'prompts with personal data at the upstream', value: own('leaks'), digits: 0 },
  { label: '% of its core used, whole', value: percent('wholeCore'), digits: 0 },
  { label: '% of its core used, streams', value: percent('streamCore'), digits: 0 },
  { label: '% of its core taken by others, whole', value: percent('wholeForeign'), digits: 0 },
  { label: '% of its core taken by others, streams', value: percent('streamForeign'), digits: 0 },
  { label: '% of the other core used, whole', value: percent('wholeOtherCore'), digits: 0 },
  { label: '% of the other core used, streams', value: percent('streamOtherCore'), digits: 0 },
]

function journeyMarkdown({ rounds, skipped }: JourneyResult, note: string): string {
  const sides = SIDES.filter(({ name }) => rounds[name] !== undefined)
  const middle = Object.fromEntries(sides.map(({ name }) => [name, medians(rounds[name] ?? [])]))
  const direct = middle['direct'] ?? {}
  const count = Math.max(0, ...sides.map(({ name }) => rounds[name]?.length ?? 0))
  const table = [
    `| median of ${count} ${count === 1 ? 'round' : 'rounds'} | ${sides.map(({ name }) => name).join(' | ')} |`,
    `| --- |${sides.map(() => ' ---: |').join('')}`,
    ...ROWS.map(
      ({ label, value, digits }) =>
        `| ${label} | ${sides.map(({ name }) => shown(value(middle[name] ?? {}, direct), digits)).join(' | ')} |`,
    ),
  ]
  return [
    '## The journey',
    sides.map(({ name, what }) => `- **${name}**: ${what}`).join('\n'),
    Object.entries(skipped)
      .map(([name, why]) => `- **${name}** was left out: ${why}`)
      .join('\n'),
    table.join('\n'),
    '### Budgets',
    budgets(middle),
    '### What limits',
    `${limits(middle)}${note === '' ? '' : `\n\n${note}`}`,
    '### Raw values',
    raw(rounds),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

interface Budget {
  readonly what: string
  readonly target: string
  readonly value: (middle: Readonly<Record<string, Numbers>>) => number | undefined
  readonly isMet: (value: number) => boolean
  readonly digits: number
}

/** By processor time, which holds also where the load and not the side was the limit. */
const ratioTo = (side: SideName, key: string) => (middle: Readonly<Record<string, Numbers>>) =>
  quotient(middle[side]?.[key], middle['thinplane']?.[key])
const addedMs = (key: string) => (middle: Readonly<Record<string, Numbers>>) =>
  difference(middle['thinplane']?.[key], middle['direct']?.[key])

const BUDGETS: readonly Budget[] = [
  {
    what: 'whole answers a core, of the bare proxy',
    target: '≥ 0.5',
    value: ratioTo('bare', 'wholeCpuMs'),
    isMet: (value) => value >= 0.5,
    digits: 2,
  },
  {
    what: 'streams a core, of the bare proxy',
    target: '≥ 0.5',
    value: ratioTo('bare', 'streamCpuMs'),
    isMet: (value) => value >= 0.5,
    digits: 2,
  },
  {
    what: 'whole answers a core, times Portkey',
    target: '≥ 5',
    value: ratioTo('portkey', 'wholeCpuMs'),
    isMet: (value) => value >= 5,
    digits: 1,
  },
  {
    what: 'streams a core, times Portkey',
    target: '≥ 5',
    value: ratioTo('portkey', 'streamCpuMs'),
    isMet: (value) => value >= 5,
    digits: 1,
  },
  {
    what: 'first content added, median, 1 stream',
    target: '≤ 1.5 ms',
    value: addedMs('first1FirstP50Ms'),
    isMet: (value) => value <= 1.5,
    digits: 2,
  },
  {
    what: 'resident after load',
    target: '< 200 MB',
    value: (middle) => middle['thinplane']?.['rssMb'],
    isMet: (value) => value < 200,
    digits: 0,
  },
  {
    what: 'left streams that the upstream is told of',
    target: 'all',
    value: (middle) => quotient(middle['thinplane']?.['abortsNoticed'], middle['thinplane']?.['aborted']),
    isMet: (value) => value === 1,
    digits: 2,
  },
  {
    what: '… at the latest after',
    target: '≤ 50 ms',
    value: (middle) => middle['thinplane']?.['abortMaxMs'],
    isMet: (value) => value <= 50,
    digits: 1,
  },
  {
    what: 'prompts that reached the upstream with personal data',
    target: '0',
    value: (middle) => middle['thinplane']?.['leaks'],
    isMet: (value) => value === 0,
    digits: 0,
  },
]

function budgets(middle: Readonly<Record<string, Numbers>>): string {
  const rows = BUDGETS.map(({ what, target, value, isMet, digits }) => {
    const got = value(middle)
    return `| ${what} | ${target} | ${shown(got, digits)} | ${got === undefined ? 'not measured' : isMet(got) ? 'met' : 'MISSED'} |`
  })
  return ['| budget of thinplane | target | got | |', '| --- | --- | ---: | --- |', ...rows].join('\n')
}

/** A core that is busy for this share of the time has no more to give: the rest is the start and the end of the run. */
const FULL_CORE = 0.92
/** The load generator and the upstream take turns on theirs: above this they are felt. */
const BUSY_CORE = 0.9

function limits(middle: Readonly<Record<string, Numbers>>): string {
  const lines = Object.entries(middle).flatMap(([name, numbers]) =>
    (['whole', 'stream'] as const).map(
      (key) =>
        `- ${name}, ${key === 'whole' ? 'whole answers' : 'streams'}: ${limitOf(numbers[`${key}Core`], numbers[`${key}OtherCore`])}`,
    ),
  )
  return lines.join('\n')
}

function limitOf(tested: number | undefined, other: number | undefined): string {
  if (tested === undefined) return 'the load generator and the upstream on their core'
  if (tested >= FULL_CORE && (other ?? 0) < BUSY_CORE) return 'the core of the process under test'
  if (tested >= FULL_CORE)
    return 'the core of the process under test, with the other core nearly full as well: the rate is a lower bound'
  if ((other ?? 0) >= BUSY_CORE)
    return `what shares the other core (load, upstream, and a data plane where there is one): the process under test used ${shown(tested * 100, 0)} % of its core, so the rate is a lower bound`
  return `neither core was full (${shown(tested * 100, 0)} % and ${shown((other ?? 0) * 100, 0)} %): waiting, for the disk or for a timer`
}

const RAW_KEYS = [
  'wholeRps',
  'wholeCpuMs',
  'streamRps',
  'streamCpuMs',
  'sequentialP50Ms',
  'first1FirstP50Ms',
  'first1FirstP99Ms',
  'rssMb',
  'abortMaxMs',
] as const

function raw(rounds: JourneyResult['rounds']): string {
  const rows = Object.entries(rounds).flatMap(([name, each]) =>
    RAW_KEYS.filter((key) => each.some((numbers) => numbers[key] !== undefined)).map(
      (key) =>
        `| ${name} | ${key} | ${each.map((numbers) => shown(numbers[key], key.endsWith('Rps') || key === 'rssMb' ? 0 : 3)).join(', ')} |`,
    ),
  )
  return [
    'In the order of the rounds; all values are in the JSON file beside this one.',
    '',
    '| side | number | values |',
    '| --- | --- | --- |',
    ...rows,
  ].join('\n')
}

function shown(value: number | undefined, digits: number): string {
  return value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits)
}

function difference(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a - b
}

function quotient(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined || b === 0 ? undefined : a / b
}

function times(a: number | undefined, factor: number): number | undefined {
  return a === undefined ? undefined : a * factor
}
