import { z } from 'zod'
import { placeName, type Place } from '#contract/place.ts'
import { distanceKm, readTable, readTableText, regionOf, regions, type Region } from './regions.ts'

/** How a round trip time is known, best first; `same-region` also stands for `local`. */
type RttProvenance = 'measured' | 'metro' | 'model' | 'same-region'

export interface Rtt {
  /** Round trip in milliseconds, to a tenth. */
  readonly ms: number
  readonly provenance: RttProvenance
  /** The data set, or what it was derived from. */
  readonly source: string
}

/** One measured pair of regions; unordered. */
export interface RttRow {
  readonly a: string
  readonly b: string
  readonly ms: number
  readonly dataset: string
}

/** Inside one region, between zones; the spread of the clouds' own figures is 0.2 to 1 ms. */
const SAME_REGION_MS = 0.5
/** Paths are a little longer than the great circle, and equipment takes its time: the least a model may say. */
const FLOOR_STRETCH = 1.05
const FLOOR_EXTRA_MS = 0.5

const line = z.object({ a: z.number(), b: z.number() })
const modelSchema = z.strictObject({
  fittedOn: z.string(),
  fibreKmPerMsOneWay: z.number(),
  metroKm: z.number(),
  global: line,
  areaPairs: z.record(z.string(), line),
})

interface Tables {
  readonly rows: readonly RttRow[]
  readonly pairs: ReadonlyMap<string, RttRow>
  readonly model: z.infer<typeof modelSchema>
}

let loaded: Tables | undefined
const answers = new Map<string, Rtt>()

/**
 * Round trip time between two places: the measured value, else the median of measured pairs within 200 km of both
 * ends, else a regression over distance. 0 when an end is `local`.
 * @throws {RangeError} for a region that is in no table.
 */
export function rttMs(from: Place, to: Place): Rtt {
  const key = pairKey(placeName(from), placeName(to))
  const known = answers.get(key)
  if (known !== undefined) return known
  const rtt = findRtt(from, to)
  answers.set(key, rtt)
  return rtt
}

/** The measured pairs, as shipped. */
export function rttRows(): readonly RttRow[] {
  return tables().rows
}

/** Round trip of light in fibre along the great circle: nothing measured can be less. */
export function fibreFloorMs(from: Region, to: Region): number {
  return (2 * distanceKm(from, to)) / tables().model.fibreKmPerMsOneWay
}

function findRtt(from: Place, to: Place): Rtt {
  if (from.cloud === 'local' || to.cloud === 'local') return { ms: 0, provenance: 'same-region', source: 'local' }
  const start = known(from)
  const end = known(to)
  if (start.id === end.id) return { ms: SAME_REGION_MS, provenance: 'same-region', source: 'between zones' }
  const row = tables().pairs.get(pairKey(start.id, end.id))
  if (row !== undefined) return { ms: row.ms, provenance: 'measured', source: row.dataset }
  return metro(start, end) ?? modelled(start, end)
}

function known(place: Place): Region {
  const region = regionOf(place)
  if (region === undefined) throw new RangeError(`region \`${placeName(place)}\` is not in the table of regions`)
  return region
}

function metro(start: Region, end: Region): Rtt | undefined {
  const near = (centre: Region) =>
    [...regions().values()].filter((region) => distanceKm(centre, region) <= tables().model.metroKm)
  const ends = near(end)
  const found = new Map<string, number>()
  for (const a of near(start)) {
    for (const b of ends) {
      const key = pairKey(a.id, b.id)
      const row = tables().pairs.get(key)
      if (row !== undefined) found.set(key, row.ms)
    }
  }
  if (found.size === 0) return undefined
  const ms = Math.max(median([...found.values()]), fibreFloorMs(start, end))
  return { ms: tenth(ms), provenance: 'metro', source: `median of ${found.size} measured pairs nearby` }
}

function modelled(start: Region, end: Region): Rtt {
  const { areaPairs, global } = tables().model
  const areas = [start.area, end.area].toSorted().join('-')
  const fit = areaPairs[areas] ?? global
  const km = distanceKm(start, end)
  const floor = fibreFloorMs(start, end) * FLOOR_STRETCH + FLOOR_EXTRA_MS
  return { ms: tenth(Math.max(fit.a + fit.b * km, floor)), provenance: 'model', source: `regression ${areas}` }
}

function tables(): Tables {
  loaded ??= load()
  return loaded
}

function load(): Tables {
  const rows = readTableText('rtt.csv').trim().split('\n').slice(1).map(readRow)
  return {
    rows,
    pairs: new Map(rows.map((row) => [pairKey(row.a, row.b), row])),
    model: modelSchema.parse(readTable('rtt-model.json')),
  }
}

function readRow(text: string): RttRow {
  const [a = '', b = '', ms = '', dataset = ''] = text.split(',')
  return { a, b, ms: Number(ms), dataset }
}

function pairKey(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? 0
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
  return (lower + upper) / 2
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10
}
