import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'
import { FaultSchema } from '#simclouds/faults.ts'
import type { SimCloudsOptions } from '#simclouds/options.ts'
import { SERVICE_NAMES } from '#simclouds/service.ts'
import { ENGINE_PRESETS } from '#simclouds/vllm-presets.ts'

const place = z.strictObject({ cloud: z.enum(['azure', 'aws', 'gcp', 'local']), region: z.string().min(1) })
const pace = {
  firstTokenMs: z.number().min(0).max(600_000).optional(),
  tokenMs: z.number().min(0).max(60_000).optional(),
}
const ms = z.number().min(0).max(86_400_000).optional()
const count = z.int().min(1).optional()
const seed = z.int().optional()
const scaling = z.strictObject({
  concurrency: count,
  maxInstances: count,
  coldStartMs: ms,
  sigma: z.number().min(0).max(3).optional(),
  idleMs: ms,
  coldStartFailures: z.number().min(0).max(1).optional(),
  seed,
})
const engine = z.strictObject({
  preset: z.enum(ENGINE_PRESETS).optional(),
  maxNumSeqs: count,
  overheadMs: ms,
  prefillMsPerToken: ms,
  tokenMs: ms,
  jitter: z.number().min(0).max(1).optional(),
  loadFactor: z.number().min(1).optional(),
  numGpuBlocks: count,
  prefixCaching: z.boolean().optional(),
  seed,
})
const byService = <Value extends z.ZodType>(value: Value) => z.partialRecord(z.enum(SERVICE_NAMES), value)

/** The simulated clouds' own file: places, latency, paces and faults. Every field may be left out. */
const Simulation = z.strictObject({
  host: z.string().optional(),
  ports: byService(z.int().min(0).max(65_535)).optional(),
  switchboardPort: z.int().min(0).max(65_535).optional(),
  from: place.optional(),
  places: byService(place).optional(),
  latencyScale: z.number().min(0).max(100).optional(),
  cloudRun: z
    .strictObject({
      ...pace,
      bearer: z.string().optional(),
      models: z.array(z.string().min(1)).min(1).optional(),
      idToken: z.strictObject({ invokers: z.array(z.string()) }).optional(),
      scaling: scaling.optional(),
      engine: engine.optional(),
      timeScale: z.number().min(0.01).max(1000).optional(),
    })
    .optional(),
  bedrock: z.strictObject({ ...pace, region: z.string().optional() }).optional(),
  s3: z.strictObject({ opaqueEtags: z.boolean().optional() }).optional(),
  athena: z
    .strictObject({
      queueMs: ms,
      runMs: ms,
      maxActiveQueries: count,
      workGroups: z
        .record(
          z.string().regex(/^[a-zA-Z0-9._-]{1,128}$/),
          z.strictObject({
            outputLocation: z.string().startsWith('s3://').optional(),
            isEnforced: z.boolean().optional(),
            bytesScannedCutoffPerQuery: count,
          }),
        )
        .optional(),
    })
    .optional(),
  anthropic: z.strictObject(pace).optional(),
  vertex: z.strictObject(pace).optional(),
  faults: z.array(FaultSchema).optional(),
})

/** @throws with every field that is wrong, and what it may be. */
export async function readSimulation(file: string): Promise<SimCloudsOptions> {
  const result = Simulation.safeParse(parse(await readFile(file, 'utf8')) ?? {})
  // Absent fields and undefined ones mean the same here.
  if (result.success) return JSON.parse(JSON.stringify(result.data)) as SimCloudsOptions
  const problems = result.error.issues.map(({ path, message }) => `  ${path.map(String).join('.')}: ${message}`)
  throw new Error(`${file} can not be used:\n${problems.join('\n')}`)
}
