import { createServer } from 'node:http'
import { type StartCloudRunOptions, startCloudRun } from '#simclouds/start-cloud-run.ts'
import type { PoolService } from './pool.ts'

/*
 * Simulated Cloud Run services in a process of their own. `GET /` tells what each has done, `POST /slow` makes one of
 * them slower from now on.
 */

const options = JSON.parse(process.argv[2] ?? '[]') as StartCloudRunOptions[]
const services = await Promise.all(options.map((each) => startCloudRun({ ...each, logSize: 1 })))

function looked(): readonly PoolService[] {
  return services.map((service) => ({
    url: service.url,
    requests: service.requests.count('cloud-run'),
    state: service.stats(),
  }))
}

function slow(text: string): void {
  const { index, ms } = JSON.parse(text) as { index: number; ms: number }
  const faults = services[index]?.faults
  faults?.clear()
  if (ms > 0) faults?.set({ service: 'cloud-run', kind: 'latency', ms })
}

const control = createServer((request, response) => {
  const pieces: Buffer[] = []
  request.on('data', (piece: Buffer) => pieces.push(piece))
  request.on('end', () => {
    if (request.method === 'POST') slow(Buffer.concat(pieces).toString())
    response.end(JSON.stringify(looked()))
  })
})

control.listen(0, '127.0.0.1', () => {
  const address = control.address()
  process.stdout.write(
    `services: http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}\n`,
  )
})
