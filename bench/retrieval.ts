import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startChild } from './child.ts'
import { type ContextClient, type ContextReply, type Encoding, contextClient } from './context-client.ts'
import { TESTED_CORE, coreBusyMs, processCpuMs, processRssMb } from './machine.ts'
import { type PassportOffice, openPassportOffice } from './passports.ts'
import type { Section } from './report.ts'
import type { BuildNumbers } from './retrieval/build.ts'
import { COLLECTION, RULES, STAFF } from './retrieval/collection.ts'
import { realQueries } from './retrieval/real-texts.ts'
import { dataConfigOf, untilOk, writeConfig } from './sides.ts'

/** A distribution of milliseconds, by nearest rank. */
interface Spread {
  readonly p50: number
  readonly p95: number
  readonly count: number
}

interface RetrievalNumbers {
  readonly build: BuildNumbers
  /** The searches and the ranking, as the agent's own spans tell: with the query's vector at hand, and with its making. */
  readonly retrieval: { readonly atHand: Spread; readonly embedded: Spread }
  /** The whole call, as its client sees it. */
  readonly call: { readonly atHand: Spread; readonly embedded: Spread }
  /** The call less the retrieval, pair by pair, with the vector at hand. */
  readonly added: Spread
  readonly spans: Readonly<Record<string, Spread>>
  readonly rssMb: { readonly ready: number; readonly afterLoad: number; readonly peak: number }
  readonly load: { readonly connections: number; readonly seconds: number; readonly perS: number }
  /** Share of the agent's core that other processes took while requests were timed. */
  readonly foreign: number
  /** Bytes of an answer of eight passages. */
  readonly bytes: Readonly<Record<Encoding, Spread>>
}

const GOALS = { p50Ms: 25, p95Ms: 60, rssMb: 700, addedMs: 5, bytes: 8192 }
const PASSAGES = { full: 50_000, quick: 5000 }
const TOP_K = 8
const LOAD_CONNECTIONS = 8
const LOAD_MS = { full: 20_000, quick: 3000 }
const NAME = 'bench-data'
const ISSUER = 'https://control.bench.example'

/** Measures the retrieval of one agent over made passages, in an index on the disk of the clone. */
export async function runRetrieval(workFolder: string, isPinned: boolean, quick: boolean): Promise<Section> {
  const folder = join(workFolder, 'retrieval')
  await mkdir(folder, { recursive: true })
  const builder = await startChild({
    name: 'the maker of the index',
    args: ['bench/retrieval/build.ts', join(folder, 'data'), String(quick ? PASSAGES.quick : PASSAGES.full)],
    core: undefined,
    ready: /built: (\{.*\})\n/,
    readyMs: 600_000,
  })
  await builder.stop()
  const build = JSON.parse(builder.url) as BuildNumbers
  const office = await openPassportOffice({ issuer: ISSUER, audience: NAME })
  try {
    const file = await writeConfig(
      folder,
      dataConfigOf({
        port: 0,
        name: NAME,
        issuer: ISSUER,
        jwksUrl: office.jwksUrl,
        data: join(folder, 'data'),
        index: { writes: false },
        collections: { [COLLECTION]: { folder, rules: RULES } },
      }),
    )
    const child = await startChild({
      name: 'the data plane',
      args: ['thinplane.mjs', 'data', '--config', file],
      core: isPinned ? TESTED_CORE : undefined,
      ready: /data plane: (http:\S+)\n/,
    })
    try {
      await untilOk(`${child.url}/readyz`)
      const numbers = { build, ...(await measure(child, askWith(office), quick)) }
      return { name: 'retrieval', markdown: markdownOf(numbers), numbers }
    } finally {
      await child.stop()
    }
  } finally {
    await office.close()
  }
}

type Ask = (client: ContextClient, query: string, encoding: Encoding) => Promise<ContextReply>

