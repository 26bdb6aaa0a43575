import { z } from 'zod'
import { logName, name, place, secret, tags, url, vkey } from './fields.ts'

/*
 * The section of the agent beside the data: read by `thinplane data` and `thinplane ingest`.
 */

/** Names of queries, tables and parameters: they stand in SQL and in policies. */
export const factName = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,62}$/, 'use lower-case letters, digits and `_`, at most 63, beginning with a letter')

const names = z.array(z.string().min(1)).default([])

const readers = z
  .strictObject({
    roles: names.describe('Roles that may read. Default none.'),
    groups: names.describe('Groups that may read. Default none.'),
    tenants: names.describe('Only these tenants. Default every tenant.'),
  })
  .prefault({})
  .describe('Who may read; all empty: everyone whom policy lets ground on it.')

const rules = z
  .array(
    z.strictObject({
      documents: z
        .string()
        .min(1)
        .refine((glob) => !/\*\*.*\{/.test(glob), 'write each folder before a name in braces instead of `**`')
        .describe(
          'Glob over paths inside the collection, such as `hr/**`. `{tenant}` or `{subject}` in place of a folder name lets those read whose tenant or subject it is: `customers/{tenant}/**`.',
        ),
      roles: names.describe('Roles that may read these documents.'),
      groups: names.describe('Groups that may read these documents.'),
      tenants: names.describe('Only these tenants.'),
    }),
  )
  .default([])
  .describe('Narrower permissions for some documents; every rule that matches must be met. Default none.')

const bucket = z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'write the name of a bucket')

const glueJob = z
  .strictObject({
    name: z.string().min(1).max(255).describe('Name of the job.'),
    arguments: z.record(z.string(), z.string()).default({}).describe('Arguments of a run. Default none.'),
    timeoutMinutes: z
      .number()
      .positive()
      .max(2880)
      .default(120)
      .describe('A run that takes longer counts as failed. Default 120.'),
  })
  .describe('A Glue job that runs before each listing and writes the prefix; when it fails, nothing is ingested.')

const s3 = z
  .strictObject({
    bucket,
    prefix: z.string().default('').describe('Beginning of the keys, such as `handbook/`. Default: the whole bucket.'),
    queue: url
      .optional()
      .describe('URL of the SQS queue that gets the events of the bucket. Absent: changes are seen by listing only.'),
    job: glueJob.optional(),
    maxMegabytes: z.number().positive().default(4096).describe('Objects larger than this are not read. Default 4,096.'),
  })
  .describe('Objects of an S3 bucket.')

const kinesis = z
  .strictObject({
    stream: z.string().min(1).describe('Name of the stream.'),
    leases: z.string().min(3).describe('DynamoDB table for the leases and checkpoints of the shards; its key is `id`.'),
    id: z.string().default('id').describe('Field of an event that names its document. Default `id`.'),
    text: z
      .string()
      .default('text')
      .describe('Field that holds the document; without it the whole event is the document. Default `text`.'),
    from: z
      .enum(['trim-horizon', 'latest'])
      .default('trim-horizon')
      .describe('Where a shard without a checkpoint is begun. Default `trim-horizon`: at its oldest event.'),
  })
  .describe('Events of a Kinesis stream: JSON objects, one document each, or `{"id": …, "deleted": true}`.')

const collection = z
  .strictObject({
    title: z.string().default('').describe('What people call it.'),
    labels: tags.describe('How its documents are classified, such as `phi`: policies can read it. Default none.'),
    folder: z
      .string()
      .min(1)
      .optional()
      .describe('Folder of documents on this machine, relative to this file. See docs/documents.md for the formats.'),
    s3: s3.optional(),
    kinesis: kinesis.optional(),
    readers,
    rules,
  })
  .refine(({ folder, s3: objects, kinesis: events }) => [folder, objects, events].filter(Boolean).length === 1, {
    error: 'name one source: `folder`, `s3` or `kinesis`',
  })
  .describe('A set of documents that answers can be grounded on.')

