import { AwsProblem } from '#simclouds/aws-json.ts'

/** Metadata of a vector: values of one kind, or lists of them. */
export type Metadata = Readonly<Record<string, unknown>>

/** One vector. */
export interface StoredVector {
  readonly key: string
  readonly data: Float32Array
  readonly metadata: Metadata
}

export interface VectorIndex {
  readonly bucket: string
  readonly name: string
  readonly dimension: number
  readonly distanceMetric: 'cosine' | 'euclidean'
  /** Metadata keys that no filter may name. */
  readonly nonFilterable: readonly string[]
  readonly createdEpochMs: number
  /** By key, in the order in which they were first put. */
  readonly vectors: Map<string, StoredVector>
}

/** Vector buckets of one account in one region. What was put is seen by the next request. */
export class VectorBuckets {
  readonly #buckets = new Map<string, Map<string, VectorIndex>>()

  /** Creates a bucket; one that is there stays. */
  create(bucket: string): void {
    if (!this.#buckets.has(bucket)) this.#buckets.set(bucket, new Map())
  }

  /** @throws {AwsProblem} NotFoundException, ConflictException. */
  createIndex(index: Omit<VectorIndex, 'vectors' | 'createdEpochMs'>): void {
    const indexes = this.#indexes(index.bucket)
    if (indexes.has(index.name))
      throw new AwsProblem('ConflictException', 'An index with the specified name already exists', { status: 409 })
    indexes.set(index.name, { ...index, createdEpochMs: Date.now(), vectors: new Map() })
  }

  /** @throws {AwsProblem} NotFoundException. */
  index(bucket: string, name: string): VectorIndex {
    const index = this.#indexes(bucket).get(name)
    if (index === undefined) throw notFound('The specified index could not be found')
    return index
  }

  /** @throws {AwsProblem} NotFoundException. */
  deleteIndex(bucket: string, name: string): void {
    this.index(bucket, name)
    this.#indexes(bucket).delete(name)
  }

  #indexes(bucket: string): Map<string, VectorIndex> {
    const indexes = this.#buckets.get(bucket)
    if (indexes === undefined) throw notFound('The specified vector bucket could not be found')
    return indexes
  }
}

function notFound(message: string): AwsProblem {
  return new AwsProblem('NotFoundException', message, { status: 404 })
}
