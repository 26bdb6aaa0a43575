import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import OpenAI from 'openai'
import { startSimClouds } from '#simclouds/start.ts'
import { ROOT, eventually } from '../plane.ts'

const THINPLANE = join(ROOT, 'thinplane.mjs')
let folder = ''
let up: Up

interface Up {
  readonly process: ChildProcess
  readonly url: string
  readonly key: string
  readonly switchboard: string
  readonly text: string
}

/** Starts `thinplane up` as a newcomer would, and waits for its banner. */
async function startUp(args: readonly string[]): Promise<Up> {
  const child = spawn(process.execPath, [THINPLANE, 'up', ...args], {
    cwd: folder,
    env: { ...process.env, PORT: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => (text += piece))
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => (text += piece))
  for (let attempt = 0; attempt < 1200 && !text.includes('Ctrl-C stops'); attempt += 1) {
    if (child.exitCode !== null) throw new Error(text)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const found = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? assert.fail(`no ${String(pattern)} in ${text}`)
  return {
    process: child,
    text,
    url: found(/endpoint\s+(http:\S+)\/v1/),
    key: found(/key\s+(tp-\S+)/),
    switchboard: found(/faults: (http:\S+)\/faults/),
  }
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) resolve(child.exitCode)
    else child.once('exit', resolve)
  })
}

/** Runs a command and returns what it printed. */
async function thinplane(
  ...args: readonly string[]
): Promise<{ readonly status: number | null; readonly out: string }> {
  const child = spawn(process.execPath, [THINPLANE, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (out += piece))
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (out += piece))
  const status = await exitOf(child)
  return { status, out }
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thinplane-e2e-'))
  const docs = join(folder, 'docs')
  await mkdir(docs)
  await writeFile(
    join(docs, 'lighthouse.md'),
    '# Lighthouse\n\n## Opening hours\n\nThe lighthouse of Sandhamn opens on 47 evenings a year, always at dusk.\n\n## Contact\n\nThe keeper is reached under keeper@lighthouse.example.com.\n',
  )
  await writeFile(
    join(docs, 'ferry.html'),
    '<html><head><title>Ferry</title></head><body><h1>Ferry</h1><p>The ferry to the island carries 212 passengers and no cars.</p></body></html>',
  )
  await writeFile(
    join(docs, 'bakery.txt'),
    'The bakery in the harbour sells cardamom buns from six in the morning until they run out.\n',
  )
  await cp(join(ROOT, 'corpus', 'handbook'), join(docs, 'handbook'), {
    recursive: true,
    filter: (path) => !/\.(?:md|html|txt)$/.test(path),
  })
  up = await startUp(['--port', '0', '--docs', docs, '--data', join(folder, 'state')])
})

after(async () => {
  up.process.kill('SIGTERM')
  await exitOf(up.process)
  await rm(folder, { recursive: true, force: true })
})

async function stream(model: string, content: string) {
  const client = new OpenAI({ baseURL: `${up.url}/v1`, apiKey: up.key })
  const { data, response } = await client.chat.completions
    .create({ model, stream: true, messages: [{ role: 'user', content }] })
    .withResponse()
  let text = ''
  let note: unknown
  for await (const chunk of data) {
    text += chunk.choices[0]?.delta.content ?? ''
    note = (chunk as { thinplane?: unknown }).thinplane ?? note
  }
  return { text, note: JSON.stringify(note ?? {}), response }
}

