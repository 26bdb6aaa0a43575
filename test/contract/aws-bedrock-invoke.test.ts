import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BedrockRuntimeClient, InvokeModelCommand } from '@aws-sdk/client-bedrock-runtime'
import { http1Settings, refused, withAws } from '#simclouds/aws.suite.ts'
import { ServiceModel } from './botocore.ts'
import { contract } from './contracts.ts'

const MODELS = [
  ['amazon.titan-embed-text-v2:0', { inputText: 'hello' }],
  ['eu.cohere.embed-v4:0', { texts: ['hello'], input_type: 'search_query' }],
  ['cohere.embed-english-v3', { texts: ['hello'], input_type: 'search_query' }],
  ['cohere.rerank-v3-5:0', { query: 'hello', documents: ['hello'], api_version: 2 }],
] as const

test('the models that are invoked have ids of the service model, and refusals that it names', async (context) => {
  const document = contract(context, 'aws/bedrock-runtime/service-2.nodocs.json')
  if (document === undefined) return
  const model = new ServiceModel(document)
  await withAws(async (aws) => {
    const client = new BedrockRuntimeClient({ ...http1Settings(aws, 'bedrock'), authSchemePreference: ['sigv4'] })
    const invoke = (modelId: string, body: unknown) =>
      client.send(new InvokeModelCommand({ modelId, contentType: 'application/json', body: JSON.stringify(body) }))
    for (const [id, body] of MODELS) {
      assert.deepEqual(model.problems('InvokeModelIdentifier', id), [])
      const answer = await invoke(id, body)
      assert.equal(answer.contentType, 'application/json')
      assert.equal(typeof JSON.parse(answer.body.transformToString()), 'object')
      await refused(invoke(id, { ...body, invented: 1 }), 'ValidationException', 400, /invented/)
    }
    for (const [status, name] of [
      [403, 'AccessDeniedException'],
      [404, 'ResourceNotFoundException'],
      [408, 'ModelTimeoutException'],
      [424, 'ModelErrorException'],
      [429, 'ThrottlingException'],
      [500, 'InternalServerException'],
      [503, 'ServiceUnavailableException'],
    ] as const) {
      aws.faults.set({ service: 'bedrock', kind: 'error', status, count: 1 })
      await refused(invoke(...MODELS[0]), name, status)
      assert.ok(model.errors('InvokeModel')?.includes(name))
      assert.equal(model.shape(name).error?.httpStatusCode, status)
    }
    client.destroy()
  })
})
