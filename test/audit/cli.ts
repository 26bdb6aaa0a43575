import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { entryText } from '#bench/audit/entry.ts'
import { trailPaths } from '#record/signed.ts'
import { openTrailKey } from '#record/trail-key.ts'
import { type Trail, openTrail } from '#record/trail.ts'
import type { Witness } from '#record/witness-feed.ts'
import { ROOT } from '../plane.ts'

export interface Ran {
  readonly status: number | null
  readonly out: string
}

/** Runs `thinplane` with standard output and error together. */
export function thinplane(...args: readonly string[]): Promise<Ran> {
  return run(process.execPath, [join(ROOT, 'thinplane.mjs'), ...args])
}

/** Runs a program to its end. Rejects when there is none. */
export function run(program: string, args: readonly string[], input = '', cwd?: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ['pipe', 'pipe', 'pipe'] })
    let out = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (piece: string) => (out += piece))
    child.once('error', reject)
    child.once('close', (status) => resolve({ status, out }))
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}

/** Why a program can not be used here, or false: the value of a test's `skip`. */
export async function missing(program: string, ...args: readonly string[]): Promise<string | false> {
  return run(program, args).then(
    () => false,
    () => `${program} is not installed`,
  )
}

export const ORIGIN = 'audit.example.com/gateway'

/** The trail of a data folder, which signs when it is told to and at its end. */
export async function openTestTrail(data: string, witnesses: readonly Witness[] = []): Promise<Trail> {
  const { signer } = await openTrailKey(trailPaths(data).key, ORIGIN)
  return openTrail({
    dataFolder: data,
    signer,
    witnesses,
    everyMs: 3_600_000,
    onProblem: (problem) => {
      throw new Error(problem)
    },
  })
}

/** Appends so many entries like a gateway's. */
export async function fill(trail: Trail, count: number): Promise<void> {
  const from = trail.log.size
  await Promise.all(Array.from({ length: count }, (_, at) => trail.log.append(entryText(from + at))))
}
