import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { trailPaths } from '#record/signed.ts'
import { verifyTrail } from '#record/verify.ts'
import { parsePolicy } from '#tlog/policy.ts'
import { type KillResult, killRounds } from './audit/kill.ts'
import { ROOT } from './child.ts'
import type { Section } from './report.ts'

/** Parts of the suite that are about the audit log. */
export const AUDIT_PARTS = ['audit', 'audit-verify', 'audit-kill'] as const
export type AuditPart = (typeof AUDIT_PARTS)[number]

const run = promisify(execFile)

/** Runs one of them in the given folder, which is on a real disk. */
export async function runAudit(part: AuditPart, workFolder: string, quick: boolean): Promise<Section> {
  switch (part) {
    case 'audit':
      return throughput(workFolder, quick)
    case 'audit-verify':
      return verifying(workFolder, quick ? 50_000 : 1_000_000)
    case 'audit-kill':
      return killing(workFolder, quick ? 10 : 200)
  }
}

interface Throughput {
  readonly bytes: number
  readonly paced: {
    readonly entries: number
    readonly p50Ms: number
    readonly p99Ms: number
    readonly maxMs: number
  }
  readonly results: readonly {
    readonly writers: number
    readonly entriesPerS: number
    readonly rates: readonly number[]
    readonly cpuMicrosPerEntry: number
    readonly p50Ms: number
    readonly p99Ms: number
  }[]
}

async function throughput(workFolder: string, quick: boolean): Promise<Section> {
  const args = ['bench/audit/throughput.ts', workFolder, quick ? '1' : '4', quick ? '1' : '5']
  const { stdout } = await run(process.execPath, args, { cwd: ROOT })
  const numbers = JSON.parse(/audit: (\{.*\})/.exec(stdout)?.[1] ?? '') as Throughput
  const { paced } = numbers
  const rows = numbers.results.map(
    ({ writers, entriesPerS, rates, cpuMicrosPerEntry, p50Ms, p99Ms }) =>
      `| ${writers} | ${count(entriesPerS)} | ${rates.map(count).join(', ')} | ${cpuMicrosPerEntry.toFixed(1)} | ${p50Ms.toFixed(2)} | ${p99Ms.toFixed(2)} |`,
  )
  return {
    name: 'audit',
    markdown: [
      '## Appending to the audit log',
      '',
      `Entries of ${count(numbers.bytes)} bytes, each acknowledged when it is synced; tiles and a signed checkpoint every second; all of it on the one core that is not kept for a process under test. The goal is 20,000 a second with 64 writers. Load ${load()}.`,
      '',
      '| writers | entries a second, median | repeats | µs of processor time an entry | p50 ms | p99 ms |',
      '| ---: | ---: | --- | ---: | ---: | ---: |',
      ...rows,
      '',
      `At a thousand entries a second, each measured from when it was due: ${paced.p50Ms.toFixed(2)} ms at the median, ${paced.p99Ms.toFixed(2)} ms at the 99th percentile, ${paced.maxMs.toFixed(2)} ms at most (${count(paced.entries)} entries). The goal is under 5 ms at the 99th percentile.`,
    ].join('\n'),
    numbers,
  }
}

async function verifying(workFolder: string, entries: number): Promise<Section> {
  const data = join(workFolder, 'verify')
  await run(process.execPath, ['bench/audit/make-log.ts', data, String(entries)], { cwd: ROOT })
  const { audit, checkpoint } = trailPaths(data)
  const policy = await parsePolicy(`log ${await readFile(join(audit, 'log.vkey'), 'utf8')}quorum none`)
  const seconds: number[] = []
  for (let repeat = 0; repeat < 3; repeat += 1) {
    const started = performance.now()
    const verdict = await verifyTrail(audit, { policy, checkpoint: await readFile(checkpoint, 'utf8') })
    if (!verdict.ok || verdict.signed !== entries) throw new Error(`the trail does not verify: ${verdict.reason}`)
    seconds.push((performance.now() - started) / 1000)
  }
  await rm(data, { recursive: true })
  return {
    name: 'audit-verify',
    markdown: [
      '## Verifying the audit log',
      '',
      `${count(entries)} entries of 3.4 KB: every leaf hash, the tree, the signature; on one core. The goal for a million is under 15 s. Load ${load()}.`,
      '',
      `Seconds, three runs one after the other: ${seconds.map((value) => value.toFixed(2)).join(', ')}.`,
    ].join('\n'),
    numbers: { entries, seconds },
  }
}

/** Rounds on one log: a new one then, or looking at what is left would take longer than writing it. */
const ROUNDS_A_LOG = 20

async function killing(workFolder: string, rounds: number): Promise<Section> {
  const logs: KillResult[] = []
  for (let done = 0; done < rounds; done += ROUNDS_A_LOG) {
    const data = join(workFolder, `kill-${done}`)
    logs.push(await killRounds(data, Math.min(ROUNDS_A_LOG, rounds - done)))
    await rm(data, { recursive: true })
  }
  const problems = logs.flatMap(({ lost, broken }) => [...lost, ...broken])
  if (problems.length > 0) throw new Error(`entries were lost: ${problems.slice(0, 5).join('; ')}`)
  const sum = (of: (result: KillResult) => number): number => logs.reduce((all, result) => all + of(result), 0)
  return {
    name: 'audit-kill',
    markdown: [
      '## Killing a process that appends',
      '',
      `kill -9 in ${rounds} rounds, ${ROUNDS_A_LOG} on one log, 20 to 420 ms after the first acknowledgement, 32 writers. ${count(sum(({ acknowledged }) => acknowledged))} entries were acknowledged, none of them lost; the logs have ${count(sum(({ entries }) => entries))} and verified after each round; ${sum(({ torn }) => torn)} rounds left an unfinished entry, which the next start cut off. Load ${load()}.`,
    ].join('\n'),
    numbers: logs,
  }
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function load(): string {
  return loadavg()
    .map((value) => value.toFixed(2))
    .join(', ')
}
