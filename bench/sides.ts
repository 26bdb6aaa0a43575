import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type Child, ROOT, startChild } from './child.ts'
import { OTHER_CORE, TESTED_CORE } from './machine.ts'
import type { Address } from './prompt.ts'

/** What every side needs to be started. */
export interface Surroundings {
  readonly upstreamUrl: string
  readonly clouds: CloudFacts
  /** On a real disk: the audit trail is synced to it. */
  readonly workFolder: string
  readonly isPinned: boolean
  /** Where processor profiles are written; undefined for no profile. */
  readonly profileFolder: string | undefined
}

export interface CloudFacts {
  readonly token: string
  readonly entraUrl: string
  readonly tenant: string
  readonly audience: string
  /** Every tenant, the one above included, with a token of a developer in it. */
  readonly tenants: readonly { readonly tenant: string; readonly token: string }[]
  readonly contentSafetyUrl: string
  readonly contentSafetyKey: string
}

/** A side while it runs. */
export interface RunningSide {
  readonly address: Address
  /** The process that is measured; undefined when there is none between the load and the upstream. */
  readonly pid: number | undefined
  stop(): Promise<void>
}

export interface Side {
  readonly name: SideName
  /** What it does, for the report. */
  readonly what: string
  /** Whether it replaces personal data on the way out and puts it back on the way in. */
  readonly isGuarded: boolean
  /** Prompts that differ from each other: verdicts are cached by prompt, so a side that asks for them needs many. */
  readonly variants: number
  /** Length of a prompt. */
  readonly promptBytes: number
  /** Connections of the closed loop. */
  readonly connections: number
  start(surroundings: Surroundings): Promise<RunningSide>
}

export const SIDE_NAMES = ['direct', 'bare', 'portkey', 'thinplane', 'export', 'full'] as const
export type SideName = (typeof SIDE_NAMES)[number]

const VARIANTS = 512
const FULL_VARIANTS = 2000
const PROMPT_BYTES = 1024
/** Questions are short, and the embedding's time grows with their length. */
const QUESTION_BYTES = 200
const CONNECTIONS = 32
/** One embedding model on the core that the load is on too: more would only stand in line. */
const FULL_CONNECTIONS = 4
const MODEL = 'bench'
const URL_LINE = (label: string): RegExp => new RegExp(`${label}: (http://\\S+)\\n`)

/** In the order of the first round. */
export const SIDES: readonly Side[] = [
  {
    name: 'direct',
    what: 'the load generator talks to the upstream itself',
    isGuarded: false,
    variants: VARIANTS,
    promptBytes: PROMPT_BYTES,
    connections: CONNECTIONS,
    start: ({ upstreamUrl, clouds }) =>
      Promise.resolve({ address: addressOf(upstreamUrl, clouds), pid: undefined, stop: () => Promise.resolve() }),
  },
  {
    name: 'bare',
    what: 'node:http and undici, bytes passed through, nothing read or written down',
    isGuarded: false,
    variants: VARIANTS,
    promptBytes: PROMPT_BYTES,
    connections: CONNECTIONS,
    start: (surroundings) => startBare(surroundings),
  },
  {
    name: 'portkey',
    what: 'Portkey OSS 1.15.2 with the pins that it needs to stream at all; no identity, policy, guard or audit',
    isGuarded: false,
    variants: VARIANTS,
    promptBytes: PROMPT_BYTES,
    connections: CONNECTIONS,
    start: (surroundings) => startPortkey(surroundings),
  },
  {
    name: 'thinplane',
    what: 'Entra token, Cedar policies, local guard with placeholders and restore, audit entry synced to disk with its spans, metrics',
    isGuarded: true,
    variants: VARIANTS,
    promptBytes: PROMPT_BYTES,
    connections: CONNECTIONS,
    start: (surroundings) => startThinplane(surroundings),
  },
  {
    name: 'export',
    what: 'as thinplane, and every trace exported to a collector by OTLP',
    isGuarded: true,
    variants: VARIANTS,
    promptBytes: PROMPT_BYTES,
    connections: CONNECTIONS,
    start: (surroundings) => startThinplane(surroundings, { otlp: { endpoint: surroundings.upstreamUrl } }),
  },
  {
    name: 'full',
    what: 'as thinplane, and the managed safety check and grounding on the sample corpus, each in a process of its own on the other core; prompts of 200 bytes, 4 connections',
    isGuarded: true,
    variants: FULL_VARIANTS,
    promptBytes: QUESTION_BYTES,
    connections: FULL_CONNECTIONS,
    start: (surroundings) => startFull(surroundings),
  },
]

