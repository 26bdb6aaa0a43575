import { join } from 'node:path'
import { openBorder } from '#border/cross.ts'
import { DEFAULT_RULES } from '#border/rules.ts'
import type { LoadedConfig } from '#config/load.ts'
import type { DataPlaneOptions } from '#dataplane/serve.ts'
import { type Witness, openWitness } from '#dataplane/witness/witness.ts'
import { openWitnessKey } from '#dataplane/witness/witness-key.ts'
import type { Log } from '#observe/log.ts'
import { openDataSources } from './data-sources.ts'
import { egressMicroUsd } from '#planner/egress.ts'
import { parseVkey } from '#tlog/key.ts'

/** What the agent is started with, from the `dataPlane` section of the file. */
type AgentOptions = Omit<DataPlaneOptions, 'witness'> & { readonly closeSources: () => Promise<void> }

/** The section of the agent. @throws when there is none. */
export function dataPlaneSection({ config, resolve, file }: LoadedConfig) {
  const { dataPlane } = config
  if (dataPlane === undefined)
    throw new Error(`${file} has no section \`dataPlane\`, add one with the collections to serve`)
  return { dataPlane, resolve, file }
}

/** @throws when there is no section `dataPlane`, or a secret can not be had. */
export function dataPlaneOptions(loaded: LoadedConfig, onFault: (error: unknown) => void): AgentOptions {
  const section = dataPlaneSection(loaded)
  const { dataPlane } = section
  const { dataDir, collections, facts, engine, embedder, reranker, ...sources } = openDataSources(
    section,
    process.env,
    onFault,
  )
  const border = openBorder({ from: dataPlane.place, rules: DEFAULT_RULES, egressMicroUsd })
  return {
    host: dataPlane.host,
    port: dataPlane.port,
    name: dataPlane.name,
    issuer: dataPlane.issuer,
    tenants: dataPlane.tenants,
    dataDir,
    collections,
    facts,
    engine,
    embedder,
    ...(reranker === undefined ? {} : { reranker }),
    rebuild: dataPlane.index.rebuild,
    writes: dataPlane.index.writes,
    servesOld: dataPlane.index.servesOld,
    listEveryMs: dataPlane.index.listEveryMinutes * 60_000,
    maxAnswerBytes: dataPlane.maxAnswerBytes,
    onFault,
    fetchKeys: async () => {
      const answer = await border.cross(
        {
          requestId: 'keys',
          traceId: '0'.repeat(31) + '1',
          sampled: false,
          signal: new AbortController().signal,
          crossings: [],
          calls: new Map(),
        },
        {
          layer: 'identity',
          to: dataPlane.controlPlace,
          method: 'GET',
          url: dataPlane.jwksUrl,
          headers: { accept: 'application/json' },
          credential: { kind: 'none' },
          connectMs: 2000,
          firstByteMs: 3000,
          idleMs: 3000,
          totalMs: 4000,
          maxAnswerBytes: 65_536,
        },
      )
      return JSON.parse(await answer.text()) as unknown
    },
    closeSources: async () => {
      sources.close()
      await border.close(200)
    },
  }
}

/** The witness that the `dataPlane` section asks for, or undefined. @throws for keys that are none. */
export async function witnessOf({ config, resolve }: LoadedConfig, log: Log): Promise<Witness | undefined> {
  const { dataPlane } = config
  if (dataPlane?.witness === undefined) return undefined
  const dataDir = resolve(dataPlane.data)
  const { logs, name = defaultWitnessName(dataPlane.name) } = dataPlane.witness
  return openWitness({
    folder: join(dataDir, 'witness'),
    signer: await openWitnessKey(dataDir, name),
    logs: await Promise.all(logs.map(parseVkey)),
    now: Date.now,
    onConflict: (origin, knownSize, shownSize) =>
      log.error('an audit log showed a tree that does not follow from what it showed before', {
        origin,
        knownSize,
        shownSize,
      }),
  })
}

/** A witness without a name of its own. */
export function defaultWitnessName(agent: string): string {
  return `${agent.replaceAll(/[\s+]/g, '-')}/witness`
}
