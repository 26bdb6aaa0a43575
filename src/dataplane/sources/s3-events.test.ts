import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changesIn } from './s3-events.ts'

const OURS = { bucket: 'lake', prefix: 'docs/' }

const event = (...keys: readonly (readonly [string, string])[]) => ({
  Records: keys.map(([bucket, key]) => ({
    eventName: 'ObjectCreated:Put',
    s3: { bucket: { name: bucket }, object: { key } },
  })),
})
const documentsIn = (body: unknown) =>
  changesIn(typeof body === 'string' ? body : JSON.stringify(body), OURS)?.map(({ document }) => document)

test('an event of S3 names what is ours, its keys decoded', () => {
  const body = event(
    ['lake', 'docs/a+b/n%C3%A4ch%2Bste.md'],
    ['other', 'docs/not-ours.md'],
    ['lake', 'elsewhere/docs/x.md'],
    ['lake', 'docs/folder/'],
    ['lake', 'docs/'],
    ['lake', 'docs/broken%E0%A4%A'],
    ['lake', 'docs/b.md'],
  )
  assert.deepEqual(documentsIn(body), ['a b/näch+ste.md', 'b.md'])
  assert.deepEqual(changesIn(JSON.stringify(event(['lake', 'docs/b.md'])), OURS), [
    { kind: 'changed', document: 'b.md' },
  ])
})

test('a prefix need not end with a slash, and is itself no document', () => {
  const body = JSON.stringify(event(['lake', 'docs'], ['lake', 'docs-2'], ['lake', 'docs/a']))
  const documents = changesIn(body, { bucket: 'lake', prefix: 'docs' })?.map(({ document }) => document)
  assert.deepEqual(documents, ['-2', '/a'])
})

test('an event that came through SNS or EventBridge is the same event', () => {
  const wrapped = { Type: 'Notification', Message: JSON.stringify(event(['lake', 'docs/a+b.md'])) }
  assert.deepEqual(documentsIn(wrapped), ['a b.md'])
  // EventBridge does not encode keys.
  const bridged = (name: string, key: string) => ({
    source: 'aws.s3',
    'detail-type': 'Object Created',
    detail: { bucket: { name }, object: { key } },
  })
  assert.deepEqual(documentsIn(bridged('lake', 'docs/a+b%20c.md')), ['a+b%20c.md'])
  assert.deepEqual(documentsIn(bridged('other', 'docs/a.md')), [])
})

test('the test event of a new notification says nothing; what is no event of S3 is told from it', () => {
  assert.deepEqual(documentsIn({ Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'lake' }), [])
  for (const body of [
    '',
    'what?',
    '{}',
    '[]',
    'null',
    '{"Records":[{}]}',
    '{"source":"aws.s3"}',
    '{"Event":"other"}',
  ]) {
    assert.equal(documentsIn(body), undefined, body)
  }
  assert.equal(documentsIn({ Type: 'Notification', Message: 'what?' }), undefined)
})