function addressOf(url: string, clouds: CloudFacts, headers: Readonly<Record<string, string>> = {}): Address {
  return { url, model: MODEL, headers: { authorization: `Bearer ${clouds.token}`, ...headers } }
}

async function startBare({ upstreamUrl, clouds, isPinned }: Surroundings): Promise<RunningSide> {
  const child = await startChild({
    name: 'the bare proxy',
    args: ['bench/bare-proxy.ts', upstreamUrl],
    core: isPinned ? TESTED_CORE : undefined,
    ready: URL_LINE('bare proxy'),
  })
  return { address: addressOf(child.url, clouds), pid: child.pid, stop: () => child.stop() }
}

const PORTKEY = 'bench/peers/node_modules/@portkey-ai/gateway/build/start-server.js'

/** Whether the peers are here. */
export function hasPeers(): boolean {
  return existsSync(join(ROOT, PORTKEY))
}

/** Portkey's gateway by itself: where it sends a request stands in the request's headers. */
export async function startPortkeyAt(isPinned: boolean): Promise<Child> {
  const port = await freePort()
  return startChild({
    name: 'Portkey',
    args: ['--import', './bench/loopback.ts', PORTKEY, `--port=${port}`, '--headless'],
    core: isPinned ? TESTED_CORE : undefined,
    ready: URL_LINE('peer'),
  })
}

async function startPortkey({ upstreamUrl, clouds, isPinned }: Surroundings): Promise<RunningSide> {
  const child = await startPortkeyAt(isPinned)
  const headers = { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${upstreamUrl}/v1` }
  return { address: addressOf(child.url, clouds, headers), pid: child.pid, stop: () => child.stop() }
}

async function startThinplane(surroundings: Surroundings, observe: object = {}): Promise<RunningSide> {
  const { clouds } = surroundings
  const folder = await mkdtemp(join(surroundings.workFolder, 'thinplane-'))
  const file = await writeConfig(folder, { ...configOf(surroundings), observe: { logLevel: 'warn', ...observe } })
  const child = await startControl(surroundings, file)
  return { address: addressOf(child.url, clouds), pid: child.pid, stop: () => child.stop() }
}

async function startFull(surroundings: Surroundings): Promise<RunningSide> {
  const { clouds, workFolder, isPinned } = surroundings
  const folder = await mkdtemp(join(workFolder, 'full-'))
  const [controlPort, dataPort] = [await freePort(), await freePort()]
  const file = await writeConfig(folder, {
    ...configOf(surroundings),
    listen: { port: controlPort },
    guard: {
      profiles: {
        balanced: { managed: 'always' },
        strict: { managed: 'always', actions: { default: 'redact', SECRET: 'block' } },
      },
      contentSafety: {
        endpoint: clouds.contentSafetyUrl,
        credential: {
          kind: 'header',
          header: 'ocp-apim-subscription-key',
          prefix: '',
          secret: { env: 'BENCH_CONTENT_SAFETY_KEY' },
        },
      },
    },
    context: { endpoint: `http://127.0.0.1:${dataPort}` },
    aliases: { [MODEL]: { targets: ['upstream'], collections: ['handbook'] } },
    dataPlane: {
      port: dataPort,
      jwksUrl: `http://127.0.0.1:${controlPort}/.well-known/jwks.json`,
      // Beside the rounds' own folders: the index is made once.
      data: join(workFolder, 'index'),
      collections: { handbook: { folder: join(ROOT, 'corpus/handbook') } },
    },
  })
  const control = await startControl(surroundings, file)
  const data = await startChild({
    name: 'the data plane',
    args: ['thinplane.mjs', 'data', '--config', file],
    core: isPinned ? OTHER_CORE : undefined,
    ready: URL_LINE('data plane'),
  })
  await untilOk(`${data.url}/readyz`)
  return {
    address: addressOf(control.url, clouds),
    pid: control.pid,
    stop: async () => {
      await control.stop()
      await data.stop()
    },
  }
}

