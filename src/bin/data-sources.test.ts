import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dataPlane } from '#config/data-plane.ts'
import { openDataSources } from './data-sources.ts'

const open = (section: Readonly<Record<string, unknown>>) => {
  const read = dataPlane.parse({ jwksUrl: 'https://control.example/jwks', ...section }) ?? assert.fail()
  const loaded = { dataPlane: read, file: 'thinplane.yaml', resolve: (path: string) => `/srv/${path}` }
  return openDataSources(loaded, {}, () => undefined)
}

test('each source and each engine of the configuration is opened as what it is', async () => {
  const collections = {
    files: { folder: 'docs' },
    lake: { s3: { bucket: 'lake', prefix: 'docs/' } },
    orders: { kinesis: { stream: 'orders', leases: 'thinplane-orders' } },
  }
  const sources = open({ collections })
  assert.deepEqual(
    sources.collections.map(({ source }) => [source.name, 'list' in source, source.watch !== undefined]),
    [
      ['folder /srv/docs', true, false],
      ['s3://lake/docs/', true, false],
      ['kinesis orders', false, true],
    ],
  )
  for (const [index, name] of [
    [{}, 'lance'],
    [{ s3vectors: { bucket: 'vectors' } }, 's3vectors'],
    [{ opensearch: { endpoint: 'https://search.example' } }, 'opensearch'],
  ] as const) {
    const opened = open({ index })
    assert.equal(opened.engine.name, name)
    await opened.engine.close()
    opened.close()
  }
  sources.close()
})
