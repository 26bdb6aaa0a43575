import { mkdir, readFile, stat } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createKey } from '#identity/key.ts'
import type { SimCloudsSettings } from '#simclouds/options.ts'
import { asCount, asList, asRecord, asText } from '#kit/json.ts'
import { banner } from '#bin/banner.ts'
import gatewayRuntime from '#bin/gateway-runtime.json' with { type: 'json' }
import { type Child, startChild } from '#bin/child.ts'
import { type Command, type Given, WrongUsage } from '#bin/command.ts'
import { freePort } from '#bin/free-port.ts'
import { type LocalSetup, localConfig, localEnvironment, localKeys } from '#bin/local-setup.ts'
import { readSimulation } from '#bin/simulation.ts'
import { untilStopped } from '#bin/signals.ts'
import { readKeys, writeDurably, writeKeys } from '#bin/state.ts'
import { findUpstream } from '#bin/upstream.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const THINPLANE = join(ROOT, 'thinplane.mjs')
/** The control plane may drain this long, the others end within the rest of five seconds. */
const CONTROL_GRACE_MS = 4300
const OTHERS_GRACE_MS = 600

export const command: Command = {
  summary: 'run everything on this machine: control plane, data plane, simulated clouds',
  usage: '[--port N] [--docs DIR] [--upstream URL | --local-model] [--simulation FILE | --config FILE] [--data DIR]',
  options: {
    port: {
      type: 'string',
      short: 'p',
      value: 'N',
      help: 'port of the endpoint, default 8080; PORT does too; 0 for any free one',
    },
    docs: {
      type: 'string',
      value: 'DIR',
      help: 'ground `assistant` on the documents of this folder: PDF, Office, HTML, Markdown, CSV, JSON, Parquet, text',
    },
    upstream: {
      type: 'string',
      value: 'URL',
      help: 'an OpenAI-compatible server (Ollama, vLLM, llama-server) as first target',
    },
    'upstream-model': { type: 'string', value: 'NAME', help: 'its model, default the first that it lists' },
    'local-model': {
      type: 'boolean',
      help: 'a real small model on this machine as first target (installs 400 MB once)',
    },
    simulation: {
      type: 'string',
      value: 'FILE',
      help: 'places, latency, paces and faults of the simulated clouds (YAML)',
    },
    config: { type: 'string', value: 'FILE', help: 'a configuration of your own instead of the simulated clouds' },
    data: { type: 'string', value: 'DIR', help: 'folder for state, default .thinplane' },
  },
  run: async (given) => {
    const children: Child[] = []
    const stopped = untilStopped()
    try {
      const up =
        given.text('config') === undefined ? await startLocal(given, children) : await startConfigured(given, children)
      process.stdout.write(up)
      const fell = await Promise.race([stopped.then(() => undefined), ...children.map(({ fell: own }) => own)])
      if (fell === undefined) return 0
      process.stderr.write(`thinplane up: ${fell}\n`)
      return 1
    } finally {
      await stopAll(children)
    }
  },
}

/** In the order of the journey's end: the gateway drains while what it calls still answers. */
async function stopAll(children: readonly Child[]): Promise<void> {
  const isControl = ({ name }: Child): boolean => name === 'control plane'
  await Promise.all(children.filter(isControl).map((child) => child.stop(CONTROL_GRACE_MS)))
  await Promise.all(children.filter((child) => !isControl(child)).map((child) => child.stop(OTHERS_GRACE_MS)))
}

async function startLocal(given: Given, children: Child[]): Promise<string> {
  const startedAt = performance.now()
  if (given.text('upstream') !== undefined && given.flag('local-model'))
    throw new WrongUsage('choose --upstream or --local-model, not both')
  const port = await freePort(portOf(given))
  const dataFolder = resolve(given.text('data') ?? '.thinplane')
  const docs = await docsFolder(given.text('docs'))
  await mkdir(dataFolder, { recursive: true, mode: 0o700 })
  const upstream = await upstreamOf(given, children)
  const clouds = run(
    children,
    'simulated clouds',
    ['simclouds', '--options', await simulationFile(dataFolder, given.text('simulation'))],
    {},
  )
  const [sim, dataPort] = await Promise.all([clouds.message(({ ready }) => ready === true), freePort(0)])
  const urls = sim['urls'] as Readonly<Record<string, string>>
  const settings = sim['settings'] as SimCloudsSettings
  // The small model has a context of 2,048 tokens and reads some 60 a second.
  const topK = given.flag('local-model') ? 2 : undefined
  const setup: LocalSetup = {
    topK,
    port,
    policies: join(ROOT, 'policies'),
    docs,
    urls,
    settings,
    dataPort,
    upstream,
    keys: await localKeys(dataFolder),
  }
  const file = join(dataFolder, 'up.yaml')
  await writeDurably(file, localConfig(setup))
  const key = await developerKey(dataFolder)
  const report = await startData(children, file)
  const control = run(children, 'control plane', ['control', '--config', file], {
    ...localEnvironment(settings),
    PORT: String(port),
  })
  const { url } = await control.message(({ ready }) => ready === true)
  return banner({
    url: asText(url) ?? '',
    key,
    docs: given.text('docs') ?? 'the sample handbook',
    documents: asCount(report['documents']),
    passages: asCount(report['passages']),
    model: upstream === undefined ? '' : `${upstream.model} (${upstream.name})`,
    isSimulated: upstream === undefined,
    dataFolder,
    switchboardUrl: asText(sim['switchboardUrl']) ?? '',
    readyMs: performance.now() - startedAt,
  })
}

