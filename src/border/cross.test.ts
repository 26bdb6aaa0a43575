import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, type RequestListener, createServer } from 'node:http'
import { type AddressInfo, type Server as NetServer, type Socket, createServer as createNetServer } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import {
  CrossFault,
  type CrossFaultKind,
  type CrossRequest,
  type Crossing,
  type Layer,
  type TokenSource,
  type Trip,
} from '#contract/crossing.ts'
import { Secret } from '#kit/secret.ts'
import { type Border, openBorder } from './cross.ts'
import { type BorderRules, DEFAULT_RULES } from './rules.ts'

interface Stand {
  readonly url: string
  readonly border: Border
  readonly trip: Trip
  readonly abort: () => void
  /** Crossings that have ended, as metrics see them. */
  readonly ended: readonly Crossing[]
  readonly request: (changes?: Partial<CrossRequest>) => CrossRequest
}

function newTrip(signal: AbortSignal): Trip {
  return {
    requestId: 'req-1',
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    sampled: true,
    signal,
    crossings: [],
    calls: new Map(),
  }
}

async function withServer(
  server: NetServer,
  body: (stand: Stand) => Promise<void>,
  rules: BorderRules = DEFAULT_RULES,
): Promise<void> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const gone = new AbortController()
  const ended: Crossing[] = []
  const border = openBorder({
    from: { cloud: 'azure', region: 'eastus' },
    rules,
    egressMicroUsd: (from, to, bytes) => (from.cloud === 'azure' && to.cloud === 'aws' ? bytes * 2 : 0),
    observe: (crossing) => ended.push({ ...crossing }),
  })
  try {
    await body({
      url,
      border,
      trip: newTrip(gone.signal),
      abort: () => gone.abort(),
      ended,
      request: (changes = {}) => ({
        layer: 'inference',
        to: { cloud: 'aws', region: 'us-east-1' },
        method: 'POST',
        url: `${url}/v1/x?a=b`,
        headers: { 'content-type': 'application/json' },
        body: '{"a":"ä"}',
        credential: { kind: 'none' },
        connectMs: 2000,
        firstByteMs: 2000,
        idleMs: 2000,
        totalMs: 4000,
        maxAnswerBytes: 1_000_000,
        ...changes,
      }),
    })
  } finally {
    await border.close(20)
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
}

function http(listener: RequestListener): NetServer {
  return createServer({ keepAliveTimeout: 0 }, listener)
}

async function read(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString('utf8')
}

test('a call goes out with its trace in two headers, and the answer comes whole', async () => {
  let seen: IncomingMessage | undefined
  let body = ''
  const server = http((request, response) => {
    seen = request
    void read(request).then((text) => {
      body = text
      response.writeHead(201, { 'X-Made-Up': 'a', 'set-cookie': ['a=1', 'b=2'] }).end('grüße')
    })
  })
  await withServer(server, async ({ border, trip, request }) => {
    const answer = await border.cross(trip, request())
    assert.equal(answer.status, 201)
    assert.deepEqual([answer.headers['x-made-up'], answer.headers['set-cookie']], ['a', 'a=1, b=2'])
    assert.equal(await answer.text(), 'grüße')
    assert.deepEqual([seen?.method, seen?.url, body], ['POST', '/v1/x?a=b', '{"a":"ä"}'])
    const traceparent = `00-4bf92f3577b34da6a3ce929d0e0e4736-${answer.crossing.spanId}-01`
    assert.deepEqual(
      [seen?.headers['traceparent'], seen?.headers['x-thinplane-traceparent'], seen?.headers['x-request-id']],
      [traceparent, traceparent, 'req-1'],
    )
  })
})

