import { z } from 'zod'
import { placeName, type Place } from '#contract/place.ts'
import { readTable, regionOf, type Area, type Region } from './regions.ts'

/** What it costs to send one GB. */
export interface EgressPrice {
  /** Millionths of a USD for one GB of `bytesPerGb`, list price, first tier, free allowance left out. */
  readonly microUsd: number
  /** 10^9, or 2^30 where the list counts in GiB. */
  readonly bytesPerGb: number
  /** The price list and when it was read, or why there is nothing to pay. */
  readonly source: string
}

const GB = 1_000_000_000
const GIB = 2 ** 30
const MICRO = 1_000_000

const price = z.number().min(0)
const byArea = z.record(z.string(), price)
const schema = z.strictObject({
  asOf: z.string(),
  sources: z.strictObject({ aws: z.string(), azure: z.string(), gcp: z.string() }),
  aws: z.record(
    z.string(),
    z.strictObject({ internet: price, otherRegion: price, to: z.record(z.string(), price).optional() }),
  ),
  azure: z.strictObject({ internet: byArea, sameContinent: byArea, otherContinent: byArea }),
  gcp: z.strictObject({
    internet: z.strictObject({ default: price, asia: price, china: price, oceania: price }),
    within: byArea,
    indonesiaOceania: price,
    intercontinental: price,
  }),
})

type Table = z.infer<typeof schema>

let loaded: Table | undefined
const answers = new Map<string, EgressPrice>()

/**
 * List price of sending one GB. Between clouds: the sender's internet egress. Within a cloud: its price between
 * regions. Nothing inside a region, and nothing when an end is `local`. A region that the list does not carry gets
 * its cloud's North American price, and `source` says so.
 */
export function egressMicroUsdPerGb(from: Place, to: Place): EgressPrice {
  const key = `${placeName(from)} ${placeName(to)}`
  const known = answers.get(key)
  if (known !== undefined) return known
  const found = findPrice(from, to)
  answers.set(key, found)
  return found
}

/** Price of sending so many bytes, in millionths of a USD, to three decimals. */
export function egressMicroUsd(from: Place, to: Place, bytes: number): number {
  const { microUsd, bytesPerGb } = egressMicroUsdPerGb(from, to)
  return Math.round(((microUsd * bytes) / bytesPerGb) * 1000) / 1000
}

function findPrice(from: Place, to: Place): EgressPrice {
  switch (from.cloud) {
    case 'local':
      return free('local: no cloud bills it')
    case 'aws':
      return paid(from, to, 'aws', GB, awsUsd)
    case 'azure':
      return paid(from, to, 'azure', GB, azureUsd)
    case 'gcp':
      return paid(from, to, 'gcp', GIB, gcpUsd)
  }
}

function paid(
  from: Place,
  to: Place,
  cloud: keyof Table['sources'],
  bytesPerGb: number,
  usd: (from: Place, to: Place) => number | undefined,
): EgressPrice {
  if (to.cloud === 'local') return free('local: no cloud bills it')
  if (placeName(from) === placeName(to)) return free('inside one region')
  const listed = usd(from, to)
  const source = table().sources[cloud]
  if (listed !== undefined) return { microUsd: micro(listed), bytesPerGb, source }
  return {
    microUsd: micro(northAmericanUsd(cloud, from.cloud === to.cloud)),
    bytesPerGb,
    source: `${placeName(from)} to ${placeName(to)} is not listed; North American price from: ${source}`,
  }
}

function awsUsd(from: Place, to: Place): number | undefined {
  const row = table().aws[from.region]
  if (row === undefined) return undefined
  return to.cloud === 'aws' ? (row.to?.[to.region] ?? row.otherRegion) : row.internet
}

function azureUsd(from: Place, to: Place): number | undefined {
  const start = regionOf(from)
  const end = regionOf(to)
  if (start === undefined) return undefined
  const { internet, sameContinent, otherContinent } = table().azure
  if (to.cloud !== 'azure') return internet[start.area]
  return start.area === end?.area ? sameContinent[start.area] : otherContinent[start.area]
}

function gcpUsd(from: Place, to: Place): number | undefined {
  const start = regionOf(from)
  const end = regionOf(to)
  if (start === undefined || end === undefined) return undefined
  return to.cloud === 'gcp' ? gcpBetweenRegionsUsd(start, end) : gcpInternetUsd(end)
}

/** Google prices by where the bytes arrive. */
function gcpInternetUsd(end: Region): number {
  const { internet } = table().gcp
  if (end.country === 'CN') return internet.china
  if (end.area === 'OC') return internet.oceania
  return end.area === 'AS' ? internet.asia : internet.default
}

function gcpBetweenRegionsUsd(start: Region, end: Region): number {
  const { within, indonesiaOceania, intercontinental } = table().gcp
  if ([start, end].some((region) => region.area === 'OC' || region.country === 'ID')) return indonesiaOceania
  return start.area === end.area ? (within[start.area] ?? intercontinental) : intercontinental
}

function northAmericanUsd(cloud: keyof Table['sources'], sameCloud: boolean): number {
  const area: Area = 'NA'
  const { aws, azure, gcp } = table()
  const prices = {
    aws: [aws['us-east-1']?.otherRegion, aws['us-east-1']?.internet],
    azure: [azure.sameContinent[area], azure.internet[area]],
    gcp: [gcp.within[area], gcp.internet.default],
  }
  return prices[cloud][sameCloud ? 0 : 1] ?? 0
}

function table(): Table {
  loaded ??= schema.parse(readTable('egress.json'))
  return loaded
}

function free(source: string): EgressPrice {
  return { microUsd: 0, bytesPerGb: GB, source }
}

function micro(usd: number): number {
  return Math.round(usd * MICRO)
}
