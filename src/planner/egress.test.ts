import assert from 'node:assert/strict'
import { test } from 'node:test'
import { egressMicroUsd, egressMicroUsdPerGb } from './egress.ts'
import { regions } from './regions.ts'

const virginia = { cloud: 'aws', region: 'us-east-1' } as const
const google = { cloud: 'gcp', region: 'us-east4' } as const
const azure = { cloud: 'azure', region: 'eastus' } as const

test('between clouds the sender pays its internet price', () => {
  assert.equal(egressMicroUsdPerGb(virginia, google).microUsd, 90_000)
  assert.equal(egressMicroUsdPerGb(azure, google).microUsd, 87_000)
  assert.equal(egressMicroUsdPerGb(google, azure).microUsd, 120_000)
  assert.equal(egressMicroUsdPerGb(google, { cloud: 'aws', region: 'ap-southeast-2' }).microUsd, 190_000)
  assert.match(egressMicroUsdPerGb(virginia, google).source, /AWS .* read 2024/)
})

test('inside a cloud the price between regions, inside a region nothing', () => {
  assert.equal(egressMicroUsdPerGb(virginia, { cloud: 'aws', region: 'us-west-2' }).microUsd, 20_000)
  assert.equal(egressMicroUsdPerGb(virginia, { cloud: 'aws', region: 'us-east-2' }).microUsd, 10_000)
  assert.equal(egressMicroUsdPerGb(google, { cloud: 'gcp', region: 'europe-west1' }).microUsd, 80_000)
  assert.equal(egressMicroUsdPerGb(azure, { cloud: 'azure', region: 'westeurope' }).microUsd, 50_000)
  assert.equal(egressMicroUsdPerGb(virginia, virginia).microUsd, 0)
  assert.equal(egressMicroUsdPerGb({ cloud: 'local', region: '' }, google).microUsd, 0)
  assert.equal(egressMicroUsdPerGb(google, { cloud: 'local', region: '' }).microUsd, 0)
})

test('a region without a price gets a stated substitute', () => {
  const price = egressMicroUsdPerGb({ cloud: 'aws', region: 'me-west-1' }, google)
  assert.equal(price.microUsd, 90_000)
  assert.match(price.source, /^aws:me-west-1 to gcp:us-east4 is not listed/)
})

test('every pair of regions has a sane price, dearer by the byte and in proportion', () => {
  const table = [...regions().values()]
  for (const from of table) {
    for (const to of table) {
      const { microUsd } = egressMicroUsdPerGb(from, to)
      assert.equal(microUsd === 0, from.id === to.id, `${from.id} to ${to.id}`)
      assert.ok(microUsd <= 230_000, `${from.id} to ${to.id}: ${microUsd}`)
    }
  }
  let last = 0
  for (const bytes of [0, 1, 1_000, 1_000_000, 10_240_000_000, 10_240_000_001, 10 ** 13]) {
    const cost = egressMicroUsd(virginia, google, bytes)
    assert.ok(cost >= last)
    last = cost
  }
  assert.equal(egressMicroUsd(virginia, google, 10 ** 9), 90_000)
  assert.equal(egressMicroUsd(virginia, google, 12_345), 1.111)
  assert.equal(egressMicroUsd(google, virginia, 2 ** 30), 120_000)
})
