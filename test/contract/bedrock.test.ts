import assert from 'node:assert/strict'
import type { Cross } from '#contract/crossing.ts'
import { test, type TestContext } from 'node:test'
import { EventStreamDecoder, type EventStreamMessage } from '#kit/event-stream.ts'
import { amzDate, signV4 } from '#kit/sigv4.ts'
import { at, send, withClouds, type Answered } from '#simclouds/client.suite.ts'
import type { SimClouds } from '#simclouds/start.ts'
import { ServiceModel } from './botocore.ts'
import { ownTrip } from '#bin/own-trip.ts'
import { openBorder } from '#border/cross.ts'
import { DEFAULT_RULES } from '#border/rules.ts'
import { bedrockChecks } from '#guard/managed/bedrock-checks.ts'
import { bedrockGuardrail } from '#guard/managed/bedrock-guardrail.ts'
import type { ManagedService, ServiceAccess } from '#guard/managed/service.ts'
import { Secret } from '#kit/secret.ts'
import { contract } from './contracts.ts'

function serviceModel(context: TestContext): ServiceModel | undefined {
  const model = contract(context, 'aws/bedrock-runtime/service-2.json')
  return model === undefined ? undefined : new ServiceModel(model)
}

function converse(clouds: SimClouds, body: unknown, operation = 'converse'): Promise<Answered> {
  const url = new URL(`${clouds.urls.bedrock}/model/simulated.model-v1%3A0/${operation}`)
  const text = JSON.stringify(body)
  const { accessKeyId, secretAccessKey, region } = clouds.settings.bedrock
  const scope = { service: 'bedrock', region, accessKeyId, secretAccessKey, amzDate: amzDate(Date.now()) }
  return send(url.href, text, signV4({ method: 'POST', url, headers: {}, body: text }, scope))
}

const user = (text: string) => ({ role: 'user', content: [{ text }] })
const toolConfig = {
  tools: [
    {
      toolSpec: {
        name: 'send_email',
        description: 'sends',
        inputSchema: { json: { type: 'object', properties: { to: { type: 'string' } } } },
      },
    },
  ],
}
const toolTurns = [
  user('send'),
  {
    role: 'assistant',
    content: [{ text: 'ok' }, { toolUse: { toolUseId: 't1', name: 'send_email', input: { to: 'a' } } }],
  },
  { role: 'user', content: [{ toolResult: { toolUseId: 't1', content: [{ text: 'sent' }], status: 'success' } }] },
]

const good: readonly unknown[] = [
  { messages: [user('hello')] },
  {
    messages: [user('hello')],
    system: [{ text: 'be nice' }, { cachePoint: { type: 'default' } }],
    inferenceConfig: { maxTokens: 5, temperature: 0.5, topP: 1, stopSequences: ['x'] },
    requestMetadata: { tenant: 'a b' },
    additionalModelRequestFields: { top_k: 5 },
  },
  { messages: [user('please send email')], toolConfig: { ...toolConfig, toolChoice: { any: {} } } },
  { messages: toolTurns, toolConfig },
]

test('sample requests meet the service model, and Converse answers as it says', async (context) => {
  const model = serviceModel(context)
  if (model === undefined) return
  await withClouds({}, async (clouds) => {
    for (const body of good) {
      assert.deepEqual(model.problems('ConverseRequest', body), [])
      const answered = await converse(clouds, body)
      assert.equal(answered.status, 200, answered.text)
      assert.deepEqual(model.problems('ConverseResponse', at(answered.text)), [])
    }
  })
})

test('every event of a stream meets the service model, but for its padding', async (context) => {
  const model = serviceModel(context)
  if (model === undefined) return
  const events = model.shape('ConverseStreamOutput').members ?? {}
  await withClouds({}, async (clouds) => {
    for (const body of good) {
      const answered = await converse(clouds, body, 'converse-stream')
      const frames = new EventStreamDecoder().push(Buffer.concat(answered.pieces))
      assert.ok(frames.length >= 5)
      for (const frame of frames) {
        const name = frame.headers[':event-type'] ?? ''
        const { p, ...payload } = JSON.parse(Buffer.from(frame.payload).toString('utf8')) as Record<string, unknown>
        assert.equal(typeof p, 'string')
        assert.deepEqual(model.problems(events[name]?.shape ?? `no event ${name}`, payload), [])
        assert.equal(frame.headers[':content-type'], 'application/json')
      }
    }
  })
})

const bad: readonly unknown[] = [
  { messages: [{ role: 'user' }] },
  { messages: [{ role: 'robot', content: [] }] },
  { messages: [{ role: 'user', content: [{ txt: 'a' }] }] },
  { messages: [{ role: 'user', content: [{ text: 'a', image: {} }] }] },
  { messages: [user('a')], inferenceConfig: { maxTokens: 0 } },
  { messages: [user('a')], inferenceConfig: { temperature: 1.5 } },
  { messages: [user('a')], inferenceConfig: { max_tokens: 1 } },
  { messages: [user('a')], stream: true },
  { messages: [user('a')], toolConfig: { tools: [] } },
  { messages: [user('a')], toolConfig: { tools: [{ toolSpec: { name: 'a b', inputSchema: { json: {} } } }] } },
  { messages: [user('a')], system: [{ text: '' }] },
  { messages: [user('a')], requestMetadata: {} },
  { messages: [user('a')], serviceTier: { type: 'gold' } },
]

