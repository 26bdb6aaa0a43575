/** An agent over a Kinesis stream in a process of its own, to be killed. Options as JSON in the first argument. */
import { z } from 'zod'
import { kinesisSource } from '#dataplane/sources/kinesis/kinesis.ts'
import { startDataPlane } from '#dataplane/serve.ts'
import { collectionOf, createMinter, createWordEmbedder, ISSUER } from '#dataplane/test-agent.ts'
import { localAws } from './stream-world.ts'

const Options = z.object({
  dataDir: z.string(),
  kinesis: z.string(),
  dynamodb: z.string(),
  stream: z.string(),
  leases: z.string(),
  leaseMs: z.number(),
})

const { dataDir, kinesis, dynamodb, ...options } = Options.parse(JSON.parse(process.argv[2] ?? ''))
const aws = localAws({ kinesis, dynamodb })
const { jwks } = await createMinter()
const source = kinesisSource(aws, {
  ...options,
  id: 'id',
  text: 'text',
  from: 'trim-horizon',
  pollMs: 100,
  onFault: (error) => void process.stderr.write(`${String(error)}\n`),
})
const plane = await startDataPlane({
  issuer: ISSUER,
  fetchKeys: async () => await Promise.resolve(jwks),
  dataDir,
  collections: [collectionOf('', { source })],
  embedder: createWordEmbedder(),
  onFault: (error) => void process.stderr.write(`${String(error)}\n`),
})
await plane.ready
process.stdout.write('ready\n')
