/** Ingests a prefix of the simulated S3 in a process of its own, to be killed. Options as JSON in the first argument. */
import { join } from 'node:path'
import { z } from 'zod'
import { openAws } from '#dataplane/aws/aws.ts'
import { ingestAll } from '#dataplane/ingest/ingest-all.ts'
import { s3Source } from '#dataplane/sources/s3.ts'
import { collectionOf, createWordEmbedder, engineIn } from '#dataplane/test-agent.ts'

const Options = z.object({
  dataDir: z.string(),
  bucket: z.string(),
  endpoint: z.string(),
  region: z.string(),
  keys: z.object({ accessKeyId: z.string(), secretAccessKey: z.string() }),
})

const { dataDir, bucket, endpoint, region, keys } = Options.parse(JSON.parse(process.argv[2] ?? ''))
const aws = openAws({ region, keys, endpoints: { s3: endpoint } })
const source = s3Source(aws, {
  bucket,
  prefix: 'docs/',
  maxBytes: 4e9,
  spool: join(dataDir, 'spool'),
  onFault: () => undefined,
})
const [report] = await ingestAll({
  dataDir,
  collections: [collectionOf('', { source })],
  engine: engineIn(dataDir),
  embedder: createWordEmbedder(),
  onProgress: ({ document, isChanged }) =>
    void process.stdout.write(`${isChanged ? 'written' : 'passed'} ${document}\n`),
})
aws.close()
process.stdout.write(`report ${JSON.stringify(report)}\n`)
