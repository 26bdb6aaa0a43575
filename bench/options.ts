import { parseArgs } from 'node:util'
import { SIDE_NAMES, type SideName } from './sides.ts'

/** What of the suite runs. */
export const PARTS = [
  'journey',
  'micro',
  'start-up',
  'audit',
  'audit-verify',
  'audit-kill',
  'guard',
  'dialects',
  'router',
  'router-cold-start',
  'router-prefix',
  'router-brown-out',
  'ingest-parse',
  'retrieval',
  'physics',
] as const
/** Those that run when none is named: the others write gigabytes, kill for minutes, or need labelled texts. */
const USUAL_PARTS: readonly Part[] = ['journey', 'micro', 'start-up']
export type Part = (typeof PARTS)[number]

export interface BenchOptions {
  /** Short runs and one round: to see that everything works, not to quote. Default false. */
  readonly quick?: boolean | undefined
  /** Parts or sides to run: `journey`, `micro`, `start-up`, `audit`, `audit-verify`, `audit-kill`, `guard`, `dialects`, `router`, `ingest-parse`, `retrieval`, `physics`, or sides such
   * as `bare` and `thinplane`. Default: the first three. */
  readonly only?: readonly string[] | undefined
  /** Rounds of the journey. Default 5, with `quick` 1. */
  readonly rounds?: number | undefined
  /** File of the report; its numbers go beside it as JSON. Default `bench/results/<date>-<name>.md`. */
  readonly out?: string | undefined
  /** Take processor profiles of Thinplane instead of measuring. Default false. */
  readonly profile?: boolean | undefined
  /** Folder with labelled texts, for `guard`. */
  readonly data?: string | undefined
  /** What limits the numbers, in the words of whoever ran it. */
  readonly note?: string | undefined
}

export interface Chosen {
  readonly quick: boolean
  readonly parts: ReadonlySet<Part>
  readonly sides: ReadonlySet<SideName>
  readonly rounds: number
  readonly out: string | undefined
  readonly data: string | undefined
  readonly note: string
}

const ROUNDS = 5
const MAX_ROUNDS = 50

/** @throws {Error} for a name that there is not. */
export function chosen(options: BenchOptions): Chosen {
  const only = options.only ?? []
  const unknown = only.filter((name) => !isPart(name) && !isSide(name))
  if (unknown.length > 0)
    throw new Error(`there is no \`${unknown.join('`, `')}\`, choose from ${[...PARTS, ...SIDE_NAMES].join(', ')}`)
  const sides = only.filter(isSide)
  const parts = only.filter(isPart)
  const quick = options.quick === true
  return {
    quick,
    parts: new Set(only.length === 0 ? USUAL_PARTS : sides.length > 0 ? [...parts, 'journey'] : parts),
    // Everything is said in relation to the upstream without anything between.
    sides: new Set(sides.length === 0 ? SIDE_NAMES : ['direct', ...sides]),
    rounds: Math.min(MAX_ROUNDS, options.rounds ?? (quick ? 1 : ROUNDS)),
    out: options.out,
    data: options.data,
    note: options.note ?? '',
  }
}

function isPart(name: string): name is Part {
  return PARTS.some((part) => part === name)
}

function isSide(name: string): name is SideName {
  return SIDE_NAMES.some((side) => side === name)
}

/** Reads the arguments of `node bench/run.ts`. @throws {Error} for what it does not know. */
export function readArguments(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean' },
      profile: { type: 'boolean' },
      only: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      out: { type: 'string' },
      data: { type: 'string' },
      note: { type: 'string' },
    },
  })
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
  if (rounds !== undefined && (!Number.isInteger(rounds) || rounds < 1))
    throw new Error('--rounds takes a whole number from 1')
  const named = [...positionals, ...(values.only ?? [])].flatMap((names) => names.split(','))
  const only = named.filter((name) => name !== '')
  const { quick, profile, out, data, note } = values
  return { quick, profile, only, rounds, out, data, note }
}