/** Each request with a passport of its own: none is taken twice. */
function askWith(office: PassportOffice): Ask {
  return async (client, query, encoding) =>
    await client.ask(
      {
        queries: [query],
        collections: [COLLECTION],
        topK: TOP_K,
        maxBytes: 65_536,
        principal: await office.mint({ collections: [COLLECTION], roles: [STAFF] }),
      },
      encoding,
    )
}

async function measure(
  { pid, url }: { readonly pid: number; readonly url: string },
  ask: Ask,
  quick: boolean,
): Promise<Omit<RetrievalNumbers, 'build'>> {
  const queries = await realQueries()
  const client = contextClient(url, { keepAlive: true })
  // Code and files get warm; none of these is asked again.
  for (const query of queries) await ask(client, `warm ${query}`, 'br')
  const ready = processRssMb(pid).nowMb
  const others = othersOnCore(pid)
  const embedded: ContextReply[] = []
  const asked = queries.flatMap((query) => [query, `${query} today`])
  for (const query of asked) embedded.push(await ask(client, query, 'br'))
  const atHand: ContextReply[] = []
  for (let round = 0; round < 2; round += 1) for (const query of asked) atHand.push(await ask(client, query, 'br'))
  const foreign = others()
  const bytes: Partial<Record<Encoding, Spread>> = {}
  for (const encoding of ['br', 'zstd', 'gzip', 'identity'] as const) {
    const replies: ContextReply[] = []
    for (const query of queries) replies.push(await ask(client, query, encoding))
    bytes[encoding] = spread(replies.filter(({ passages }) => passages >= TOP_K).map((reply) => reply.bytes))
  }
  const load = await loadFor(quick ? LOAD_MS.quick : LOAD_MS.full, client, asked, ask)
  const { nowMb: afterLoad, peakMb: peak } = processRssMb(pid)
  client.close()
  const names = ['embed', 'vector', 'fulltext', 'fuse']
  const { br = NOTHING, zstd = NOTHING, gzip = NOTHING, identity = NOTHING } = bytes
  return {
    retrieval: { atHand: spread(atHand.map(retrievalMs)), embedded: spread(embedded.map(retrievalMs)) },
    call: { atHand: spread(atHand.map(({ ms }) => ms)), embedded: spread(embedded.map(({ ms }) => ms)) },
    added: spread(atHand.map((reply) => reply.ms - retrievalMs(reply))),
    spans: Object.fromEntries(
      names.map((name) => [name, spread((name === 'embed' ? embedded : atHand).map(({ spans }) => spans[name] ?? 0))]),
    ),
    rssMb: { ready, afterLoad, peak },
    load,
    foreign,
    bytes: { br, zstd, gzip, identity },
  }
}

/** The two searches run side by side, the one by meaning behind the embedding. */
function retrievalMs({ spans }: ContextReply): number {
  const { embed = 0, vector = 0, fulltext = 0, fuse = 0 } = spans
  return Math.max(embed + vector, fulltext) + fuse
}

/** @returns what tells the share of the core that was taken by others since then. */
function othersOnCore(pid: number): () => number {
  const foreignMs = () => coreBusyMs(TESTED_CORE) - processCpuMs(pid)
  const [before, started] = [foreignMs(), performance.now()]
  return () => Math.max(0, foreignMs() - before) / (performance.now() - started)
}

async function loadFor(ms: number, client: ContextClient, queries: readonly string[], ask: Ask) {
  const started = performance.now()
  let count = 0
  const one = async (): Promise<void> => {
    while (performance.now() - started < ms) {
      const query = queries[count % queries.length] ?? ''
      count += 1
      // Every fourth query is new to the agent.
      await ask(client, count % 4 === 0 ? `${query} ${count}` : query, 'br')
    }
  }
  await Promise.all(Array.from({ length: LOAD_CONNECTIONS }, one))
  const seconds = (performance.now() - started) / 1000
  return { connections: LOAD_CONNECTIONS, seconds, perS: count / seconds }
}