test('what the service model does not allow is refused', async (context) => {
  const model = serviceModel(context)
  if (model === undefined) return
  await withClouds({}, async (clouds) => {
    for (const body of bad) {
      assert.notDeepEqual(model.problems('ConverseRequest', body), [], JSON.stringify(body))
      const answered = await converse(clouds, body)
      assert.equal(answered.status, 400, JSON.stringify(body))
      assert.match(String(answered.headers['x-amzn-errortype']), /^ValidationException:/)
      assert.deepEqual(model.problems('ValidationException', at(answered.text)), [])
    }
  })
})

test('errors have the status that the service model gives their type', async (context) => {
  const model = serviceModel(context)
  if (model === undefined) return
  const exceptions = model.shape('ConverseStreamOutput').members ?? {}
  await withClouds({}, async (clouds) => {
    for (const status of [400, 403, 404, 408, 424, 429, 500, 503]) {
      clouds.faults.set({ service: 'bedrock', kind: 'error', status, count: 1 })
      const answered = await converse(clouds, good[0])
      const type = String(answered.headers['x-amzn-errortype']).split(':')[0] ?? ''
      assert.equal(model.shape(type).error?.httpStatusCode, status, type)
      assert.deepEqual(model.problems(type, at(answered.text)), [])
      clouds.faults.set({ service: 'bedrock', kind: 'error-in-stream', status, count: 1 })
      const streamed = await converse(clouds, good[0], 'converse-stream')
      const last: EventStreamMessage | undefined = new EventStreamDecoder().push(Buffer.concat(streamed.pieces)).at(-1)
      const shape = exceptions[last?.headers[':exception-type'] ?? '']?.shape
      assert.ok(shape !== undefined, JSON.stringify(last?.headers))
      assert.deepEqual(model.problems(shape, JSON.parse(Buffer.from(last?.payload ?? '').toString('utf8'))), [])
    }
  })
})

const checksOf: readonly (readonly [
  operation: string,
  make: (access: ServiceAccess, cross: Cross) => ManagedService,
])[] = [
  ['InvokeGuardrailChecks', (access, cross) => bedrockChecks({ ...access, minScore: 0.5, sensitive: true }, cross)],
  [
    'ApplyGuardrail',
    (access, cross) =>
      bedrockGuardrail(
        { ...access, guardrail: 'arn:aws:bedrock:us-east-1:123456789012:guardrail/abc1', guardrailVersion: '1' },
        cross,
      ),
  ],
]

for (const [operation, make] of checksOf) {
  test(`${operation}: what we send and what the stand-in answers meet the service model`, async (context) => {
    const model = serviceModel(context)
    if (model === undefined) return
    await withClouds({}, async (clouds) => {
      const { bedrock } = clouds.settings
      const border = openBorder({
        from: { cloud: 'azure', region: 'eastus' },
        rules: DEFAULT_RULES,
        egressMicroUsd: () => 0,
      })
      const access: ServiceAccess = {
        endpoint: clouds.urls.bedrock,
        place: { cloud: 'aws', region: bedrock.region },
        credential: {
          kind: 'aws-sigv4',
          service: 'bedrock',
          region: bedrock.region,
          accessKeyId: new Secret(bedrock.accessKeyId),
          secretAccessKey: new Secret(bedrock.secretAccessKey),
        },
        timeoutMs: 2000,
        usdPerThousandRecords: 1,
      }
      const service = make(access, async (trip, request) => {
        const sent = JSON.parse(request.body ?? '') as Record<string, unknown>
        const inPath = operation === 'ApplyGuardrail' ? { guardrailIdentifier: 'abc1', guardrailVersion: '1' } : {}
        assert.deepEqual(model.problems(`${operation}Request`, { ...sent, ...inPath }), [])
        const answer = await border.cross(trip, request)
        const text = await answer.text()
        assert.equal(answer.status, 200, text)
        assert.deepEqual(model.problems(`${operation}Response`, JSON.parse(text)), [])
        return { ...answer, text: () => Promise.resolve(text) }
      })
      const judge = (text: string) => service.judge([{ text, kind: 'prompt' }], ownTrip())
      assert.equal((await judge('ask Maria Lindqvist')).spans[0]?.length, 1)
      assert.ok([...(await judge('they are vermin')).severities.values()].some((severity) => severity >= 4))
      const calm = await judge('what is the capital of France?')
      assert.ok([...calm.severities.values()].every((severity) => severity === 0))
      await border.close(100)
    })
  })
}
