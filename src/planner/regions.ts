import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { placeName, type Place } from '#contract/place.ts'

/** One region of a cloud. */
export interface Region {
  /** `aws:us-east-1`: the form of `placeName`. */
  readonly id: string
  readonly cloud: 'azure' | 'aws' | 'gcp'
  readonly region: string
  readonly name: string
  readonly city: string
  /** ISO 3166-1, two letters. */
  readonly country: string
  /** `EU` for member states, `EEA` for Norway, else the country (`UK` for GB). */
  readonly jurisdiction: string
  readonly area: Area
  /** Degrees; north and east are positive. */
  readonly lat: number
  readonly lon: number
}

/** Part of the world, as the regression and the price lists cut it. */
export type Area = 'NA' | 'SA' | 'EU' | 'AF' | 'ME' | 'AS' | 'OC'

const AREAS = ['NA', 'SA', 'EU', 'AF', 'ME', 'AS', 'OC'] as const satisfies readonly Area[]
const EARTH_RADIUS_KM = 6371.0088

const schema = z.array(
  z.strictObject({
    id: z.string(),
    cloud: z.enum(['azure', 'aws', 'gcp']),
    region: z.string(),
    name: z.string(),
    city: z.string(),
    country: z.string(),
    jurisdiction: z.string(),
    area: z.enum(AREAS),
    lat: z.number(),
    lon: z.number(),
  }),
)

let loaded: ReadonlyMap<string, Region> | undefined

/** Every region known, by id. Read once, at the first call. */
export function regions(): ReadonlyMap<string, Region> {
  loaded ??= new Map(schema.parse(readTable('regions.json')).map((region) => [region.id, region]))
  return loaded
}

/** The region of a place; undefined for `local` and for what the table does not know. */
export function regionOf(place: Place): Region | undefined {
  return regions().get(placeName(place))
}

/** Great-circle distance in kilometres. */
export function distanceKm(from: Region, to: Region): number {
  const latFrom = radians(from.lat)
  const latTo = radians(to.lat)
  const halfLat = Math.sin((latTo - latFrom) / 2)
  const halfLon = Math.sin(radians(to.lon - from.lon) / 2)
  const chord = halfLat * halfLat + Math.cos(latFrom) * Math.cos(latTo) * halfLon * halfLon
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(chord)))
}

/** A JSON table of this folder, unchecked. */
export function readTable(file: string): unknown {
  return JSON.parse(readTableText(file))
}

/** A table of this folder as text. */
export function readTableText(file: string): string {
  return readFileSync(new URL(`tables/${file}`, import.meta.url), 'utf8')
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180
}