test('the endpoint answers from a folder of Markdown, HTML, text and PDF, and cites the source', async () => {
  assert.equal((await fetch(`${up.url}/readyz`)).status, 200)
  for (const [question, fact, document] of [
    ['On how many evenings does the lighthouse of Sandhamn open?', /47 evenings/, 'lighthouse.md'],
    ['How many passengers does the ferry carry?', /212 passengers/, 'ferry.html'],
    ['What does the bakery in the harbour sell?', /cardamom buns/, 'bakery.txt'],
  ] as const) {
    const { text, note } = await stream('assistant', question)
    assert.match(text, fact)
    assert.ok(text.includes(`[${document}]`), text)
    assert.ok(note.includes(`"document":"${document}"`), note)
  }
  const report = await (await fetch(`${up.url}/v1/models`, { headers: { authorization: `Bearer ${up.key}` } })).text()
  assert.match(report, /"simulated":true/)
  const pdf = await stream('assistant', 'What torque do the screws need when replacing the bearings of a NW-40?')
  assert.match(pdf.note, /field-service-guide\.pdf"/)
  assert.match(pdf.text, /\[handbook\/field-service-guide\.pdf\]/)
})

test('personal data in a passage reaches the model as a placeholder and the caller as it is', async () => {
  const { text } = await stream('assistant', 'Under which address is the keeper of the lighthouse reached?')
  assert.match(text, /keeper@lighthouse\.example\.com/)
  const seen = await (await fetch(`${up.switchboard}/requests?service=cloud-run`)).text()
  assert.ok(!seen.includes('keeper@lighthouse'))
  assert.match(seen, /<EMAIL_ADDRESS_\d{5}>/)
})

test('the trail is proven offline, and one request is shown with its stages, crossings and findings', async () => {
  const { response } = await stream('assistant', 'May jane.doe@example.com take the ferry?')
  const id = response.headers.get('x-request-id') ?? ''
  const verified = await thinplane('audit', 'verify', '--data', join(folder, 'state'))
  assert.equal(verified.status, 0)
  assert.match(verified.out, /^the trail is whole: \d+ entries, \d+ signed, root [0-9a-f]{64}\n/)
  const cosigned = await eventually(async () => {
    const file = join(folder, 'state', 'audit', 'checkpoint.cosigned')
    const text = await readFile(file, 'utf8').catch(() => '')
    return text.includes('— thinplane-data/witness ') ? text : undefined
  }, 'the cosignature of the data plane')
  assert.match(cosigned, /^thinplane-control\n/)
  const shown = await thinplane('audit', 'show', id, '--data', join(folder, 'state'))
  assert.equal(shown.status, 0)
  assert.match(shown.out, /data\s+azure:eastus -> aws:us-east-1\s+200\s+\d+ B out, \d+ B in\s+[\d.]+ ms\s+\$0/)
  assert.match(shown.out, /inference azure:eastus -> gcp:us-east4/)
  assert.match(shown.out, /EMAIL_ADDRESS\s+redact\s+prompt\s+1/)
  assert.match(shown.out, /docs\/ferry\.html/)
  assert.ok(!shown.out.includes('jane.doe'))
  const calls = [...shown.out.matchAll(/^ {2}(identity|safety|data|inference) /gm)].map(([, layer]) => layer ?? '')
  assert.deepEqual(
    calls.toSorted((a, b) => (a < b ? -1 : 1)),
    ['data', 'inference', 'safety'],
    'one call a layer',
  )
})

test('ingest says what it did with each document, and knows the collections', async () => {
  const folder2 = join(folder, 'ingest')
  await mkdir(join(folder2, 'docs'), { recursive: true })
  await writeFile(join(folder2, 'docs', 'one.txt'), 'The tram to the harbour runs every nine minutes.')
  await writeFile(join(folder2, 'docs', 'broken.pdf'), 'this is no PDF')
  const file = join(folder2, 'thinplane.yaml')
  const target =
    '{ provider: openai-compatible, place: { cloud: local, region: local }, endpoint: "http://127.0.0.1:9", model: m }'
  await writeFile(
    file,
    `guard: { profiles: { balanced: { managed: off } } }\ntargets: { t: ${target} }\naliases: { chat: { targets: [t] } }\ndataPlane: { jwksUrl: "http://127.0.0.1:9/", data: index, collections: { docs: { folder: docs } } }\n`,
  )
  const first = await thinplane('ingest', '--config', file)
  assert.equal(first.status, 0, first.out)
  assert.match(first.out, /docs: 1 documents, 1 passages; [12] read, 0 removed, 1 failed/)
  assert.match(first.out, /broken\.pdf: /)
  assert.match((await thinplane('ingest', '--config', file)).out, /docs: 1 documents, 1 passages; 0 read/)
  const unknown = await thinplane('ingest', '--config', file, '--collection', 'moon')
  assert.equal(unknown.status, 1)
  assert.match(unknown.out, /there is no collection `moon`, choose one of docs/)
})

test('a flipped byte in the trail is found, with the entry', async () => {
  const copy = join(folder, 'copy')
  await mkdir(join(copy, 'audit'), { recursive: true })
  await cp(join(folder, 'state', 'audit'), join(copy, 'audit'), { recursive: true })
  const trail = await readFile(join(folder, 'state', 'audit', '000000000000.log'), 'utf8')
  await writeFile(
    join(copy, 'audit', '000000000000.log'),
    trail.replace('"outcome":"answered"', '"outcome":"answerex"'),
  )
  const verdict = await thinplane('audit', 'verify', '--data', copy)
  assert.equal(verdict.status, 1)
  assert.match(verdict.out, /BROKEN: entry 0 .*: the entry does not match its hash; 0 entries/)
})

test('a taken port is one clear sentence', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const { status, out } = await thinplane('up', '--port', String(port), '--data', join(folder, 'other'))
  server.close()
  assert.equal(status, 1)
  assert.equal(
    out,
    `thinplane up: port ${port} on 127.0.0.1 is taken: stop what uses it, or choose another with --port\n`,
  )
})

test('wrong usage exits with 2 and says what to write', async () => {
  for (const [args, message] of [
    [['up', '--port', 'x'], /--port takes a whole number from 0 to 65535/],
    [['up', '--docs', '/nowhere/at/all'], /is not a folder: name one with Markdown/],
    [['fly'], /there is no command `fly`/],
    [['audit'], /write one of verify, show, search, prove, check-proof/],
  ] as const) {
    const { status, out } = await thinplane(...args)
    assert.ok(status === 2 || status === 1, out)
    assert.match(out, message)
  }
})

