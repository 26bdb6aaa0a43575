import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '#config/load.ts'
import type { Collection } from '#dataplane/access/collection.ts'
import { createMiniLmEmbedder } from '#dataplane/embed/minilm.ts'
import type { Embedder } from '#dataplane/embed/embedder.ts'
import { openCollection } from '#dataplane/index/collection-index.ts'
import type { CollectionIndex } from '#dataplane/index/collection-index.ts'
import { lanceEngine } from '#dataplane/index/lance-store.ts'
import type { IndexEngine } from '#dataplane/index/store.ts'
import { ingest } from '#dataplane/ingest/ingest.ts'
import { createPreparer } from '#dataplane/ingest/preparer.ts'
import { evaluate } from '#dataplane/retrieve/evaluate.ts'
import type { Evaluation, WayFigures } from '#dataplane/retrieve/evaluate.ts'
import { parseJudgements } from '#dataplane/retrieve/judgements.ts'
import type { JudgedQuery } from '#dataplane/retrieve/judgements.ts'
import type { Reranker } from '#dataplane/retrieve/rerank.ts'
import { folderSource } from '#dataplane/sources/folder.ts'
import { createLog, errorFacts } from '#observe/log.ts'
import { type Command, type Given, WrongUsage } from '#bin/command.ts'
import { dataPlaneSection } from '#bin/data-plane.ts'
import { openDataSources } from '#bin/data-sources.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const MAX_K = 50
const DEFAULT_K = 10

export const command: Command = {
  summary: 'measure how well retrieval finds what it should, on judged queries',
  takesWords: true,
  usage: 'retrieval FILE [--config FILE] [--collection NAME] [--k N] [--json]',
  options: {
    config: {
      type: 'string',
      value: 'FILE',
      help: 'the configuration whose index is asked, default the evaluation corpus of this repository',
    },
    collection: { type: 'string', value: 'NAME', help: 'the collection that is asked, default the only one' },
    k: { type: 'string', value: 'N', help: `places of a ranking that count, default ${DEFAULT_K}` },
    json: { type: 'boolean', help: 'print the figures as JSON, with those of every query' },
  },
  run: async (given) => {
    const [what, file, ...more] = given.words
    if (what !== 'retrieval' || file === undefined || more.length > 0)
      throw new WrongUsage('write `eval retrieval FILE`, the file with the judged queries')
    const k = given.number('k', 1, MAX_K) ?? DEFAULT_K
    const queries = parseJudgements(await readText(file))
    const evaluation = await evaluated(given, queries, k)
    process.stdout.write(given.flag('json') ? `${JSON.stringify(evaluation)}\n` : show(evaluation))
    return 0
  },
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new Error(`\`${file}\` can not be read, name a file with judged queries`, { cause: error })
  }
}

/** What is asked, and with what. */
interface Subject {
  readonly collection: Collection
  readonly dataDir: string
  readonly engine: IndexEngine
  readonly embedder: Embedder
  readonly reranker?: Reranker | undefined
}

async function evaluated(given: Given, queries: readonly JudgedQuery[], k: number): Promise<Evaluation> {
  const config = given.text('config')
  if (config === undefined) {
    const collection = given.text('collection')
    if (collection !== undefined && collection !== CORPUS.name)
      throw new WrongUsage(`without --config there is only the collection \`${CORPUS.name}\``)
    return await askCorpus(queries, k)
  }
  const loaded = await loadConfig(config)
  const log = createLog(loaded.config.observe.logLevel)
  const sources = openDataSources(dataPlaneSection(loaded), process.env, (error) =>
    log.error('the evaluation met a fault', errorFacts(error)),
  )
  try {
    return await ask({ ...sources, collection: wanted(sources.collections, given.text('collection')) }, queries, k)
  } finally {
    sources.close()
  }
}

const CORPUS: Collection = {
  name: 'evaluation',
  title: 'Evaluation corpus',
  source: folderSource(join(ROOT, 'corpus/evaluation/documents')),
  readers: { roles: [], groups: [] },
  rules: [],
}