test('the bytes of a crossing are those on the wire, to within the headers that the client adds', async () => {
  let received = 0
  const answerBytes = Buffer.from(
    'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1000\r\n\r\n' + 'x'.repeat(1000),
  )
  const server = createNetServer((socket) => {
    socket.on('data', (bytes) => {
      received += bytes.length
      if (bytes.includes('"end"')) socket.end(answerBytes)
    })
  })
  await withServer(server, async ({ border, trip, request, ended }) => {
    const answer = await border.cross(trip, request({ body: `${'é'.repeat(500)}"end"` }))
    await answer.text()
    const { crossing } = answer
    assert.ok(Math.abs(crossing.bytesOut - received) <= 40, `${crossing.bytesOut} counted, ${received} received`)
    assert.ok(
      Math.abs(crossing.bytesIn - answerBytes.length) <= 10,
      `${crossing.bytesIn} counted, ${answerBytes.length} sent`,
    )
    assert.equal(crossing.egressMicroUsd, crossing.bytesOut * 2)
    assert.deepEqual(
      [crossing.from, crossing.to, crossing.layer, crossing.status, crossing.error],
      ['azure:eastus', 'aws:us-east-1', 'inference', 200, ''],
    )
    assert.ok(crossing.firstByteMs > 0 && crossing.ms >= crossing.firstByteMs)
    assert.deepEqual(trip.crossings, [crossing])
    assert.deepEqual(ended, [crossing])
  })
})

test('an error status is an answer', async () => {
  await withServer(
    http((_, response) => response.writeHead(503, { 'retry-after': '3' }).end('busy')),
    async ({ border, trip, request }) => {
      const answer = await border.cross(trip, request())
      assert.deepEqual(
        [answer.status, answer.headers['retry-after'], await answer.text(), answer.crossing.error],
        [503, '3', 'busy', ''],
      )
    },
  )
})

test('credentials go out in their header, and sign what is sent', async () => {
  const seen: IncomingMessage[] = []
  const server = http((request, response) => {
    seen.push(request)
    response.end()
  })
  await withServer(server, async ({ border, trip, request }) => {
    const secret = new Secret('s3cret')
    await (
      await border.cross(trip, request({ credential: { kind: 'header', header: 'X-Key', prefix: 'Bearer ', secret } }))
    ).text()
    const aws = {
      kind: 'aws-sigv4',
      service: 'bedrock',
      region: 'us-east-1',
      accessKeyId: new Secret('AKIA'),
      secretAccessKey: secret,
    } as const
    await (await border.cross(trip, request({ credential: aws }))).text()
    assert.equal(seen[0]?.headers['x-key'], 'Bearer s3cret')
    assert.match(
      seen[1]?.headers.authorization ?? '',
      /^AWS4-HMAC-SHA256 Credential=AKIA\/\d{8}\/us-east-1\/bedrock\/aws4_request, SignedHeaders=[a-z0-9;-]+, Signature=[0-9a-f]{64}$/,
    )
  })
})

const SMALL: BorderRules = { ...DEFAULT_RULES, maxBodyBytes: { ...DEFAULT_RULES.maxBodyBytes, data: 10 } }

const ruled: readonly (readonly [what: string, changes: Partial<CrossRequest>, calls: number, message: string])[] = [
  [
    'an image',
    { headers: { 'content-type': 'image/png' } },
    0,
    'content type `image/png` may not leave, only text and JSON',
  ],
  ['a body of no type', { headers: {} }, 0, 'content type `` may not leave, only text and JSON'],
  [
    'a type that only begins like one of ours',
    { headers: { 'content-type': 'text/plainer' } },
    0,
    'content type `text/plainer` may not leave, only text and JSON',
  ],
  [
    'a body that is too large, in bytes and not in characters',
    { layer: 'data', body: 'ä'.repeat(6) },
    0,
    '12 bytes for the data layer, at most 10 may leave',
  ],
  [
    'a second call into the data layer',
    { layer: 'data', body: '{}' },
    1,
    'call 2 into the data layer, a request may make 1',
  ],
  ['a fifth try at inference', {}, 4, 'call 5 into the inference layer, a request may make 4'],
]

