import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '@lancedb/lancedb'
import { withAws } from '#simclouds/aws.suite.ts'

const row = (id: number) => ({ id, text: `row ${id}`, vector: [Math.cos(id), Math.sin(id), id % 3] })

test('LanceDB keeps a table here: many writers at once, and a reader of its own', () =>
  withAws(async (aws) => {
    aws.s3.createBucket('index')
    const storageOptions = {
      awsAccessKeyId: aws.accessKeyId,
      awsSecretAccessKey: aws.secretAccessKey,
      awsRegion: aws.region,
      awsEndpoint: aws.urls.s3,
      allowHttp: 'true',
    }
    const open = () => connect('s3://index/passages', { storageOptions })
    const first = await open()
    const table = await first.createTable(
      'passages',
      Array.from({ length: 100 }, (_, id) => row(id)),
    )
    await Promise.all(Array.from({ length: 6 }, (_, n) => table.add([row(100 + 2 * n), row(101 + 2 * n)])))
    const second = await (await open()).openTable('passages')
    assert.equal(await second.countRows(), 112)
    const found: unknown[] = await second.search(row(107).vector).limit(1).toArray()
    assert.deepEqual(
      found.map((each) => Number(Reflect.get(Object(each), 'id'))),
      [107],
    )
    await second.delete('id < 50')
    const third = await (await open()).openTable('passages')
    assert.equal(await third.countRows(), 62)
    const statuses = aws.requests.last('s3').map(({ status }) => status)
    assert.ok(statuses.includes(412), 'no writer had to give way: commits are not conditional')
    assert.ok(
      aws.s3
        .bucket('index')
        .keys()
        .every((key) => key.startsWith('passages/passages.lance/')),
    )
    const wrong = { ...storageOptions, awsSecretAccessKey: 'wrong' }
    const intrude = async () => (await connect('s3://index/passages', { storageOptions: wrong })).openTable('passages')
    await assert.rejects(intrude(), /SignatureDoesNotMatch/)
  }))
