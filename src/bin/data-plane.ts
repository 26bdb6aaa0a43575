import { openBorder } from '#border/cross.ts'
import { DEFAULT_RULES } from '#border/rules.ts'
import type { LoadedConfig } from '#config/load.ts'
import type { DataPlaneOptions } from '#dataplane/serve.ts'
import { egressMicroUsd } from '#planner/egress.ts'

/** What the agent is started with, from the `dataPlane` section of the file. @throws when there is none. */
export function dataPlaneOptions({
  config,
  resolve,
  file,
}: LoadedConfig): DataPlaneOptions & { readonly closeBorder: () => Promise<void> } {
  const { dataPlane } = config
  if (dataPlane === undefined)
    throw new Error(`${file} has no section \`dataPlane\`, add one with the collections to serve`)
  const border = openBorder({ from: dataPlane.place, rules: DEFAULT_RULES, egressMicroUsd })
  return {
    host: dataPlane.host,
    port: dataPlane.port,
    name: dataPlane.name,
    issuer: dataPlane.issuer,
    dataDir: resolve(dataPlane.data),
    collections: Object.entries(dataPlane.collections).map(([name, collection]) => ({
      name,
      ...collection,
      folder: resolve(collection.folder),
    })),
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
    closeBorder: () => border.close(200),
  }
}