for (const [what, changes, calls, message] of ruled) {
  test(`${what} does not leave`, async () => {
    let connections = 0
    const server = http((_, response) => response.end())
    server.on('connection', () => {
      connections += 1
    })
    await withServer(
      server,
      async ({ border, trip, request }) => {
        const layer: Layer = changes.layer ?? 'inference'
        trip.calls.set(layer, calls)
        await assert.rejects(border.cross(trip, request(changes)), { name: 'CrossFault', kind: 'rule', message })
        assert.deepEqual([connections, trip.crossings.length, trip.calls.get(layer)], [0, 0, calls])
      },
      SMALL,
    )
  })
}

test('every call is counted, also one that fails', async () => {
  await withServer(
    createNetServer((socket) => socket.destroy()),
    async ({ border, trip, request }) => {
      for (let call = 1; call <= 4; call += 1) {
        await assert.rejects(border.cross(trip, request()), { kind: 'reset' })
        assert.equal(trip.calls.get('inference'), call)
      }
      await assert.rejects(border.cross(trip, request()), { kind: 'rule' })
      assert.equal(trip.crossings.length, 4)
    },
  )
})

/** Answers with headers and one piece, and then says nothing more. */
const stalls: RequestListener = (_, response) => {
  response.writeHead(200).write('a')
}
/** Answers a piece every 20 ms, for ever. */
const drips: RequestListener = (_, response) => {
  const timer = setInterval(() => response.write('a'), 20)
  response.on('close', () => clearInterval(timer))
}

const deadlines: readonly (readonly [
  what: string,
  server: () => NetServer,
  changes: Partial<CrossRequest>,
  kind: CrossFaultKind,
  message: string,
])[] = [
  ['no headers', () => http(() => undefined), { firstByteMs: 60 }, 'timeout-first-byte', 'no answer after 60 ms'],
  ['a gap in the answer', () => http(stalls), { idleMs: 60 }, 'timeout-idle', 'nothing for 60 ms'],
  ['an answer without end', () => http(drips), { totalMs: 150 }, 'timeout-total', 'no end after 150 ms'],
  [
    'no headers within the whole time',
    () => http(() => undefined),
    { totalMs: 60 },
    'timeout-total',
    'no end after 60 ms',
  ],
]

for (const [what, server, changes, kind, message] of deadlines) {
  test(`${what} has a deadline of its own`, async () => {
    await withServer(server(), async ({ border, trip, request, ended }) => {
      const started = performance.now()
      await assert.rejects(async () => (await border.cross(trip, request(changes))).text(), {
        name: 'CrossFault',
        kind,
        message,
      })
      const ms = performance.now() - started
      assert.ok(ms >= 55 && ms < 1500, `${ms} ms`)
      assert.deepEqual(
        ended.map(({ error }) => error),
        [kind],
      )
    })
  })
}

test('a drip keeps the gap from being one', async () => {
  const server = http((_, response) => {
    void (async () => {
      for (let piece = 0; piece < 8; piece += 1) {
        response.write('a')
        await sleep(25)
      }
      response.end()
    })()
  })
  await withServer(server, async ({ border, trip, request }) => {
    assert.equal(await (await border.cross(trip, request({ idleMs: 120 }))).text(), 'a'.repeat(8))
  })
})

test('a connection that does not come to stand has a deadline of its own', async () => {
  // Accepts the connection and never answers the TLS handshake.
  await withServer(createNetServer(), async ({ border, trip, request, url }) => {
    const secure = url.replace('http:', 'https:')
    await assert.rejects(border.cross(trip, request({ url: secure, connectMs: 80 })), {
      kind: 'timeout-connect',
      message: `no connection to ${new URL(url).host} after 80 ms`,
    })
    assert.equal(trip.crossings[0]?.error, 'timeout-connect')
  })
})

test('nobody there is a fault of its own', async () => {
  await withServer(
    http(() => undefined),
    async ({ border, trip, request }) => {
      await assert.rejects(border.cross(trip, request({ url: 'http://127.0.0.1:1/' })), {
        kind: 'connect',
        message: 'no connection to 127.0.0.1:1 (ECONNREFUSED)',
      })
      assert.deepEqual([trip.crossings[0]?.status, trip.crossings[0]?.error], [0, 'connect'])
    },
  )
})

