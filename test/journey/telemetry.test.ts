import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { asList, asRecord, asText, parseJson } from '#kit/json.ts'
import { type ConfigDraft, chat, eventually, post, withPlane } from '../plane.ts'

/** A collector that keeps what it gets. */
async function startCollector() {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (piece: string) => (body += piece))
    request.on('end', () => {
      bodies.push(body)
      response.end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { bodies, url: `http://127.0.0.1:${port}`, close: () => server.close() }
}

function spansIn(body: string): Readonly<Record<string, unknown>>[] {
  const [resource] = asList(asRecord(parseJson(body))?.['resourceSpans'])
  const [scope] = asList(asRecord(resource)?.['scopeSpans'])
  return asList(asRecord(scope)?.['spans']).map((span) => asRecord(span) ?? {})
}

test('a collector gets one trace a request: the caller’s trace id, a span a stage, a span a crossing, and no text', async () => {
  const collector = await startCollector()
  const change = (config: ConfigDraft) => {
    config['observe'] = { otlp: { endpoint: collector.url } }
  }
  await withPlane({ change }, async (plane) => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    await post(plane.url, '/v1/chat/completions', plane.key, chat('my mail is jane.doe@example.com'), {
      traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
    })
    const body = await eventually(() => collector.bodies[0], 'the export')
    const spans = spansIn(body)
    assert.ok(spans.every((span) => span['traceId'] === traceId))
    const names = spans.map((span) => asText(span['name']) ?? '')
    for (const name of ['chat chat', 'identify', 'screen', 'infer', 'crossing safety', 'crossing inference'])
      assert.ok(names.includes(name), name)
    const root = spans[0]?.['spanId']
    assert.ok(spans.slice(1).every((span) => span['parentSpanId'] === root))
    // What went out in `traceparent` is the id of the crossing's span.
    const sent = plane.clouds.requests.last('cloud-run')[0]?.headers['traceparent']?.slice(36, 52)
    assert.ok(spans.some((span) => span['spanId'] === sent))
    assert.ok(!body.includes('jane.doe'))
  })
  collector.close()
})

test('a collector that is away costs no request', async () => {
  const change = (config: ConfigDraft) => {
    config['observe'] = { otlp: { endpoint: 'http://127.0.0.1:9' } }
  }
  await withPlane({ change }, async (plane) => {
    for (let at = 0; at < 3; at += 1)
      assert.equal((await post(plane.url, '/v1/chat/completions', plane.key, chat(`hello ${at}`))).status, 200)
  })
})