/** Starts a gateway with this configuration. */
export function startControl({ clouds, isPinned, profileFolder }: Surroundings, file: string): Promise<Child> {
  const profile = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`]
  return startChild({
    name: 'the control plane',
    args: [...profile, 'thinplane.mjs', 'control', '--config', file],
    core: isPinned ? TESTED_CORE : undefined,
    ready: URL_LINE('control plane'),
    environment: { BENCH_CONTENT_SAFETY_KEY: clouds.contentSafetyKey },
  })
}

/** One gateway with one target; the managed check off. */
export function configOf({ clouds, upstreamUrl }: Pick<Surroundings, 'clouds' | 'upstreamUrl'>): object {
  return {
    listen: { port: 0 },
    identity: {
      issuers: [
        {
          kind: 'entra',
          name: 'entra',
          authority: clouds.entraUrl,
          v1Host: clouds.entraUrl,
          tenants: clouds.tenants.map(({ tenant }) => tenant),
          audiences: [clouds.audience],
        },
      ],
    },
    policies: { folder: join(ROOT, 'policies') },
    guard: {
      profiles: {
        strict: { managed: 'off', actions: { default: 'redact', SECRET: 'block' } },
        balanced: { managed: 'off' },
      },
    },
    targets: {
      upstream: {
        provider: 'openai-compatible',
        place: { cloud: 'gcp', region: 'us-east4' },
        endpoint: upstreamUrl,
        model: 'bench-model',
        price: { input: 0.1, output: 0.4, source: 'made up for the benchmark' },
      },
    },
    aliases: { [MODEL]: { targets: ['upstream'] } },
    observe: { logLevel: 'warn' },
  }
}

/** A configuration of an agent alone: the parts of the control plane are there for the check of the file only. */
export function dataConfigOf(dataPlane: object): object {
  const tenant = '00000000-0000-4000-8000-000000000001'
  const unused = 'http://127.0.0.1:9'
  const clouds: CloudFacts = {
    token: '',
    entraUrl: unused,
    tenant,
    audience: 'bench',
    tenants: [{ tenant, token: '' }],
    contentSafetyUrl: unused,
    contentSafetyKey: '',
  }
  return { ...configOf({ clouds, upstreamUrl: unused }), dataPlane }
}

/** Writes a configuration into the folder, where the gateway keeps its state as well. JSON is YAML too. */
export async function writeConfig(folder: string, config: object): Promise<string> {
  await mkdir(folder, { recursive: true })
  const file = join(folder, 'thinplane.yaml')
  await writeFile(file, JSON.stringify({ ...config, data: join(folder, 'data') }, undefined, 2))
  return file
}

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

const READY_TIMEOUT_MS = 120_000
const READY_EVERY_MS = 5

/** Asks every 5 ms, for two minutes. @throws when it is still not ready. */
export async function untilOk(url: string): Promise<void> {
  const started = performance.now()
  while (performance.now() - started < READY_TIMEOUT_MS) {
    const isOk = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    )
    if (isOk) return
    await new Promise((resolve) => setTimeout(resolve, READY_EVERY_MS))
  }
  throw new Error(`${url} was not ready within two minutes`)
}
