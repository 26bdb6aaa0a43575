import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { S3Client } from '@aws-sdk/client-s3'
import type { Place } from '#contract/place.ts'
import { type Aws, openAws } from '#dataplane/aws/aws.ts'
import { egressMicroUsd, egressMicroUsdPerGb } from '#planner/egress.ts'
import { rttMs } from '#planner/rtt.ts'
import { startAws } from '#simclouds/start-aws.ts'
import { ROOT, startChild } from './child.ts'
import { contextClient } from './context-client.ts'
import { TESTED_CORE } from './machine.ts'
import { openPassportOffice } from './passports.ts'
import { type FarWay, farWayTo } from './physics/far.ts'
import { median } from './quantiles.ts'
import type { Section } from './report.ts'
import { realQueries } from './retrieval/real-texts.ts'
import { dataConfigOf, untilOk, writeConfig } from './sides.ts'

/** One way to what a model needs to know, from one region. */
interface PhysicsRow {
  readonly region: string
  readonly rttMs: number
  readonly way: string
  readonly isCold: boolean
  /** Of each round. */
  readonly ms: readonly number[]
  /** Out of AWS for one request, TCP payload; median of the rounds. */
  readonly bytesOut: number
  /** List price of these bytes for a million requests. */
  readonly usdPerMillion: number
}

interface PhysicsNumbers {
  readonly documents: number
  readonly documentBytes: number
  readonly egressSource: string
  readonly rows: readonly PhysicsRow[]
}

const DATA: Place = { cloud: 'aws', region: 'us-east-1' }
const CLIENTS: readonly Place[] = [
  { cloud: 'gcp', region: 'us-central1' },
  { cloud: 'gcp', region: 'us-east4' },
]
const DOCUMENTS = 50
/** A report of a dozen pages with a picture or two. */
const DOCUMENT_BYTES = 200_000
const TOP_K = 8
const ROUNDS = { full: 9, quick: 2 }
const BUCKET = 'documents'
const NAME = 'physics-data'
const ISSUER = 'https://control.bench.example'
const COLLECTION = 'evaluation'

/** What a round does, and the clients that it may have made. */
interface Way {
  readonly name: string
  readonly isCold: boolean
  readonly through: FarWay
  readonly run: (round: number) => Promise<void>
}

/**
 * Documents fetched over the distance between two clouds, against one call to an agent that stands beside them, over the
 * same simulated distance.
 */
export async function runPhysics(workFolder: string, isPinned: boolean, quick: boolean): Promise<Section> {
  const folder = join(workFolder, 'physics')
  await mkdir(folder, { recursive: true })
  const cloud = await startAws({ region: DATA.region })
  const office = await openPassportOffice({ issuer: ISSUER, audience: NAME })
  try {
    cloud.s3.createBucket(BUCKET)
    for (let at = 0; at < DOCUMENTS; at += 1)
      cloud.s3.putGenerated(BUCKET, `${at}.pdf`, {
        sizeBytes: DOCUMENT_BYTES,
        read: (start, end) => new Uint8Array(end - start).fill(at),
        contentType: 'application/pdf',
      })
    const file = await writeConfig(
      folder,
      dataConfigOf({
        port: 0,
        name: NAME,
        issuer: ISSUER,
        jwksUrl: office.jwksUrl,
        data: join(folder, 'data'),
        collections: { [COLLECTION]: { folder: join(ROOT, 'corpus/evaluation/documents') } },
      }),
    )
    const agent = await startChild({
      name: 'the data plane',
      args: ['thinplane.mjs', 'data', '--config', file],
      core: isPinned ? TESTED_CORE : undefined,
      ready: /data plane: (http:\S+)\n/,
    })
    try {
      await untilOk(`${agent.url}/readyz`)
      const rows: PhysicsRow[] = []
      for (const client of CLIENTS) {
        const far = { agentUrl: agent.url, s3Url: cloud.urls.s3, keys: cloud, mint: office.mint.bind(office) }
        rows.push(...(await fromRegion(client, far, quick ? ROUNDS.quick : ROUNDS.full)))
      }
      const [first = DATA] = CLIENTS
      const egressSource = egressMicroUsdPerGb(DATA, first).source
      const numbers = { documents: DOCUMENTS, documentBytes: DOCUMENT_BYTES, egressSource, rows }
      return { name: 'physics', markdown: markdownOf(numbers), numbers }
    } finally {
      await agent.stop()
    }
  } finally {
    await office.close()
    await cloud.close()
  }
}

interface Far {
  readonly agentUrl: string
  readonly s3Url: string
  readonly keys: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly mint: Awaited<ReturnType<typeof openPassportOffice>>['mint']
}