const param = z
  .strictObject({
    type: z
      .enum(['text', 'integer', 'number', 'boolean', 'date', 'timestamp', 'texts'])
      .default('text')
      .describe('`texts` is a list for `IN (:name)`. Default `text`.'),
    from: z
      .enum(['subject', 'tenant', 'roles', 'groups'])
      .optional()
      .describe("The caller's own value, from the passport: no request can choose it. Absent: the request gives it."),
    pattern: z
      .string()
      .refine(isPattern, 'write a regular expression of JavaScript')
      .optional()
      .describe('Regular expression that the whole text must match.'),
    values: z.array(z.string()).optional().describe('The only texts.'),
    maxLength: z.int().min(1).max(1000).optional().describe('Characters of a text. Default 200.'),
    min: z.number().optional().describe('Smallest number.'),
    max: z.number().optional().describe('Largest number.'),
    default: z
      .union([z.string(), z.number(), z.boolean(), z.array(z.string())])
      .optional()
      .describe('Taken when the request gives none. Absent: it must be given.'),
  })
  .refine(({ type, from }) => (from === 'roles' || from === 'groups' ? type === 'texts' : true), {
    error: 'roles and groups are lists: write `type: texts`',
  })
  .describe('A value that a query or a key takes.')

function isPattern(pattern: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`, 'u').source !== ''
  } catch {
    return false
  }
}

const athena = z
  .strictObject({
    workgroup: z.string().min(1).default('primary').describe('Workgroup. Default `primary`.'),
    catalog: z.string().min(1).default('AwsDataCatalog').describe('Data catalog. Default `AwsDataCatalog`: Glue.'),
    database: z.string().min(1).describe('Database of the catalog.'),
    output: z
      .string()
      .regex(/^s3:\/\/[^/]+(?:\/.*)?$/, 'write `s3://BUCKET/PREFIX`')
      .optional()
      .describe('Where results are written. Absent: where the workgroup says.'),
    reuseMinutes: z
      .int()
      .min(0)
      .max(10_080)
      .default(0)
      .describe('A result this old may be used again. Default 0: never.'),
    maxScannedMegabytes: z
      .number()
      .min(10)
      .default(1000)
      .describe('A query that scans more is stopped. Default 1,000; the limit of the workgroup holds beside it.'),
  })
  .describe('The query runs on Athena.')

const glueTable = z
  .strictObject({
    database: z.string().min(1).describe('Database of the catalog.'),
    table: z.string().min(1).describe('Table: Parquet, CSV or JSON Lines on S3.'),
    partitions: z
      .string()
      .min(1)
      .optional()
      .describe("Which partitions, as Glue writes it: `year = '2026'`. Default all."),
    maxMegabytes: z
      .number()
      .positive()
      .default(1000)
      .describe('Its files together are at most as large: the agent keeps a copy. Default 1,000.'),
    refreshMinutes: z
      .number()
      .min(0)
      .default(10)
      .describe('Looked for what is new at most this often, when it is asked. Default 10.'),
  })
  .describe('A table of the Glue catalog whose files the agent brings beside itself.')

const duckdb = z
  .strictObject({
    tables: z
      .record(
        factName,
        z
          .strictObject({
            path: z
              .string()
              .min(1)
              .optional()
              .describe('File or glob of Parquet, CSV or JSON Lines, relative to this file: `sales/**/*.parquet`.'),
            glue: glueTable.optional(),
          })
          .refine(({ path, glue }) => (path === undefined) !== (glue === undefined), {
            error: 'name one: `path` or `glue`',
          }),
      )
      .describe('Tables by the name that the SQL uses.'),
  })
  .describe('The query runs on DuckDB in the agent, over files.')

const query = z
  .strictObject({
    title: z.string().default('').describe('What people call it.'),
    labels: tags.describe('How its rows are classified: policies can read it. Default none.'),
    sql: z
      .string()
      .min(1)
      .describe('One SELECT; `:name` stands for a parameter, and values never become part of the text.'),
    params: z.record(factName, param).default({}).describe('Its parameters. Default none.'),
    maxRows: z.int().min(1).max(1000).default(50).describe('Rows of an answer. Default 50.'),
    readers,
    athena: athena.optional(),
    duckdb: duckdb.optional(),
  })
  .refine(({ athena: cloud, duckdb: local }) => (cloud === undefined) !== (local === undefined), {
    error: 'name one engine: `athena` or `duckdb`',
  })
  .describe('A query that people have reviewed: requests name it, and never write SQL.')

