import assert from 'node:assert/strict'
import { test } from 'node:test'
import { amzDate, signV4 } from '#kit/sigv4.ts'
import { withAws } from '#simclouds/aws.suite.ts'
import type { RunningAws } from '#simclouds/start-aws.ts'

const MAPPINGS = {
  dynamic: 'strict',
  properties: {
    tag: { type: 'keyword' },
    shelf: { type: 'keyword', index: false, doc_values: false },
    n: { type: 'integer' },
    text: { type: 'text', analyzer: 'english' },
    vector: {
      type: 'knn_vector',
      dimension: 2,
      method: { name: 'hnsw', engine: 'lucene', space_type: 'cosinesimil' },
    },
  },
}
const INDEX = { settings: { index: { knn: true } }, mappings: MAPPINGS }

type Call = (method: string, path: string, body?: object | readonly object[]) => Promise<string>

/** Status, and the type of the failure. */
function caller({ urls, region, accessKeyId, secretAccessKey }: RunningAws): Call {
  return async (method, path, given) => {
    const url = new URL(`${urls.opensearch}/${path}`)
    const isLines = Array.isArray(given)
    const lines = isLines ? given.map((line) => `${JSON.stringify(line)}\n`).join('') : JSON.stringify(given ?? {})
    const body = given === undefined ? '' : lines
    const headers: Record<string, string> =
      body === '' ? {} : { 'content-type': isLines ? 'application/x-ndjson' : 'application/json' }
    const scope = { service: 'es', region, accessKeyId, secretAccessKey, amzDate: amzDate(Date.now()) }
    const signed = { ...headers, ...signV4({ method, url, headers, body }, scope) }
    const answered = await fetch(url, { method, headers: signed, ...(body === '' ? {} : { body }) })
    const text = await answered.text()
    const type = /"type":"([^"]+)"/.exec(text)?.[1]
    return `${answered.status} ${type ?? text}`
  }
}

const document = (id: string, more: object = {}) => [
  { index: { _id: id } },
  { tag: 'a', n: 1, text: 'wind', vector: [1, 0], ...more },
]
const countOf = async (call: Call, query: object = { match_all: {} }) => await call('POST', 'i/_count', { query })

test('what is written is found after a refresh, and not before', () =>
  withAws(async (aws) => {
    const call = caller(aws)
    assert.match(await call('PUT', 'i', INDEX), /^200/)
    assert.match(await call('POST', 'i/_bulk', document('1')), /^200/)
    assert.equal(await countOf(call), '200 {"count":0}')
    assert.match(await call('POST', 'i/_bulk?refresh=true', document('2')), /^200/)
    assert.equal(await countOf(call), '200 {"count":2}')
    // What changed since is a conflict for who works on what is found.
    await call('POST', 'i/_bulk', document('2', { n: 2 }))
    assert.equal(
      await call('POST', 'i/_delete_by_query', { query: { match_all: {} } }),
      '409 version_conflict_engine_exception',
    )
    await call('POST', 'i/_bulk?refresh=true', document('3', { tag: 'b', text: 'the winds of harbours' }))
    await call('POST', 'i/_delete_by_query', { query: { term: { tag: 'b' } } })
    assert.equal(await countOf(call, { term: { tag: 'b' } }), '200 {"count":1}')
    assert.equal(await countOf(call, { match: { text: { query: 'harbour, THE' } } }), '200 {"count":1}')
  }))

test('what the index does not know and what the stand-in does not do is refused', () =>
  withAws(async (aws) => {
    const call = caller(aws)
    await call('PUT', 'i', INDEX)
    const search = { track_total_hits: false, query: { match_all: {} } }
    const knn = (vector: readonly number[], name = 'vector') => ({ knn: { [name]: { vector, k: 1 } } })
    for (const [method, path, body, says] of [
      ['PUT', 'i', INDEX, '400 resource_already_exists_exception'],
      ['PUT', 'Upper', INDEX, '400 invalid_index_name_exception'],
      ['PUT', 'j', { ...INDEX, settings: { index: { knn: true, replicas: 1 } } }, '400 parse_exception'],
      ['DELETE', 'nothing', undefined, '404 index_not_found_exception'],
      ['GET', 'i/_stats', undefined, '400 illegal_argument_exception'],
      ['POST', 'i/_search?preference=x', search, '400 illegal_argument_exception'],
      ['POST', 'i/_search', { ...search, aggs: {} }, '400 parse_exception'],
      ['POST', 'i/_search', { ...search, size: 10_001 }, '400 parse_exception'],
      ['POST', 'i/_search', { ...search, query: { wildcard: { tag: '*' } } }, '400 parsing_exception'],
      ['POST', 'i/_search', { ...search, query: { term: { shelf: 'a' } } }, '400 query_shard_exception'],
      ['POST', 'i/_search', { ...search, query: { term: { text: 'a' } } }, '400 query_shard_exception'],
      [
        'POST',
        'i/_search',
        { ...search, query: { match: { text: { query: 'a '.repeat(1100) } } } },
        '400 too_many_clauses',
      ],
      ['POST', 'i/_search', { ...search, query: knn([1, 2, 3]) }, '400 query_shard_exception'],
      ['POST', 'i/_search', { ...search, query: knn([0, 0]) }, '400 illegal_argument_exception'],
      ['POST', 'i/_search', { ...search, query: knn([1, 0], 'tag') }, '400 query_shard_exception'],
      ['POST', 'i/_search', { ...search, sort: [{ shelf: 'asc' }] }, '400 illegal_argument_exception'],
      ['POST', 'i/_search', { ...search, search_after: [1] }, '400 illegal_argument_exception'],
      ['POST', 'i/_bulk', { index: {} }, '406 media_type_header_exception'],
      ['POST', 'i/_bulk', document('1', { other: 1 }), '200 strict_dynamic_mapping_exception'],
      ['POST', 'i/_bulk', document('1', { n: 2 ** 40 }), '200 mapper_parsing_exception'],
      ['POST', 'i/_bulk', document('1', { vector: [0, 0] }), '200 mapper_parsing_exception'],
      ['POST', 'i/_bulk', document('1', { tag: 'x'.repeat(40_000) }), '200 illegal_argument_exception'],
      [
        'POST',
        'i/_update_by_query',
        { query: { match_all: {} }, script: { lang: 'painless', source: 'ctx.op = "delete"', params: {} } },
        '400 script_exception',
      ],
    ] as const) {
      assert.equal(await call(method, path, body), says, `${method} ${path} ${JSON.stringify(body ?? {}).slice(0, 80)}`)
    }
    assert.match(await caller({ ...aws, secretAccessKey: 'wrong' })('POST', 'i/_count', search), /^403/)
  }))