async function fromRegion(client: Place, far: Far, rounds: number): Promise<PhysicsRow[]> {
  const { ms: roundTripMs } = rttMs(client, DATA)
  const toS3 = await farWayTo(portOf(far.s3Url), roundTripMs)
  const toAgent = await farWayTo(portOf(far.agentUrl), roundTripMs)
  const warmS3 = openFar(toS3, far)
  const warmAgent = contextClient(`http://127.0.0.1:${toAgent.port}`, { keepAlive: true })
  const queries = await realQueries()
  let asked = 0
  // Each query is new to the agent: its embedding is a part of the time.
  const ask = async (from: ReturnType<typeof contextClient>): Promise<void> => {
    asked += 1
    const principal = await far.mint({ collections: [COLLECTION], roles: [] })
    const query = `${queries[asked % queries.length] ?? ''} ${client.region} ${asked}`
    await from.ask({ queries: [query], collections: [COLLECTION], topK: TOP_K, maxBytes: 65_536, principal }, 'br')
  }
  const cold = async (fetchAll: (aws: Aws) => Promise<void>): Promise<void> => {
    const aws = openFar(toS3, far)
    try {
      await fetchAll(aws)
    } finally {
      aws.close()
    }
  }
  const askCold = async (): Promise<void> => {
    const once = contextClient(`http://127.0.0.1:${toAgent.port}`, { keepAlive: false })
    await ask(once)
    once.close()
  }
  const ways: readonly Way[] = [
    { name: `${DOCUMENTS} documents, one after the other`, isCold: true, through: toS3, run: () => cold(oneByOne) },
    { name: `${DOCUMENTS} documents, one after the other`, isCold: false, through: toS3, run: () => oneByOne(warmS3) },
    { name: `${DOCUMENTS} documents, all at once`, isCold: true, through: toS3, run: () => cold(allAtOnce) },
    { name: `${DOCUMENTS} documents, all at once`, isCold: false, through: toS3, run: () => allAtOnce(warmS3) },
    { name: 'one context call', isCold: true, through: toAgent, run: askCold },
    { name: 'one context call', isCold: false, through: toAgent, run: () => ask(warmAgent) },
  ]
  try {
    await allAtOnce(warmS3)
    for (let at = 0; at < 20; at += 1) await ask(warmAgent)
    const rows: PhysicsRow[] = []
    for (const way of ways) rows.push(await measure(way, { client, roundTripMs, rounds }))
    return rows
  } finally {
    warmS3.close()
    warmAgent.close()
    await Promise.all([toS3.close(), toAgent.close()])
  }
}

async function measure(
  { name, isCold, through, run }: Way,
  { client, roundTripMs, rounds }: { client: Place; roundTripMs: number; rounds: number },
): Promise<PhysicsRow> {
  const ms: number[] = []
  const bytes: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    through.takeBytes()
    const started = performance.now()
    await run(round)
    ms.push(performance.now() - started)
    bytes.push(through.takeBytes().down)
  }
  const bytesOut = median(bytes)
  return {
    region: client.region,
    rttMs: roundTripMs,
    way: name,
    isCold,
    ms,
    bytesOut,
    // Millionths of a USD for one request are USD for a million.
    usdPerMillion: egressMicroUsd(DATA, client, bytesOut),
  }
}

function openFar({ port }: FarWay, { keys }: Far): Aws {
  const { accessKeyId, secretAccessKey } = keys
  return openAws({
    region: DATA.region,
    endpoints: { s3: `http://127.0.0.1:${port}` },
    keys: { accessKeyId, secretAccessKey },
  })
}

async function oneByOne(aws: Aws): Promise<void> {
  const client = await aws.s3()
  for (let at = 0; at < DOCUMENTS; at += 1) await fetchOne(client, at)
}

async function allAtOnce(aws: Aws): Promise<void> {
  const client = await aws.s3()
  await Promise.all(Array.from({ length: DOCUMENTS }, async (_, at) => await fetchOne(client, at)))
}

/** @throws when it is not whole. */
async function fetchOne(client: S3Client, at: number): Promise<void> {
  const { GetObjectCommand } = await import('@aws-sdk/client-s3')
  const answer = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key: `${at}.pdf` }))
  const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array()
  if (bytes.length !== DOCUMENT_BYTES) throw new Error(`document ${at} came with ${bytes.length} bytes`)
}

function portOf(url: string): number {
  return Number(new URL(url).port)
}

function markdownOf({ documents, documentBytes, egressSource, rows }: PhysicsNumbers): string {
  return [
    '## What distance costs: fetching documents against asking beside them',
    '',
    `A client in GCP needs what is said in documents in AWS us-east-1. Either it fetches ${documents} of them (${documentBytes / 1000} KB each, simulated S3, the official SDK), or it makes one \`POST /v1/context\` to an agent in us-east-1, which answers with the best passages, at most ${TOP_K}, as text (brotli); the embedding of the question is in its time. Both go through the same delay, the round trip that the planner has for the two regions, one more for a new connection. TLS and TCP's slow start are left out, which flatters the documents more than the call. What reading ${documents} documents into a prompt costs is not in it either.`,
    '',
    '| client in | connections | | ms, median | KB out of AWS | USD for a million |',
    '| --- | --- | --- | ---: | ---: | ---: |',
    ...rows.map(
      ({ region, rttMs: roundTrip, way, isCold, ms, bytesOut, usdPerMillion }) =>
        `| ${region} (${roundTrip} ms) | ${isCold ? 'cold' : 'warm'} | ${way} | ${median(ms).toFixed(0)} | ${(bytesOut / 1000).toFixed(1)} | ${usdPerMillion.toFixed(2)} |`,
    ),
    '',
    `Egress: ${egressSource}. USD are for the bytes that leave AWS, requests of S3 not counted.`,
  ].join('\n')
}
