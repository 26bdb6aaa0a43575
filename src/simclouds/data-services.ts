import type { Place } from '#contract/place.ts'
import { athena } from './athena/athena.ts'
import { AthenaEngine } from './athena/engine.ts'
import { QueryExecutions } from './athena/executions.ts'
import { GlueCatalogue } from './glue/catalogue.ts'
import { glue } from './glue/glue.ts'
import { GlueJobs } from './glue/jobs.ts'
import { ATHENA_BUCKET, type AthenaOptions, type S3Options } from './options.ts'
import { s3 } from './s3/s3.ts'
import { openSearch } from './opensearch/opensearch.ts'
import { SearchIndexes } from './opensearch/search-indexes.ts'
import { s3Vectors } from './s3vectors/s3vectors.ts'
import { VectorBuckets } from './s3vectors/vector-buckets.ts'
import { S3Store } from './s3/store.ts'
import type { Service } from './service.ts'
import { SqsQueues } from './sqs/queues.ts'
import { sqs } from './sqs/sqs.ts'

export type DataServiceName = 's3' | 'sqs' | 'athena' | 'glue' | 's3vectors' | 'opensearch'

/** S3, SQS, Athena, Glue, S3 Vectors and OpenSearch of one account: Athena's tables are Glue's, and their objects those of S3. */
export interface DataServices {
  readonly store: S3Store
  readonly queues: SqsQueues
  readonly catalogue: GlueCatalogue
  readonly jobs: GlueJobs
  readonly vectors: VectorBuckets
  service(name: DataServiceName, place: Place): Service
  /** Stops queries and job runs, and removes what they left on the disk. */
  close(): Promise<void>
}

/** Makes the services. The key, region and sessions of S3 are those of all; `s3.bucket` may be empty for none. */
export function dataServices(options: { readonly s3: S3Options; readonly athena: AthenaOptions }): DataServices {
  const account = options.s3
  const store = new S3Store()
  if (account.bucket !== '') store.createBucket(account.bucket, { objectLock: true })
  store.createBucket(ATHENA_BUCKET)
  const queues = new SqsQueues(account.region)
  const catalogue = new GlueCatalogue()
  const jobs = new GlueJobs()
  const vectors = new VectorBuckets()
  const search = new SearchIndexes()
  const engine = new AthenaEngine(catalogue, store)
  const executions = new QueryExecutions(engine, store, options.athena)
  const makers: Readonly<Record<DataServiceName, (place: Place) => Service>> = {
    s3: (place) => s3(place, account, store),
    sqs: (place) => sqs(place, account, queues),
    athena: (place) => athena(place, account, executions),
    glue: (place) => glue(place, account, { catalogue, jobs, store }),
    s3vectors: (place) => s3Vectors(place, account, vectors),
    opensearch: (place) => openSearch(place, account, search),
  }
  const close = async (): Promise<void> => {
    jobs.close()
    await executions.close()
    await engine.close()
  }
  return { store, queues, catalogue, jobs, vectors, service: (name, place) => makers[name](place), close }
}
