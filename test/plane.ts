import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import { startControlPlane } from '#bin/control-plane.ts'
import { localConfig, localEnvironment } from '#bin/local-setup.ts'
import { readKeys, writeKeys } from '#bin/state.ts'
import type { Entry } from '#contract/entry.ts'
import { asRecord, asText, parseJson } from '#kit/json.ts'
import { createKey } from '#identity/key.ts'
import { createLog } from '#observe/log.ts'
import type { SimCloudsOptions } from '#simclouds/options.ts'
import { type SimClouds, startSimClouds } from '#simclouds/start.ts'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

export interface PlaneOptions {
  readonly clouds?: SimCloudsOptions
  /** Where its state is and stays. Default a folder that is taken away at the end. */
  readonly folder?: string
  /** Changes the parsed configuration before it is written; the simulated clouds run already. */
  readonly change?: (config: ConfigDraft, clouds: SimClouds) => void
}

/** The parsed YAML, as far as tests change it. */
export interface ConfigDraft {
  readonly targets: Record<string, Record<string, unknown>>
  readonly aliases: Record<string, Record<string, unknown>>
  readonly guard: Record<string, unknown>
  readonly listen: Record<string, unknown>
  policies: { folder: string; packs?: readonly string[] }
  [section: string]: unknown
}

/** A control plane in this process, in front of simulated clouds without latency; no data plane. */
export async function startPlane({ clouds: cloudOptions = {}, folder: kept, change }: PlaneOptions = {}) {
  const folder = kept ?? (await mkdtemp(join(tmpdir(), 'thinplane-test-')))
  const clouds = await startSimClouds({
    latencyScale: 0,
    cloudRun: { firstTokenMs: 0, tokenMs: 0 },
    bedrock: { firstTokenMs: 0, tokenMs: 0 },
    ...cloudOptions,
  })
  const yaml = localConfig({
    port: 0,
    policies: join(ROOT, 'policies'),
    docs: join(ROOT, 'corpus', 'handbook'),
    urls: clouds.urls,
    settings: clouds.settings,
    dataPort: 9,
    upstream: undefined,
    topK: undefined,
    keys: undefined,
  })
  const draft = parse(yaml) as ConfigDraft
  change?.(draft, clouds)
  const file = join(folder, 'thinplane.yaml')
  const keysFile = join(folder, 'keys.json')
  await writeFile(file, stringify(draft))
  const roles = ['developer', 'restricted', 'viewer'] as const
  const made = roles.map((role) => ({
    role,
    ...createKey({ tenant: 'test', subject: `${role}-caller`, roles: [role] }),
  }))
  await writeKeys(
    keysFile,
    made.map(({ record }) => record),
  )
  const logged: string[] = []
  const control = await startControlPlane({
    file,
    environment: { ...process.env, ...localEnvironment(clouds.settings) },
    log: createLog('info', (line) => logged.push(line)),
  })
  const keyOf = (role: (typeof roles)[number]): string => made.find((one) => one.role === role)?.key ?? ''
  return {
    url: control.url,
    clouds,
    folder,
    file,
    keysFile,
    logged,
    key: keyOf('developer'),
    keyOf,
    addKey: async (key: ReturnType<typeof createKey>) =>
      writeKeys(keysFile, [...(await readKeys(keysFile)), key.record]),
    /** The audit entry of a request, once it is durable. */
    entry: (id: string): Promise<Entry> => eventually(() => control.recent.find(id), `entry ${id}`),
    recent: () => control.recent.list(200),
    trail: () => readFile(join(folder, 'audit', '000000000000.log'), 'utf8'),
    close: async () => {
      await control.close(1000)
      await clouds.close()
      if (kept === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}

export type Plane = Awaited<ReturnType<typeof startPlane>>

/** Runs a test against a plane of its own and closes it whatever happens. */
export async function withPlane(options: PlaneOptions, run: (plane: Plane) => Promise<void>): Promise<void> {
  const plane = await startPlane(options)
  try {
    await run(plane)
  } finally {
    await plane.close()
  }
}

/** Asks until there is an answer. @throws after five seconds. */
export async function eventually<T>(read: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const value = await read()
    if (value !== undefined) return value
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`${what} did not come within 5 s`)
}

export interface Raw {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** A plain HTTP call, for what no SDK would send. */
export async function post(
  url: string,
  path: string,
  key: string | undefined,
  body: string,
  headers: Record<string, string> = {},
): Promise<Raw> {
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...headers,
    },
    body,
  })
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}

export function chat(text: string, more: object = {}): string {
  return JSON.stringify({ model: 'chat', messages: [{ role: 'user', content: text }], ...more })
}

/** The error object of an answer, whichever dialect. */
export function errorOf({ text }: Raw): { readonly code: string; readonly message: string } {
  const error = asRecord(asRecord(parseJson(text))?.['error'])
  return { code: asText(error?.['code']) ?? '', message: asText(error?.['message']) ?? '' }
}
