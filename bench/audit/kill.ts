import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { readLeaves } from '#record/read-tree.ts'
import { trailPaths } from '#record/signed.ts'
import { verifyTrail } from '#record/verify.ts'
import { formatVkey } from '#tlog/key.ts'
import { parsePolicy } from '#tlog/policy.ts'
import { openTrailKey } from '#record/trail-key.ts'

export interface KillResult {
  readonly rounds: number
  /** Entries that were acknowledged before a kill, all rounds together. */
  readonly acknowledged: number
  readonly entries: number
  /** Acknowledged entries that were not in the log afterwards: has to be empty. */
  readonly lost: readonly string[]
  /** Rounds after which the trail did not verify, with the reason: has to be empty. */
  readonly broken: readonly string[]
  /** Rounds that left an unfinished entry behind. */
  readonly torn: number
}

const WRITER = fileURLToPath(new URL('writer.ts', import.meta.url))

/** Kills a process that appends, again and again on one folder, each time after another while, and looks what is left. */
export async function killRounds(
  dataFolder: string,
  rounds: number,
  onRound?: (round: number) => void,
): Promise<KillResult> {
  const { signer } = await openTrailKey(trailPaths(dataFolder).key, 'bench.example/audit')
  const policy = await parsePolicy(`log ${formatVkey(signer.key)}\nquorum none`)
  const { audit, checkpoint } = trailPaths(dataFolder)
  const [lost, broken]: [string[], string[]] = [[], []]
  let [acknowledged, entries, torn] = [0, 0, 0]
  for (let round = 0; round < rounds; round += 1) {
    const seen = await writeUntilKilled(dataFolder, 20 + ((round * 37) % 400))
    const note = await readFile(checkpoint, 'utf8').catch(() => undefined)
    const verdict = await verifyTrail(audit, { policy, checkpoint: note })
    // Killed before its first second was over a log has no checkpoint yet.
    if (!verdict.ok && !(note === undefined && verdict.badIndex === undefined))
      broken.push(`round ${round}: ${verdict.reason}`)
    if (verdict.tornBytes > 0) torn += 1
    const leaves = await readLeaves(audit, 0, verdict.entries)
    for (const [index, hash] of seen) {
      acknowledged += 1
      if (leaves.toString('hex', index * 32, index * 32 + 32) !== hash) lost.push(`round ${round}: entry ${index}`)
    }
    entries = verdict.entries
    onRound?.(round)
  }
  return { rounds, acknowledged, entries, lost, broken, torn }
}

/** Starts the writer, kills it so many milliseconds after its first acknowledgement, and gives what it acknowledged. */
function writeUntilKilled(dataFolder: string, afterMs: number): Promise<Map<number, string>> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [WRITER, dataFolder, '32'], { stdio: ['ignore', 'pipe', 'pipe'] })
    let [text, errors, isTimed] = ['', '', false]
    child.stderr.setEncoding('utf8').on('data', (piece: string) => (errors += piece))
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
      if (isTimed || !/^\d/m.test(text)) return
      isTimed = true
      setTimeout(() => child.kill('SIGKILL'), afterMs)
    })
    child.once('error', reject)
    child.once('close', (_code, signal) => {
      if (signal !== 'SIGKILL') {
        reject(new Error(`the writer ended by itself: ${errors}`))
        return
      }
      // A last line without its end was cut by the kill: it counts as not acknowledged.
      const whole = text.slice(0, text.lastIndexOf('\n')).split('\n')
      const pairs = whole.map((line) => /^(\d+) ([0-9a-f]{64})$/.exec(line)).filter((match) => match !== null)
      resolve(new Map(pairs.map(([, index = '', hash = '']) => [Number(index), hash])))
    })
  })
}