test('a reset before the first byte and one after it are told apart by the status', async () => {
  await withServer(
    createNetServer((socket) => socket.once('data', () => socket.resetAndDestroy())),
    async ({ border, trip, request, url }) => {
      await assert.rejects(border.cross(trip, request()), {
        kind: 'reset',
        message: new RegExp(`^${new URL(url).host} broke the connection \\(`),
      })
      assert.deepEqual([trip.crossings[0]?.status, trip.crossings[0]?.error], [0, 'reset'])
    },
  )
  const cut = createNetServer((socket) =>
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc')
      setTimeout(() => socket.resetAndDestroy(), 20)
    }),
  )
  await withServer(cut, async ({ border, trip, request }) => {
    const answer = await border.cross(trip, request())
    const iterator = answer.body[Symbol.asyncIterator]()
    assert.equal(Buffer.from((await iterator.next()).value as Uint8Array).toString(), 'abc')
    await assert.rejects(async () => iterator.next(), { kind: 'reset' })
    assert.deepEqual([answer.crossing.status, answer.crossing.error], [200, 'reset'])
  })
})

test('an answer that ends before its length is no whole answer', async () => {
  const server = createNetServer((socket) =>
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc')),
  )
  await withServer(server, async ({ border, trip, request }) => {
    await assert.rejects(async () => (await border.cross(trip, request())).text(), { kind: 'reset' })
  })
})

test('what is no HTTP is a reset', async () => {
  await withServer(
    createNetServer((socket) => socket.once('data', () => socket.end('hello\n'))),
    async ({ border, trip, request }) => {
      await assert.rejects(border.cross(trip, request()), { kind: 'reset' })
    },
  )
})

test('an answer over its limit is cut', async () => {
  await withServer(
    http((_, response) => response.end('x'.repeat(5000))),
    async ({ border, trip, request }) => {
      await assert.rejects(async () => (await border.cross(trip, request({ maxAnswerBytes: 4999 }))).text(), {
        kind: 'too-large',
        message: 'the answer is over 4999 bytes',
      })
      assert.equal((await (await border.cross(trip, request({ maxAnswerBytes: 5000 }))).text()).length, 5000)
    },
  )
})

for (const [encoding, compress] of [
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
  ['gzip', gzipSync],
] as const) {
  test(`an answer in ${encoding} is unpacked`, async () => {
    const text = 'grüße '.repeat(1000)
    const server = http((_, response) => response.writeHead(200, { 'content-encoding': encoding }).end(compress(text)))
    await withServer(server, async ({ border, trip, request }) => {
      const answer = await border.cross(trip, request())
      assert.equal(await answer.text(), text)
      assert.ok(answer.crossing.bytesIn < 500)
    })
  })

  test(`an answer in ${encoding} that is not, or unpacks beyond its limit, is a fault of the call`, async () => {
    const bodies = [Buffer.from('not packed'), compress('x'.repeat(100_000))]
    for (const body of bodies) {
      const server = http((_, response) => response.writeHead(200, { 'content-encoding': encoding }).end(body))
      await withServer(server, async ({ border, trip, request }) => {
        await assert.rejects(async () => (await border.cross(trip, request({ maxAnswerBytes: 10_000 }))).text(), {
          name: 'CrossFault',
        })
      })
    }
  })
}

/** Resolves with when the server saw its client go. */
function goneAt(): { readonly server: NetServer; readonly gone: Promise<number>; readonly arrived: Promise<void> } {
  const gone = Promise.withResolvers<number>()
  const arrived = Promise.withResolvers<void>()
  const server = http((_, response) => {
    response.writeHead(200).write('a')
    response.on('close', () => gone.resolve(performance.now()))
    arrived.resolve()
  })
  return { server, gone: gone.promise, arrived: arrived.promise }
}

