import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { skipWithoutIndex } from '#dataplane/test-agent.ts'
import { startAws } from '#simclouds/start-aws.ts'
import type { RunningAws } from '#simclouds/start-aws.ts'

const FOLDER = mkdtempSync(join(tmpdir(), 'eval-'))
const CONFIG = join(FOLDER, 'thinplane.yaml')
let sim: RunningAws

const DOCUMENTS = {
  'leave.md': '# Leave\n\nEight days of vacation can be taken over into March.',
  'travel.md': '# Travel\n\nHotels in Oslo cost 210 euros at most.',
  'parts.md': '# Parts\n\nThe seal kit 711-0011 fits the large pump.',
}

interface Run {
  readonly status: number
  readonly out: string
  readonly errors: string
}

async function thinplane(...args: readonly string[]): Promise<Run> {
  const env = { ...process.env, EVAL_KEY: sim.accessKeyId, EVAL_SECRET: sim.secretAccessKey }
  return await new Promise((resolve) => {
    execFile(process.execPath, ['src/bin/thinplane.ts', ...args], { env }, (error, out, errors) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ status, out, errors })
    })
  })
}

/** A file of an evaluation set. */
function fileOf(name: string, ...lines: readonly (object | string)[]): string {
  const file = join(FOLDER, name)
  writeFileSync(file, lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'))
  return file
}

const GOOD = [
  { query: 'hotels in Oslo', kind: 'easy', relevant: [{ document: 'travel.md', contains: '210 euros' }] },
  { query: '711-0011', kind: 'code', relevant: [{ document: 'parts.md' }] },
  { query: 'vacation days in March', kind: 'easy', relevant: [{ document: ['leave.md', 'travel.md'], grade: 2 }] },
  { query: 'football champions', relevant: [] },
]

before(async () => {
  sim = await startAws()
  for (const name of ['docs', 'empty']) mkdirSync(join(FOLDER, name))
  for (const [name, text] of Object.entries(DOCUMENTS)) writeFileSync(join(FOLDER, 'docs', name), text)
  const place = { cloud: 'gcp', region: 'us-east4' }
  const config = {
    guard: { profiles: { balanced: { managed: 'off' } } },
    targets: { vllm: { provider: 'openai-compatible', place, endpoint: 'http://127.0.0.1:9', model: 'm' } },
    aliases: { chat: { targets: ['vllm'] } },
    dataPlane: {
      place: { cloud: 'aws', region: sim.region },
      jwksUrl: 'http://127.0.0.1:9/.well-known/jwks.json',
      data: 'data',
      collections: { handbook: { folder: 'docs' }, empty: { folder: 'empty' } },
      aws: {
        keys: { accessKeyId: { env: 'EVAL_KEY' }, secretAccessKey: { env: 'EVAL_SECRET' } },
        endpoints: { bedrock: sim.urls.bedrock },
      },
      embedding: { model: 'cohere.embed-v4:0', dimensions: 512, floor: 0.25 },
      rerank: {},
    },
  }
  writeFileSync(CONFIG, JSON.stringify(config))
  if (skipWithoutIndex === false) {
    const { status, errors } = await thinplane('ingest', '--config', CONFIG)
    assert.equal(status, 0, errors)
  }
})

after(async () => {
  await sim.close()
  rmSync(FOLDER, { recursive: true })
})

const evalWith = async (file: string, ...more: readonly string[]) =>
  await thinplane('eval', 'retrieval', file, '--config', CONFIG, '--collection', 'handbook', ...more)

const Figures = z.object({
  collection: z.string(),
  k: z.number(),
  passages: z.number(),
  answerable: z.number(),
  unanswerable: z.number(),
  ways: z.array(
    z.object({ way: z.string(), ndcg: z.number(), recallAt: z.record(z.string(), z.number()), silent: z.number() }),
  ),
  queries: z.array(
    z.object({ line: z.number(), query: z.string(), returned: z.partialRecord(z.string(), z.number()) }),
  ),
})

test('the figures of every way are printed, of an index that `ingest` made', { skip: skipWithoutIndex }, async () => {
  const file = fileOf('good.jsonl', ...GOOD)
  const json = await evalWith(file, '--json', '--k', '5')
  assert.deepEqual([json.status, json.errors], [0, ''])
  const figures = Figures.parse(JSON.parse(json.out))
  const { collection, k, passages, answerable, unanswerable, ways } = figures
  assert.deepEqual([collection, k, passages, answerable, unanswerable], ['handbook', 5, 3, 3, 1])
  assert.deepEqual(
    ways.map(({ way }) => way),
    ['full text', 'vector', 'fused', 'reranked'],
  )
  for (const { way, ndcg, recallAt } of ways) {
    assert.equal(ndcg, 1, way)
    assert.deepEqual(recallAt, { 1: 1, 5: 1 })
  }
  assert.equal(ways.find(({ way }) => way === 'fused')?.silent, 1)
  assert.deepEqual(
    figures.queries.map(({ line, query }) => [line, query]),
    GOOD.map(({ query }, at) => [at + 1, query]),
  )
  assert.equal(figures.queries[3]?.returned['fused'], 0)
  const shown = await evalWith(file)
  assert.equal(shown.status, 0)
  assert.match(shown.out, /^handbook: 3 passages; 3 queries with an answer, 1 without\n/)
  assert.match(shown.out, /nDCG@10 +recall@1 +recall@5 +recall@10 +MRR@10 +p50 ms +p95 ms/)
  assert.match(shown.out, /^reranked +1\.000 +1\.000 +1\.000 +1\.000 +1\.000 +\d+\.\d +\d+\.\d$/m)
  assert.match(shown.out, /^easy +1\.000 +1\.000 +1\.000 +1\.000$/m)
  assert.match(shown.out, /^without an answer, nothing returned, fused: 1 of 1$/m)
})

test('wrong lines are all named, and nothing is printed', { skip: skipWithoutIndex }, async () => {
  const file = fileOf('bad.jsonl', 'not json', GOOD[0] ?? '', { query: '', relevant: [] }, GOOD[0] ?? '')
  const { status, out, errors } = await evalWith(file)
  assert.deepEqual([status, out], [1, ''])
  assert.match(errors, /^thinplane eval: line 1 is not JSON, write `\{"query"/)
  assert.match(errors, /^line 3 is not understood at `query`/m)
  assert.match(errors, /^line 4 asks what line 2 asks, keep one of them$/m)
  const nowhere = await evalWith(
    fileOf(
      'nowhere.jsonl',
      { query: 'a', relevant: [{ document: 'nowhere.md' }] },
      { query: 'b', relevant: [{ document: 'travel.md', contains: '211 euros' }] },
    ),
  )
  assert.deepEqual([nowhere.status, nowhere.out], [1, ''])
  assert.match(nowhere.errors, /line 1 names `nowhere\.md`, which the collection does not have/)
  assert.match(nowhere.errors, /^line 2 looks for `211 euros`, which no passage of `travel\.md` holds/m)
  const none = await evalWith(fileOf('none.jsonl', ''))
  assert.deepEqual([none.status, none.out], [1, ''])
  assert.match(none.errors, /the file holds no query, write/)
})

test('an index without passages, and models that fail, give no figures', { skip: skipWithoutIndex }, async () => {
  // Two documents have something of it, so that there is an order to be judged.
  const query = 'hotels in Oslo and the large pump'
  const file = fileOf('pair.jsonl', { query, relevant: [{ document: 'travel.md' }, { document: 'parts.md' }] })
  assert.equal((await evalWith(file)).status, 0)
  const empty = await thinplane('eval', 'retrieval', file, '--config', CONFIG, '--collection', 'empty')
  assert.deepEqual([empty.status, empty.out], [1, ''])
  assert.match(empty.errors, /the index of `empty` is empty, run `thinplane ingest` first/)
  for (const [path, message] of [
    ['embed', /can not be had \(AccessDeniedException\)/],
    ['rerank', /the figures would be wrong: the better order was left out/],
  ] as const) {
    sim.faults.set({ service: 'bedrock', kind: 'error', status: 403, path })
    const { status, out, errors } = await evalWith(file)
    sim.faults.clear()
    assert.deepEqual([status, out], [1, ''], path)
    assert.match(errors, message)
  }
})

test('wrong usage is told, with what to write', async () => {
  const file = fileOf('good.jsonl', ...GOOD)
  const rows: readonly [readonly string[], number, RegExp][] = [
    [['eval'], 2, /write `eval retrieval FILE`.*see `thinplane eval --help`/],
    [['eval', 'retrieval'], 2, /write `eval retrieval FILE`/],
    [['eval', 'answers', file], 2, /write `eval retrieval FILE`/],
    [['eval', 'retrieval', file, 'more'], 2, /write `eval retrieval FILE`/],
    [['eval', 'retrieval', file, '--k', '0'], 2, /--k takes a whole number from 1 to 50/],
    [['eval', 'retrieval', file, '--k', '51'], 2, /--k takes a whole number from 1 to 50/],
    [['eval', 'retrieval', file, '--nothing'], 2, /--nothing/],
    [['eval', 'retrieval', file, '--collection', 'x'], 2, /without --config there is only the collection `evaluation`/],
    [
      ['eval', 'retrieval', file, '--config', CONFIG],
      2,
      /name one of the collections with --collection: handbook, empty/,
    ],
    [
      ['eval', 'retrieval', file, '--config', CONFIG, '--collection', 'x'],
      1,
      /no collection `x`, choose one of handbook/,
    ],
    [['eval', 'retrieval', join(FOLDER, 'no.jsonl')], 1, /no\.jsonl` can not be read, name a file with judged queries/],
  ]
  const runs = await Promise.all(rows.map(async ([args]) => await thinplane(...args)))
  for (const [at, run] of runs.entries()) {
    const [args, status, message] = rows[at] ?? assert.fail()
    assert.deepEqual([run.status, run.out], [status, ''], args.join(' '))
    assert.match(run.errors, message)
  }
  const help = await thinplane('eval', '--help')
  assert.equal(help.status, 0)
  assert.match(help.out, /Usage: thinplane eval retrieval FILE/)
})