/** A configuration of the user's own: the gateway, and the data plane where the file has one. */
async function startConfigured(given: Given, children: Child[]): Promise<string> {
  const file = resolve(given.text('config') ?? '')
  for (const option of ['docs', 'upstream', 'data', 'simulation']) {
    if (given.text(option) !== undefined)
      throw new WrongUsage(`--${option} does not go with --config: write it into the file`)
  }
  const { loadConfig } = await import('#config/load.ts')
  const { config } = await loadConfig(file)
  if (config.dataPlane !== undefined) await startData(children, file)
  const port = given.text('port') ?? process.env['PORT']
  const control = run(
    children,
    'control plane',
    ['control', '--config', file, ...(port === undefined ? [] : ['--port', port])],
    {},
  )
  const { url } = await control.message(({ ready }) => ready === true)
  return `\n  Thinplane is ready at ${String(url)}/v1 with ${file}. Ctrl-C stops everything.\n`
}

function run(
  children: Child[],
  name: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  onMessage?: (message: Readonly<Record<string, unknown>>) => void,
): Child {
  // As the launcher does for a gateway of its own.
  const runtime = name === 'control plane' ? gatewayRuntime : { flags: [], environment: {} }
  const child = startChild({
    name,
    file: THINPLANE,
    args,
    environment: { ...runtime.environment, ...environment },
    execArgv: runtime.flags,
    ...(onMessage === undefined ? {} : { onMessage }),
  })
  children.push(child)
  return child
}

/** Ready when its collections are in the index; shows how far it is when that takes long. */
async function startData(children: Child[], file: string): Promise<Readonly<Record<string, unknown>>> {
  const startedAt = performance.now()
  let shown = 0
  const child = run(children, 'data plane', ['data', '--config', file], {}, (message) => {
    const progress = asRecord(message['progress'])
    if (progress === undefined || performance.now() - startedAt < 3000 || performance.now() - shown < 500) return
    shown = performance.now()
    process.stderr.write(`  indexing ${asCount(progress['done'])} of ${asCount(progress['total'])} documents\n`)
  })
  const message = await child.message((candidate) => candidate['ready'] === true || candidate['failed'] !== undefined)
  if (message['failed'] !== undefined)
    throw new Error(`the documents can not be served: ${asText(message['failed']) ?? ''}`)
  return asRecord(asList(message['reports'])[0]) ?? {}
}

function portOf(given: Given): number {
  const fromOption = given.number('port', 0, 65_535)
  if (fromOption !== undefined) return fromOption
  const fromEnvironment = process.env['PORT']
  if (fromEnvironment === undefined || fromEnvironment === '') return 8080
  if (!/^\d{1,5}$/.test(fromEnvironment) || Number(fromEnvironment) > 65_535)
    throw new WrongUsage('PORT takes a whole number from 0 to 65535')
  return Number(fromEnvironment)
}

async function docsFolder(given: string | undefined): Promise<string> {
  const folder = given === undefined ? join(ROOT, 'corpus', 'handbook') : isAbsolute(given) ? given : resolve(given)
  const isFolder = await stat(folder).then(
    (facts) => facts.isDirectory(),
    () => false,
  )
  if (!isFolder) throw new Error(`${folder} is not a folder: name one with Markdown, HTML, text or PDF files`)
  return folder
}

/** Paces of the simulated models: what an 8B model shows on one GPU. Other settings keep their defaults. */
async function simulationFile(dataFolder: string, given: string | undefined): Promise<string> {
  const own = given === undefined ? {} : await readSimulation(given)
  const file = join(dataFolder, 'simclouds.json')
  const paces = {
    cloudRun: { firstTokenMs: 180, tokenMs: 12, ...own.cloudRun },
    bedrock: { firstTokenMs: 350, tokenMs: 12, ...own.bedrock },
    anthropic: { firstTokenMs: 350, tokenMs: 12, ...own.anthropic },
    vertex: { firstTokenMs: 350, tokenMs: 12, ...own.vertex },
  }
  await writeDurably(file, JSON.stringify({ ...own, ...paces }))
  return file
}

async function upstreamOf(given: Given, children: Child[]): Promise<LocalSetup['upstream']> {
  const url = given.text('upstream')
  if (url !== undefined) return { name: 'upstream', ...(await findUpstream(url, given.text('upstream-model'))) }
  if (!given.flag('local-model')) return undefined
  const { startLocalModel } = await import('#bin/local-model.ts')
  const started = await startLocalModel(ROOT)
  children.push(started.child)
  return { name: 'local-model', endpoint: started.url, model: started.model }
}

/**
 * The key that `up` prints. It is kept readable in the data folder so that clients go on working over restarts:
 * for this machine's own use, which is what `up` is for. A real deployment stores hashes only.
 */
async function developerKey(dataFolder: string): Promise<string> {
  const keysFile = join(dataFolder, 'keys.json')
  const plainFile = join(dataFolder, 'up.key')
  const records = await readKeys(keysFile)
  const kept = (await readFile(plainFile, 'utf8').catch(() => '')).trim()
  if (records.some(({ id }) => kept.startsWith(`tp-${id}-`))) return kept
  const { key, record } = createKey({ tenant: 'local', subject: 'local-developer', roles: ['developer'] })
  await writeKeys(keysFile, [...records.filter(({ subject }) => subject !== 'local-developer'), record])
  await writeDurably(plainFile, `${key}\n`)
  return key
}