test('Ctrl-C lets an open answer end, stops everything and exits 0 within 5 s; a restart is quick and keeps the key', async () => {
  const client = new OpenAI({ baseURL: `${up.url}/v1`, apiKey: up.key, maxRetries: 0 })
  const open = await client.chat.completions.create({
    model: 'chat',
    stream: true,
    messages: [{ role: 'user', content: 'tell me about the sea and the wind' }],
  })
  let text = ''
  let stopAt = 0
  for await (const chunk of open) {
    text += chunk.choices[0]?.delta.content ?? ''
    if (stopAt === 0) {
      stopAt = Date.now()
      up.process.kill('SIGINT')
    }
  }
  assert.match(text, /sea and the wind/)
  assert.equal(await exitOf(up.process), 0)
  assert.ok(Date.now() - stopAt < 5000, `${Date.now() - stopAt} ms`)
  const { key } = up
  up = await startUp(['--port', '0', '--docs', join(folder, 'docs'), '--data', join(folder, 'state')])
  assert.equal(up.key, key)
  assert.match((await stream('assistant', 'How many passengers does the ferry carry?')).text, /212/)
})

test('kill -9 in the middle of load loses no acknowledged entry, and the trail verifies', async () => {
  const pids = await eventually(async () => {
    const lock = await readFile(join(folder, 'state', 'audit', 'lock'), 'utf8').catch(() => '')
    return lock === '' ? undefined : Number(lock)
  }, 'the lock of the trail')
  const acknowledged: string[] = []
  const load = Array.from({ length: 16 }, async () => {
    for (;;) {
      const answer = await fetch(`${up.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${up.key}`, 'content-type': 'application/json' },
        body: '{"model":"no-such-model","messages":[{"role":"user","content":"x"}]}',
      })
      await answer.text()
      acknowledged.push(answer.headers.get('x-request-id') ?? '')
    }
  })
  setTimeout(() => process.kill(pids, 'SIGKILL'), 400)
  await Promise.allSettled(load)
  assert.equal(await exitOf(up.process), 1, 'the supervisor says that a part fell')
  assert.ok(acknowledged.length > 20, `${acknowledged.length} requests before the kill`)
  up = await startUp(['--port', '0', '--docs', join(folder, 'docs'), '--data', join(folder, 'state')])
  const trail = await thinplane('audit', 'export', '--data', join(folder, 'state'))
  assert.equal(trail.status, 0)
  for (const id of acknowledged) assert.ok(trail.out.includes(id), `${id} is not in the trail`)
})

test('--upstream puts a real server first, --simulation sets places and faults of the others', async () => {
  const clouds = await startSimClouds({
    latencyScale: 0,
    cloudRun: { firstTokenMs: 0, tokenMs: 0, models: ['llama-of-mine'] },
  })
  const simulation = join(folder, 'simulation.yaml')
  await writeFile(
    simulation,
    'places: { cloud-run: { cloud: gcp, region: us-central1 } }\nfaults: [{ service: content-safety, kind: throttle, count: 1 }]\n',
  )
  const empty = join(folder, 'empty')
  await mkdir(empty)
  await writeFile(join(empty, 'one.txt'), 'One line.')
  const own = await startUp([
    '--port',
    '0',
    '--docs',
    empty,
    '--data',
    join(folder, 'own'),
    '--upstream',
    `${clouds.urls['cloud-run']}/v1/`,
    '--simulation',
    simulation,
  ])
  try {
    assert.match(own.text, /llama-of-mine \(upstream\) answers/)
    const client = new OpenAI({ baseURL: `${own.url}/v1`, apiKey: own.key, maxRetries: 0 })
    const ask = () =>
      client.chat.completions
        .create({ model: 'chat', messages: [{ role: 'user', content: 'hello upstream' }] })
        .withResponse()
    await assert.rejects(ask(), /the managed check gave no verdict/)
    const { data, response } = await ask()
    assert.match(data.choices[0]?.message.content ?? '', /hello upstream/)
    assert.equal(response.headers.get('x-thinplane-target'), 'upstream')
    assert.equal(clouds.requests.count('cloud-run'), 2, 'one for the list of models, one for the question')
    const models = await (
      await fetch(`${own.url}/v1/models`, { headers: { authorization: `Bearer ${own.key}` } })
    ).text()
    assert.match(models, /"place":"gcp:us-central1"/)
  } finally {
    own.process.kill('SIGTERM')
    assert.equal(await exitOf(own.process), 0)
    await clouds.close()
  }
})

test('an upstream that is not there, and a simulation file with mistakes, are said before anything starts', async () => {
  const away = await thinplane('up', '--port', '0', '--data', join(folder, 'away'), '--upstream', 'http://127.0.0.1:9')
  assert.match(
    away.out,
    /nothing answers at http:\/\/127\.0\.0\.1:9\/v1\/models.*: start the server first, or name another URL/,
  )
  const simulation = join(folder, 'bad.yaml')
  await writeFile(simulation, 'faults: [{ service: moon, kind: hang }]\nspeed: 3\n')
  const bad = await thinplane('up', '--port', '0', '--data', join(folder, 'away'), '--simulation', simulation)
  assert.match(bad.out, /faults\.0\.service: Invalid option: expected one of[^]*Unrecognized key: "speed"/)
})
