import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { canonicalJson } from '#kit/canonical-json.ts'
import { LOG_KEY, type Signer, formatVkey } from '#tlog/key.ts'
import { type Policy, parsePolicy } from '#tlog/policy.ts'
import { createPrivateKey, openSigner } from '#tlog/signer.ts'
import { openAuditLog } from './log.ts'
import { segmentPath } from './segment.ts'
import { type Trail, type TrailOptions, openTrail } from './trail.ts'

/** A folder of its own, taken away afterwards. For tests. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-audit-'))
  try {
    await body(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

export const ORIGIN = 'log.example/test'
const privateKey = await createPrivateKey()
export const signer: Signer = await openSigner(ORIGIN, LOG_KEY, privateKey)
export const policy: Policy = await parsePolicy(`log ${formatVkey(signer.key)}\nquorum none`)

/** Appends entries `{"n":0}`, `{"n":1}`, ... to a plain log and closes it. */
export async function write(folder: string, count: number): Promise<void> {
  const log = await openAuditLog(folder)
  for (let n = 0; n < count; n += 1) await log.append(canonicalJson({ n }))
  await log.close()
}

/** Opens a trail that signs when it is told to, and at the end. */
export async function open(dataFolder: string, more: Partial<TrailOptions> = {}): Promise<Trail> {
  return openTrail({
    dataFolder,
    signer,
    everyMs: 3_600_000,
    onProblem: (problem) => {
      throw new Error(problem)
    },
    ...more,
  })
}

/** Appends so many entries at once, numbered from the log's size. */
export async function fill(trail: Trail, count: number): Promise<void> {
  const from = trail.log.size
  await Promise.all(Array.from({ length: count }, (_, at) => trail.log.append(canonicalJson({ n: from + at }))))
}

/** Lines of one segment without their line feeds. */
export async function lines(folder: string, first = 0): Promise<string[]> {
  return (await readFile(segmentPath(folder, first), 'utf8')).split('\n').slice(0, -1)
}

export async function rewrite(folder: string, change: (all: string[]) => readonly string[]): Promise<void> {
  await writeFile(segmentPath(folder, 0), `${change(await lines(folder)).join('\n')}\n`)
}
