import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ask } from '#contract/ask.ts'
import { testScreened, testTarget } from '#infer/test-asks.ts'
import { vertexClaude } from './provider.ts'

const BASE = 'https://aiplatform.googleapis.com/v1/projects/p/locations/global'
const TARGET = testTarget({ name: 'claude', endpoint: BASE, model: 'claude-sonnet-4-5@20250929' })

function encoded(changes: Partial<Ask>) {
  const { url, headers, body, dropped } = vertexClaude.encode(testScreened(changes), TARGET)
  return { url, headers, dropped, body: JSON.parse(body) as Readonly<Record<string, unknown>> }
}

test('the model stands in the path, the version in the body, and no header of Anthropic goes out', () => {
  const { url, headers, body } = encoded({})
  assert.equal(url, `${BASE}/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict`)
  assert.deepEqual(headers, { 'content-type': 'application/json', accept: 'application/json' })
  assert.deepEqual(body, {
    anthropic_version: 'vertex-2023-10-16',
    messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
    max_tokens: 8192,
  })
  assert.ok(encoded({ stream: true }).url.endsWith(':streamRawPredict'))
})

test('counting has a model of its own in the path and the real one in the body', () => {
  const { url, body } = encoded({ operation: 'count-tokens' })
  assert.equal(url, `${BASE}/publishers/anthropic/models/count-tokens:rawPredict`)
  assert.equal(body['model'], TARGET.model)
  assert.equal(body['max_tokens'], undefined)
})

test('flags go into the body by a list of their own, the others are named', () => {
  const betas = ['interleaved-thinking-2025-05-14', 'context-management-2025-06-27']
  const { body, headers, dropped } = encoded({ dialect: 'anthropic-messages', betas })
  assert.deepEqual(body['anthropic_beta'], ['interleaved-thinking-2025-05-14'])
  assert.equal(headers['anthropic-beta'], undefined)
  assert.deepEqual(dropped, ['anthropic-beta:context-management-2025-06-27'])
})

test('fields that Vertex does not know stay behind even for callers of the same format', () => {
  const { body, dropped } = encoded({
    dialect: 'anthropic-messages',
    tools: [{ name: 'find', description: 'f', parameters: { type: 'object' }, rest: { defer_loading: true } }],
    rest: { context_management: { edits: [] }, metadata: { user_id: 'u' } },
  })
  assert.deepEqual(dropped, ['context_management'])
  assert.deepEqual(body['metadata'], { user_id: 'u' })
  assert.doesNotMatch(JSON.stringify(body), /defer_loading|context_management/)
})
