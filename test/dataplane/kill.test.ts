import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openCollection } from '#dataplane/index/collection-index.ts'
import { collectionOf, createWordEmbedder, engineIn, skipWithoutIndex } from '#dataplane/test-agent.ts'
import { awsWorld, BUCKET } from './aws-world.ts'
import type { AwsWorld } from './aws-world.ts'

/** `THINPLANE_KILLS=50` for the long run: each takes two to three seconds. */
const KILLS = Number(process.env['THINPLANE_KILLS'] ?? 4)
const DOCUMENTS = 160
const INGESTER = fileURLToPath(new URL('./ingester.ts', import.meta.url))

/** Runs an ingest and kills it soon after it has written so many documents; undefined lets it end. @returns what it printed. */
async function run({ sim }: AwsWorld, dataDir: string, killAfter?: number): Promise<string> {
  const { accessKeyId, secretAccessKey, region, urls } = sim
  const options = { dataDir, bucket: BUCKET, endpoint: urls.s3, region, keys: { accessKeyId, secretAccessKey } }
  const child = spawn(process.execPath, [INGESTER, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  child.stdout.on('data', (piece: Buffer) => {
    printed += piece.toString()
    const written = printed.split('written ').length - 1
    // A little later, so that it falls into the index, the manifest, or the reading of the next.
    if (killAfter !== undefined && written >= killAfter) setTimeout(() => child.kill('SIGKILL'), killAfter % 50)
  })
  await once(child, 'exit')
  return printed
}

async function rowsIn(dataDir: string) {
  const options = { dataDir, engine: engineIn(dataDir), embedder: createWordEmbedder() }
  const index = await openCollection(collectionOf(''), options)
  try {
    const names = Array.from({ length: DOCUMENTS }, (_, at) => nameOf(at))
    const rows = await Promise.all(names.map(async (name) => (await Array.fromAsync(index.store.read(name))).flat()))
    const failed = index.manifest.failed(1000).map(({ document, fate }) => `${document} ${fate}`)
    return { rows: rows.flat(), count: await index.store.countPassages(), failed, counts: index.manifest.counts() }
  } finally {
    await index.close()
  }
}

const nameOf = (at: number) => `${String(at).padStart(4, '0')}.${at % 40 === 7 ? 'pdf' : 'md'}`

function fill(world: AwsWorld, round: number): void {
  for (let at = 0; at < DOCUMENTS; at += 1) {
    const sections = Array.from(
      { length: 1 + (at % 5) },
      (_, section) =>
        `## Buoy ${at}.${section}\n\n${`Buoy ${at} lies in channel ${section * 7} of ${round}. `.repeat(20)}`,
    )
    // Some are broken, and stay so.
    world.put(`docs/${nameOf(at)}`, at % 40 === 7 ? 'no PDF' : `# Document ${at}\n\n${sections.join('\n\n')}`)
  }
}

test(
  `an ingest that is killed ${KILLS} times loses nothing and has nothing twice`,
  { skip: skipWithoutIndex, timeout: 400_000 },
  async (t) => {
    const world = await awsWorld(t)
    const dataDir = join(world.folder, 'killed')
    let kills = 0
    let finished = 0
    for (let round = 0; kills < KILLS; round += 1) {
      // All documents change: an ingest that is killed has replaced some of them.
      fill(world, round)
      for (let attempt = 0; kills < KILLS; attempt += 1) {
        const printed = await run(world, dataDir, 1 + ((kills * 37) % 90))
        if (printed.includes('report ')) {
          finished += 1
          break
        }
        kills += 1
      }
    }
    const last = await run(world, dataDir)
    assert.match(last, /report /)
    const cleanDir = join(world.folder, 'clean')
    await run(world, cleanDir)
    const [killed, clean] = [await rowsIn(dataDir), await rowsIn(cleanDir)]
    assert.deepEqual(killed.rows, clean.rows)
    assert.equal(killed.count, clean.count)
    assert.equal(killed.count, killed.rows.length)
    assert.deepEqual(killed.failed, clean.failed)
    assert.equal(killed.failed.length, DOCUMENTS / 40)
    t.diagnostic(`${kills} killed, ${finished} came to their end in between, ${killed.count} passages`)
  },
)