const NOTHING: Spread = { p50: 0, p95: 0, count: 0 }

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return { p50: at(0.5), p95: at(0.95), count: sorted.length }
}

function markdownOf({ build, retrieval, call, added, spans, rssMb, load, foreign, bytes }: RetrievalNumbers): string {
  const goal = (value: number, limit: number) => `${limit} | ${value < limit ? 'met' : 'MISSED'}`
  const row = (label: string, value: number, digits: number, limit: number) =>
    `| ${label} | ${value.toFixed(digits)} | ${goal(value, limit)} |`
  return [
    '## Retrieval from one agent',
    '',
    `${build.passages} passages of ${build.documents} documents, LanceDB on local disk (${build.indexMb.toFixed(0)} MB), made in ${build.buildS.toFixed(0)} s. Texts: 60 to 180 words, a quarter of them of a real passage of the corpora, the others by Zipf’s law from 30,000 words. Vectors: between two of ${build.embedding.passages} real passages as MiniLM embeds them (0.75 and 0.35) with noise of length 0.6. Everybody may read 55 % of the documents, the caller (staff) 80 %. Queries: ${retrieval.embedded.count} of the corpora, the same again with their vectors at hand; the ${TOP_K} best of each are returned.`,
    '',
    '| one request after the other | | goal | |',
    '| --- | ---: | ---: | --- |',
    row('retrieval, vector at hand, p50 ms', retrieval.atHand.p50, 1, GOALS.p50Ms),
    row('… p95 ms', retrieval.atHand.p95, 1, GOALS.p95Ms),
    row('retrieval with embedding, p50 ms', retrieval.embedded.p50, 1, GOALS.p50Ms),
    row('… p95 ms', retrieval.embedded.p95, 1, GOALS.p95Ms),
    row('added by the call (HTTP, passport, ranking’s end, JSON, brotli), p50 ms', added.p50, 1, GOALS.addedMs),
    row('… p95 ms', added.p95, 1, GOALS.addedMs),
    row('resident MB after the load', rssMb.afterLoad, 0, GOALS.rssMb),
    ...(['br', 'zstd', 'gzip', 'identity'] as const).map((encoding) =>
      encoding === 'identity'
        ? `| bytes of ${TOP_K} passages, as they are, p50 | ${bytes.identity.p50.toFixed(0)} | | |`
        : row(`bytes of ${TOP_K} passages, ${encoding}, p50`, bytes[encoding].p50, 0, GOALS.bytes),
    ),
    '',
    `The whole call takes ${call.atHand.p50.toFixed(1)} ms (p95 ${call.atHand.p95.toFixed(1)}) with the vector at hand, ${call.embedded.p50.toFixed(1)} (${call.embedded.p95.toFixed(1)}) with the embedding. Steps, p50 and p95: ${Object.entries(
      spans,
    )
      .map(([name, { p50, p95 }]) => `${name} ${p50.toFixed(1)}, ${p95.toFixed(1)}`)
      .join(
        '; ',
      )}. Resident memory: ${rssMb.ready.toFixed(0)} MB when warm, ${rssMb.peak.toFixed(0)} at most. ${load.connections} connections for ${load.seconds.toFixed(0)} s, every fourth query new: ${load.perS.toFixed(0)} requests a second. Others took ${(foreign * 100).toFixed(0)} % of the agent’s core while requests were timed.`,
    '',
    '| approximate index against exact search | readable | recall of the first 10 | of the first 30 |',
    '| --- | ---: | ---: | ---: |',
    ...build.recall.map(
      ({ readers, readable, at10, at30 }) =>
        `| ${readers} | ${(readable * 100).toFixed(0)} % | ${at10.toFixed(3)} | ${at30.toFixed(3)} |`,
    ),
    '',
    `Embedding as the ingest does it, both cores: ${build.embedding.perS.toFixed(1)} passages a second (${build.embedding.meanChars.toFixed(0)} characters on average).`,
  ].join('\n')
}