const table = z
  .strictObject({
    title: z.string().default('').describe('What people call it.'),
    labels: tags.describe('How its items are classified: policies can read it. Default none.'),
    dynamodb: z.string().min(3).describe('Name of the DynamoDB table.'),
    key: z.record(z.string().min(1), param).describe('Attributes of its primary key.'),
    attributes: z.array(z.string().min(1)).min(1).describe('Attributes that are read; no other ever leaves the table.'),
    owner: z
      .strictObject({
        attribute: z.string().min(1).describe('Attribute that names whose the item is.'),
        from: z.enum(['subject', 'tenant', 'roles', 'groups']).describe("The caller's own value that it must hold."),
      })
      .optional()
      .describe('Items of others are as if they were not there. Absent: whoever may read the table reads all items.'),
    readers,
  })
  .describe('A table whose items can be had by key.')

const aws = z
  .strictObject({
    region: z.string().optional().describe('Region of the services. Default: that of `place`.'),
    keys: z
      .strictObject({
        accessKeyId: secret,
        secretAccessKey: secret,
        sessionToken: secret.optional(),
      })
      .optional()
      .describe(
        'Keys of a user, for tests and stand-ins. Absent: what the machine is given (task role, instance profile, environment).',
      ),
    endpoints: z
      .strictObject({
        s3: url.optional(),
        sqs: url.optional(),
        athena: url.optional(),
        glue: url.optional(),
        dynamodb: url.optional(),
        kinesis: url.optional(),
        bedrock: url.optional(),
        s3vectors: url.optional(),
      })
      .prefault({})
      .describe("Base URLs instead of AWS's own: interface endpoints, stand-ins. Default none."),
  })
  .prefault({})
  .describe('The AWS account that the agent runs in.')

const index = z
  .strictObject({
    lance: z
      .strictObject({
        uri: z
          .string()
          .regex(/^s3:\/\/[^/]+\/.+$/, 'write `s3://BUCKET/PREFIX`')
          .optional()
          .describe('Directly on S3. Absent: in the folder `data`.'),
      })
      .optional()
      .describe('LanceDB, without a server.'),
    pgvector: z
      .strictObject({
        url: secret.describe('Connection string of PostgreSQL with the extension `vector`.'),
        schema: factName.default('thinplane').describe('Schema of its tables. Default `thinplane`.'),
      })
      .optional()
      .describe('PostgreSQL with pgvector.'),
    opensearch: z
      .strictObject({
        endpoint: url.describe('Endpoint of the domain.'),
      })
      .optional()
      .describe(
        'A domain of Amazon OpenSearch, signed with the keys of the agent; not Serverless, which lacks what an index needs.',
      ),
    s3vectors: z
      .strictObject({ bucket: z.string().min(3).describe('Vector bucket, which must exist.') })
      .optional()
      .describe('Amazon S3 Vectors: no search by words.'),
    rebuild: z
      .boolean()
      .default(false)
      .describe(
        'Makes an index of another embedding model anew at the start. Default false: the agent refuses to start.',
      ),
    writes: z.boolean().default(true).describe('False: this agent only reads, another one ingests. Default true.'),
    servesOld: z
      .boolean()
      .default(false)
      .describe(
        'Serves the index that is there at once, and brings it up to date meanwhile; where rules have changed it waits. Default false: ready means up to date.',
      ),
    listEveryMinutes: z
      .number()
      .min(0)
      .default(0)
      .describe('Sources are listed again after so long, for what no event told. Default 0: at the start only.'),
  })
  .refine(
    ({ lance, pgvector, opensearch, s3vectors }) =>
      [lance, pgvector, opensearch, s3vectors].filter((engine) => engine !== undefined).length <= 1,
    { error: 'name at most one engine' },
  )
  .prefault({})
  .describe('Where passages are kept. Default: LanceDB in the folder `data`.')

