import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

const CpuProfile = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
      children: z.array(z.number()).optional(),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
})

/** Time in one function itself, without what it calls. */
export interface SelfTime {
  readonly name: string
  readonly group: string
  /** Share of the time that the processor was busy, 0 to 1. */
  readonly share: number
}

export interface ProfileSummary {
  readonly busyMs: number
  /** Self times by folder or package. */
  readonly groups: readonly { readonly group: string; readonly share: number }[]
  /** The same time, but what the runtime and packages do counts for the folder of ours that called them. */
  readonly callers: readonly { readonly group: string; readonly share: number }[]
  readonly functions: readonly SelfTime[]
}

/** Start-up and warm-up are other questions than what a request costs. */
const SKIPPED_MICROS = 10_000_000
const IDLE = new Set(['(idle)', '(root)'])

/** Reads the profiles of a folder and adds up self times, but for the first ten seconds. */
export async function summariseProfiles(folder: string): Promise<ProfileSummary> {
  const microsByFunction = new Map<string, { group: string; micros: number }>()
  const microsByCaller = new Map<string, number>()
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.cpuprofile')) continue
    const profile = CpuProfile.parse(JSON.parse(await readFile(join(folder, name), 'utf8')))
    const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]))
    const callers = callersOf(profile.nodes)
    let sinceStart = 0
    for (const [at, id] of profile.samples.entries()) {
      sinceStart += profile.timeDeltas[at] ?? 0
      if (sinceStart < SKIPPED_MICROS) continue
      const frame = frames.get(id)
      if (frame === undefined || IDLE.has(frame.functionName)) continue
      const group = groupOf(frame)
      const micros = profile.timeDeltas[at] ?? 0
      const caller = callers.get(id) ?? group
      microsByCaller.set(caller, (microsByCaller.get(caller) ?? 0) + micros)
      const key = `${frame.functionName === '' ? '(anonymous)' : frame.functionName} ${placeOf(frame)}`
      const known = microsByFunction.get(key)
      if (known === undefined) microsByFunction.set(key, { group, micros })
      else known.micros += micros
    }
  }
  return summary(microsByFunction, microsByCaller)
}

type Node = z.infer<typeof CpuProfile>['nodes'][number]

/** The nearest folder of ours above each node; the tree of calls comes from its root down. */
function callersOf(nodes: readonly Node[]): ReadonlyMap<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const callers = new Map<number, string>()
  const open = nodes.slice(0, 1).map((node) => ({ node, caller: '' }))
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const group = groupOf(at.node.callFrame)
    const caller = group.startsWith('src/') ? group : at.caller
    if (caller !== '') callers.set(at.node.id, caller)
    for (const child of at.node.children ?? []) {
      const node = byId.get(child)
      if (node !== undefined) open.push({ node, caller })
    }
  }
  return callers
}

function summary(
  functions: ReadonlyMap<string, { readonly group: string; readonly micros: number }>,
  callers: ReadonlyMap<string, number>,
): ProfileSummary {
  const busy = [...functions.values()].reduce((sum, { micros }) => sum + micros, 0)
  const byGroup = new Map<string, number>()
  for (const { group, micros } of functions.values()) byGroup.set(group, (byGroup.get(group) ?? 0) + micros)
  const share = (micros: number): number => micros / Math.max(1, busy)
  return {
    busyMs: busy / 1000,
    groups: shares(byGroup, busy),
    callers: shares(callers, busy),
    functions: [...functions]
      .map(([name, { group, micros }]) => ({ name, group, share: share(micros) }))
      .toSorted((a, b) => b.share - a.share),
  }
}

function shares(
  micros: ReadonlyMap<string, number>,
  busy: number,
): { readonly group: string; readonly share: number }[] {
  return [...micros]
    .map(([group, each]) => ({ group, share: each / Math.max(1, busy) }))
    .toSorted((a, b) => b.share - a.share)
}

interface Frame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

function placeOf({ url, lineNumber }: Frame): string {
  if (url === '') return ''
  const short = url.replace(/^.*\/(node_modules|src|bench)\//, (_, folder: string) =>
    folder === 'node_modules' ? '' : `${folder}/`,
  )
  return `${short}:${lineNumber + 1}`
}

/** Our folder, the package, or what of the runtime it is. */
function groupOf({ functionName, url }: Frame): string {
  if (functionName === '(garbage collector)') return 'gc'
  if (functionName === '(program)') return 'native (program)'
  const ours = /\/src\/([^/]+)/.exec(url)?.[1]
  if (ours !== undefined && !url.includes('/node_modules/')) return `src/${ours.replace(/\.ts$/, '')}`
  const dependency = /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]
  if (dependency !== undefined) return dependency
  if (
    url.startsWith('node:internal/streams') ||
    url.startsWith('node:_http') ||
    url.startsWith('node:net') ||
    url.startsWith('node:internal/http')
  )
    return 'node http and net'
  if (url.startsWith('node:')) return 'node other'
  return url.startsWith('wasm:') ? 'wasm' : 'native'
}

const TOP = 25
const LEAST_SHARE = 0.003

/** The tables that `--profile` prints. */
export function showProfile(title: string, { busyMs, groups, callers, functions }: ProfileSummary): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1).padStart(5)} %`
  return [
    `${title}: ${Math.round(busyMs)} ms busy`,
    '  by folder, with what the runtime does on its behalf:',
    ...callers.filter(({ share }) => share >= LEAST_SHARE).map(({ group, share }) => `  ${percent(share)}  ${group}`),
    '  by where the time itself is spent:',
    ...groups.filter(({ share }) => share >= LEAST_SHARE).map(({ group, share }) => `  ${percent(share)}  ${group}`),
    `  the ${TOP} functions with most time in themselves:`,
    ...functions.slice(0, TOP).map(({ name, group, share }) => `  ${percent(share)}  ${name}  [${group}]`),
  ].join('\n')
}