/** The repository's own corpus; its index stays in `.cache`, and is brought up to date each time. */
async function askCorpus(queries: readonly JudgedQuery[], k: number): Promise<Evaluation> {
  const dataDir = join(ROOT, '.cache/evaluation')
  const engine = lanceEngine({ uri: join(dataDir, 'index') })
  const preparer = createPreparer()
  const subject = { collection: CORPUS, dataDir, engine, embedder: createMiniLmEmbedder() }
  try {
    return await ask(subject, queries, k, async (index) => {
      const { failed } = await ingest(index, { embedder: subject.embedder, preparer })
      const [first] = failed
      if (first !== undefined) throw new Error(`\`${first.document}\` of the corpus is ${first.fate}: ${first.note}`)
    })
  } finally {
    await preparer.close()
  }
}

/** Closes the embedder and the engine. */
async function ask(
  { collection, embedder, engine, reranker, dataDir }: Subject,
  queries: readonly JudgedQuery[],
  k: number,
  prepare?: (index: CollectionIndex) => Promise<void>,
): Promise<Evaluation> {
  try {
    const index = await openCollection(collection, { dataDir, engine, embedder })
    try {
      await prepare?.(index)
      if ((await index.store.countPassages()) === 0)
        throw new Error(`the index of \`${collection.name}\` is empty, run \`thinplane ingest\` first`)
      return await evaluate(index, queries, { embedder, reranker }, k)
    } finally {
      await index.close()
    }
  } finally {
    await Promise.all([embedder.close(), engine.close()])
  }
}

function wanted(collections: readonly Collection[], name: string | undefined): Collection {
  const found = name === undefined ? collections : collections.filter((collection) => collection.name === name)
  const [first, second] = found
  const known = collections.map((collection) => collection.name).join(', ')
  if (first === undefined) throw new Error(`there is no collection \`${name ?? ''}\`, choose one of ${known}`)
  if (second !== undefined) throw new WrongUsage(`name one of the collections with --collection: ${known}`)
  return first
}

function show({ collection, passages, k, answerable, unanswerable, ways, floor }: Evaluation): string {
  const columns = Object.keys(ways[0]?.recallAt ?? {})
  const head = ['', `nDCG@${k}`, ...columns.map((at) => `recall@${at}`), `MRR@${k}`, 'p50 ms', 'p95 ms']
  const rows = ways.map((way) => [
    way.way,
    way.ndcg.toFixed(3),
    ...columns.map((at) => (way.recallAt[Number(at)] ?? Number.NaN).toFixed(3)),
    way.mrr.toFixed(3),
    way.p50Ms.toFixed(1),
    way.p95Ms.toFixed(1),
  ])
  const silent = unanswerable === 0 ? [] : ways.filter(({ way }) => way === 'fused' || way === 'reranked')
  return [
    `${collection}: ${passages} passages; ${answerable} queries with an answer, ${unanswerable} without\n`,
    table([head, ...rows]),
    ...kindsOf(ways, k),
    ...silent.map((way) => `without an answer, nothing returned, ${way.way}: ${way.silent} of ${unanswerable}`),
    `right passages that the searches found and the floor cut: ${floor.cut} of ${floor.found}\n`,
  ].join('\n')
}

function kindsOf(ways: readonly WayFigures[], k: number): string[] {
  const kinds = Object.keys(ways[0]?.ndcgByKind ?? {})
  if (kinds.length < 2) return []
  const rows = kinds.map((kind) => [
    kind === '' ? '(none)' : kind,
    ...ways.map((way) => (way.ndcgByKind[kind] ?? Number.NaN).toFixed(3)),
  ])
  return [table([[`nDCG@${k} by kind`, ...ways.map(({ way }) => way)], ...rows])]
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  const lines = rows.map((row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  '),
  )
  return `${lines.join('\n')}\n`
}