const embedding = z
  .strictObject({
    model: z
      .enum(['minilm', 'amazon.titan-embed-text-v2:0', 'cohere.embed-v4:0'])
      .default('minilm')
      .describe('`minilm` runs in the agent (English); the others on Bedrock. Default `minilm`.'),
    dimensions: z
      .int()
      .optional()
      .describe('Length of a vector: Titan 256, 512 or 1,024 (default); Cohere 256, 512, 1,024 (default) or 1,536.'),
    floor: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe(
        'Relevance that the best passage must have for a question to be about the collection; below it nothing is returned. Default: 0.27 for `minilm`, 0 for the others, which nobody has measured: `thinplane eval retrieval` does.',
      ),
    concurrency: z.int().min(1).max(64).default(8).describe('Calls of Bedrock at once. Default 8.'),
  })
  .prefault({})
  .describe('The model that turns text into vectors; its name is kept with the index, and another one is refused.')

const rerank = z
  .strictObject({
    model: z.enum(['cohere.rerank-v3-5:0']).default('cohere.rerank-v3-5:0').describe('Model on Bedrock.'),
    candidates: z.int().min(2).max(100).default(30).describe('Passages that it orders. Default 30.'),
  })
  .optional()
  .describe('Orders the best passages anew before they leave. Absent: the fused ranks stand.')

/** The section `dataPlane`. */
export const dataPlane = z
  .strictObject({
    host: z.string().default('127.0.0.1').describe('Address to listen on. Default `127.0.0.1`.'),
    port: z.int().min(0).max(65_535).default(8081).describe('Port; 0 for any free one. Default 8081.'),
    name: z
      .string()
      .min(1)
      .default('thinplane-data')
      .describe('Its name: the audience of passports. Default `thinplane-data`.'),
    place: place.default({ cloud: 'aws', region: 'us-east-1' }),
    jwksUrl: z
      .string()
      .min(1)
      .describe('Where the control plane publishes its passport keys: its URL and `/.well-known/jwks.json`.'),
    controlPlace: place.default({ cloud: 'azure', region: 'eastus' }),
    issuer: z
      .string()
      .min(1)
      .default('thinplane-control')
      .describe("The control plane's name in passports. Default `thinplane-control`."),
    tenants: names.describe('Tenants whose passports are taken. Default: every tenant that the control plane knows.'),
    data: z
      .string()
      .default('.thinplane/data-plane')
      .describe('Folder for the index, relative to this file. Default `.thinplane/data-plane`.'),
    aws,
    index,
    embedding,
    rerank,
    collections: z.record(name, collection).default({}).describe('Collections by name.'),
    queries: z.record(factName, query).default({}).describe('Queries by name. Default none.'),
    tables: z.record(factName, table).default({}).describe('Tables by name. Default none.'),
    maxAnswerBytes: z
      .int()
      .min(2048)
      .max(1_048_576)
      .default(65_536)
      .describe('Bytes of an answer before it is compressed, whatever a request asks for. Default 65,536.'),
    witness: z
      .strictObject({
        name: logName
          .optional()
          .describe('Name in its key, a URL without its scheme. Default: the `name` above and `/witness`.'),
        logs: z.array(vkey).min(1).describe('Verifier keys of the logs that it cosigns for.'),
      })
      .optional()
      .describe('Cosigns checkpoints of audit logs at `/witness/add-checkpoint`. Absent: it does not.'),
  })
  .refine(
    ({ collections }) => {
      const streams = Object.values(collections).flatMap(({ kinesis: events }) =>
        events === undefined ? [] : [`${events.leases} ${events.stream}`],
      )
      return new Set(streams).size === streams.length
    },
    { error: 'give each collection over the same stream a table of leases of its own', path: ['collections'] },
  )
  .optional()
  .describe('The agent beside the data: read by `thinplane data` and `thinplane ingest`.')

export type DataPlaneConfig = NonNullable<z.infer<typeof dataPlane>>
export type CollectionConfig = DataPlaneConfig['collections'][string]
