import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Place } from '#contract/place.ts'
import { regions } from './regions.ts'
import { fibreFloorMs, rttMs, rttRows } from './rtt.ts'

const virginiaAws: Place = { cloud: 'aws', region: 'us-east-1' }
const virginiaGcp: Place = { cloud: 'gcp', region: 'us-east4' }
const virginiaAzure: Place = { cloud: 'azure', region: 'eastus' }

test('the pairs of Virginia and of Iowa are the measured ones, in both directions', () => {
  assert.deepEqual(rttMs(virginiaAws, virginiaGcp), { ms: 2.6, provenance: 'measured', source: 'skyplane' })
  assert.deepEqual(rttMs(virginiaGcp, virginiaAws), { ms: 2.6, provenance: 'measured', source: 'skyplane' })
  assert.equal(rttMs(virginiaAws, { cloud: 'gcp', region: 'us-central1' }).ms, 28.4)
  assert.equal(rttMs(virginiaAzure, virginiaGcp).ms, 2.1)
})

test('no measured pair beats light in fibre', () => {
  const table = regions()
  for (const row of rttRows()) {
    const a = table.get(row.a)
    const b = table.get(row.b)
    assert.ok(a !== undefined && b !== undefined, `${row.a} and ${row.b} are in the table of regions`)
    assert.ok(row.ms >= fibreFloorMs(a, b), `${row.a} to ${row.b}: ${row.ms} ms`)
  }
  assert.ok(rttRows().length > 4000)
})

test('a pair nobody measured takes the median of its metro, and says so', () => {
  const rtt = rttMs({ cloud: 'azure', region: 'eastus2' }, { cloud: 'gcp', region: 'us-east4' })
  assert.ok(rtt.provenance === 'measured' || rtt.provenance === 'metro')
  const young = rttMs({ cloud: 'aws', region: 'ca-west-1' }, { cloud: 'gcp', region: 'us-east4' })
  assert.notEqual(young.provenance, 'measured')
  assert.ok(young.ms > 25 && young.ms < 90, `${young.ms} ms`)
})

test('a pair far from every measurement is modelled and stays above the floor', () => {
  const table = [...regions().values()]
  const tiers = new Set<string>()
  for (const from of table.slice(0, 40)) {
    for (const to of table.slice(40, 80)) {
      const rtt = rttMs(from, to)
      tiers.add(rtt.provenance)
      if (from.id !== to.id) assert.ok(rtt.ms + 0.05 >= fibreFloorMs(from, to), `${from.id} to ${to.id}`)
    }
  }
  assert.deepEqual([...tiers].toSorted(), ['measured', 'metro', 'model'])
})

test('inside a region half a millisecond, to local nothing', () => {
  assert.equal(rttMs(virginiaAws, virginiaAws).ms, 0.5)
  assert.equal(rttMs(virginiaAws, { cloud: 'local', region: 'here' }).ms, 0)
})

test('an unknown region is refused by name', () => {
  assert.throws(() => rttMs(virginiaAws, { cloud: 'gcp', region: 'moon-1' }), {
    name: 'RangeError',
    message: 'region `gcp:moon-1` is not in the table of regions',
  })
})
