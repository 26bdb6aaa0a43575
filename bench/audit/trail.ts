import { mkdir } from 'node:fs/promises'
import { trailPaths } from '#record/signed.ts'
import { openTrailKey } from '#record/trail-key.ts'
import { type Trail, openTrail } from '#record/trail.ts'

/** The trail of a data folder as a gateway opens it, signing every second, without witnesses. */
export async function openBenchTrail(dataFolder: string): Promise<Trail> {
  await mkdir(dataFolder, { recursive: true })
  const { signer } = await openTrailKey(trailPaths(dataFolder).key, 'bench.example/audit')
  return openTrail({
    dataFolder,
    signer,
    onProblem: (problem) => {
      process.stderr.write(`${problem}\n`)
      process.exit(1)
    },
  })
}