const leaving: readonly (readonly [what: string, leave: (stand: Stand, own: AbortController) => Promise<void>])[] = [
  [
    'the caller leaves',
    async ({ border, trip, request, abort }) => {
      const answer = await border.cross(trip, request())
      abort()
      await assert.rejects(answer.text(), { kind: 'aborted', message: 'given up' })
    },
  ],
  [
    'this call alone is given up',
    async ({ border, trip, request }, own) => {
      const answer = await border.cross(trip, request({ signal: own.signal }))
      own.abort()
      await assert.rejects(answer.text(), { kind: 'aborted' })
    },
  ],
  [
    'the answer is cancelled',
    async ({ border, trip, request }) => {
      const answer = await border.cross(trip, request())
      answer.cancel()
      answer.cancel()
      await assert.rejects(answer.text(), { kind: 'aborted' })
    },
  ],
  [
    'the loop over the answer is left',
    async ({ border, trip, request }) => {
      const answer = await border.cross(trip, request())
      for await (const piece of answer.body) {
        assert.equal(piece.length, 1)
        break
      }
    },
  ],
]

for (const [what, leave] of leaving) {
  test(`when ${what} the far side knows it within 50 ms`, async () => {
    const { server, gone, arrived } = goneAt()
    await withServer(server, async (stand) => {
      const left = leave(stand, new AbortController())
      await arrived
      await left
      const leftAt = performance.now()
      assert.ok((await gone) - leftAt < 50)
      assert.deepEqual(
        stand.ended.map(({ error, status }) => [error, status]),
        [['aborted', 200]],
      )
    })
  })
}

test('a call that was given up before it began does not leave and is not counted', async () => {
  await withServer(
    http(() => undefined),
    async ({ border, trip, request, abort }) => {
      abort()
      await assert.rejects(border.cross(trip, request()), { kind: 'aborted', message: 'given up before it began' })
      assert.deepEqual([trip.crossings.length, trip.calls.size], [0, 0])
    },
  )
})

test('a reader that is slow gets everything', async () => {
  const size = 1_000_000
  const server = http((_, response) => response.end(Buffer.alloc(size, 'x')))
  await withServer(server, async ({ border, trip, request }) => {
    const answer = await border.cross(trip, request({ totalMs: 1500 }))
    let bytes = 0
    for await (const piece of answer.body) {
      bytes += piece.length
      if (bytes < 500_000) await sleep(20)
    }
    assert.equal(bytes, size)
    assert.equal(answer.crossing.error, '')
  })
})

test('a gap has its deadline also when the reader was slow before', async () => {
  const server = http((_, response) => response.write(Buffer.alloc(1_000_000, 'x')))
  await withServer(server, async ({ border, trip, request }) => {
    const answer = await border.cross(trip, request({ idleMs: 100, totalMs: 1500 }))
    await sleep(50)
    await assert.rejects(answer.text(), { kind: 'timeout-idle' })
  })
})

test('connections are used again, and closing leaves none open', async () => {
  let connections = 0
  const server = createServer((_, response) => response.end('ok'))
  server.on('connection', () => {
    connections += 1
  })
  await withServer(server, async ({ border, trip, request }) => {
    for (let call = 0; call < 3; call += 1) {
      await (await border.cross(trip, request())).text()
      await sleep(5)
    }
    assert.equal(connections, 1)
    await border.close(100)
    await sleep(10)
    assert.equal(await new Promise((resolve) => server.getConnections((_, count) => resolve(count))), 0)
  })
})

test('a token that is issued for the call goes out as bearer, and without one nothing goes out', async () => {
  const seen: (string | undefined)[] = []
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization)
    response.end('ok')
  })
  await withServer(server, async ({ border, trip, request }) => {
    const asked: Trip[] = []
    const source: TokenSource = {
      token: (of) => {
        asked.push(of)
        return { reveal: () => 'issued' }
      },
    }
    await (await border.cross(trip, request({ credential: { kind: 'token', source } }))).text()
    assert.deepEqual(seen, ['Bearer issued'])
    assert.deepEqual(asked, [trip])
    const none = { token: () => Promise.reject(new CrossFault('credential', 'no token for the call')) }
    await assert.rejects(border.cross(trip, request({ credential: { kind: 'token', source: none } })), {
      name: 'CrossFault',
      kind: 'credential',
    })
    assert.equal(seen.length, 1)
    assert.equal(trip.crossings.length, 1)
  })
})
