import { z } from 'zod'
import { Lru } from '#kit/lru.ts'
import { awsErrorName } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'
import { EmbedError } from './embedder.ts'
import type { Embedder } from './embedder.ts'

export type BedrockModel = 'amazon.titan-embed-text-v2:0' | 'cohere.embed-v4:0'

export interface BedrockEmbedderOptions {
  readonly model: BedrockModel
  /** Length of a vector. Default 1024. */
  readonly dimensions?: number
  /** Calls at once. */
  readonly concurrency: number
  /** See `Embedder`. Default 0: nobody measured it for these models. */
  readonly floor?: number
}

type Purpose = 'document' | 'query'

/** How one model is asked. */
interface Dialect {
  readonly dimensions: readonly number[]
  /** Texts of one call at most. */
  readonly batch: number
  /** Characters of a text at most: what is longer is cut, as the models do with tokens. */
  readonly maxChars: number
  body(texts: readonly string[], dimensions: number, purpose: Purpose): unknown
  vectors(answer: unknown): readonly (readonly number[])[]
}

const TitanAnswer = z.object({ embedding: z.array(z.number()) })
const Vectors = z.array(z.array(z.number()))
const CohereAnswer = z.object({ embeddings: z.union([Vectors, z.object({ float: Vectors })]) })

/** Request and answer of each model, and its limits (Amazon Bedrock user guide, Titan and Cohere Embed v4). */
const DIALECTS: Readonly<Record<BedrockModel, Dialect>> = {
  'amazon.titan-embed-text-v2:0': {
    dimensions: [256, 512, 1024],
    batch: 1,
    maxChars: 50_000,
    body: ([text], dimensions) => ({ inputText: text, dimensions, normalize: true }),
    vectors: (answer) => [TitanAnswer.parse(answer).embedding],
  },
  'cohere.embed-v4:0': {
    dimensions: [256, 512, 1024, 1536],
    batch: 96,
    maxChars: 100_000,
    body: (texts, dimensions, purpose) => ({
      texts,
      // A question and its answer look different to the model: asking with the wrong type finds less.
      input_type: purpose === 'query' ? 'search_query' : 'search_document',
      embedding_types: ['float'],
      output_dimension: dimensions,
      truncate: 'RIGHT',
    }),
    vectors: (answer) => {
      const { embeddings } = CohereAnswer.parse(answer)
      return 'float' in embeddings ? embeddings.float : embeddings
    },
  },
}

const DEFAULT_DIMENSIONS = 1024
const QUERY_CACHE_ENTRIES = 1000
/** Texts of several documents go in one call when they come within this time of each other. */
const GATHER_MS = 5

interface Job {
  readonly text: string
  readonly done: PromiseWithResolvers<Float32Array>
}

/**
 * Embeddings of Bedrock. Calls carry as many texts as the model takes, so many at once; a waiting question goes before
 * passages. Throttling is waited out by the client; what lasts ends the ingest, which goes on where it was.
 *
 * @throws {TypeError} for dimensions that the model does not have.
 */
export function createBedrockEmbedder(aws: Aws, options: BedrockEmbedderOptions): Embedder {
  const dialect = DIALECTS[options.model]
  const dimensions = options.dimensions ?? DEFAULT_DIMENSIONS
  if (!dialect.dimensions.includes(dimensions))
    throw new TypeError(
      `${options.model} has no vectors of ${dimensions}, choose one of ${dialect.dimensions.join(', ')}`,
    )
  return new BedrockEmbedder(aws, { ...options, dimensions }, dialect)
}

class BedrockEmbedder implements Embedder {
  readonly model: string
  readonly dimensions: number
  readonly floor: number
  readonly #aws: Aws
  readonly #options: BedrockEmbedderOptions
  readonly #dialect: Dialect
  readonly #queries = new Lru<string, Promise<Float32Array>>(QUERY_CACHE_ENTRIES)
  readonly #waiting: Readonly<Record<Purpose, Job[]>> = { query: [], document: [] }
  readonly #closed = new AbortController()
  #calls = 0
  #timer: NodeJS.Timeout | undefined

  constructor(aws: Aws, options: BedrockEmbedderOptions & { readonly dimensions: number }, dialect: Dialect) {
    this.#aws = aws
    this.#options = options
    this.#dialect = dialect
    this.dimensions = options.dimensions
    this.floor = options.floor ?? 0
    this.model = `${options.model}/${options.dimensions}`
  }

  async embed(texts: readonly string[]): Promise<Float32Array[]> {
    return await Promise.all(texts.map(async (text) => await this.#enqueue('document', text)))
  }

  async embedQuery(text: string): Promise<Float32Array> {
    const cached = this.#queries.get(text)
    if (cached !== undefined) return await cached
    const vector = this.#enqueue('query', text)
    this.#queries.set(text, vector)
    // A failure must not be remembered.
    vector.catch(() => this.#queries.delete(text))
    return await vector
  }

  async close(): Promise<void> {
    this.#closed.abort()
    for (const { done } of [...this.#waiting.query.splice(0), ...this.#waiting.document.splice(0)]) {
      done.reject(closed())
    }
    await Promise.resolve()
  }

  #enqueue(purpose: Purpose, text: string): Promise<Float32Array> {
    if (this.#closed.signal.aborted) return Promise.reject(closed())
    const job: Job = { text: text.slice(0, this.#dialect.maxChars), done: Promise.withResolvers<Float32Array>() }
    this.#waiting[purpose].push(job)
    const isFull = this.#waiting[purpose].length >= this.#dialect.batch
    if (purpose === 'query' || isFull) this.#pump()
    else this.#timer ??= setTimeout(() => this.#pump(), GATHER_MS)
    return job.done.promise
  }

  #pump(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (this.#calls < this.#options.concurrency) {
      const purpose = this.#waiting.query.length > 0 ? 'query' : 'document'
      const jobs = this.#waiting[purpose].splice(0, this.#dialect.batch)
      if (jobs.length === 0) return
      void this.#run(purpose, jobs)
    }
  }

  async #run(purpose: Purpose, jobs: readonly Job[]): Promise<void> {
    this.#calls += 1
    try {
      const vectors = await this.#call(
        purpose,
        jobs.map(({ text }) => text),
      )
      for (const [at, { done }] of jobs.entries()) {
        const vector = vectors[at]
        if (vector?.length === this.dimensions) done.resolve(unit(vector))
        else done.reject(new EmbedError(`${this.#options.model} gave no vector of ${this.dimensions} for a text`))
      }
    } catch (error) {
      for (const { done } of jobs) done.reject(error)
    } finally {
      this.#calls -= 1
      this.#pump()
    }
  }

  async #call(purpose: Purpose, texts: readonly string[]): Promise<readonly (readonly number[])[]> {
    const { InvokeModelCommand } = await loadPackage(
      '@aws-sdk/client-bedrock-runtime',
      () => import('@aws-sdk/client-bedrock-runtime'),
    )
    const { model } = this.#options
    try {
      const client = await this.#aws.bedrock()
      const answer = await client.send(
        new InvokeModelCommand({
          modelId: model,
          contentType: 'application/json',
          accept: 'application/json',
          body: JSON.stringify(this.#dialect.body(texts, this.dimensions, purpose)),
        }),
        { abortSignal: this.#closed.signal },
      )
      return this.#dialect.vectors(JSON.parse(new TextDecoder().decode(answer.body)))
    } catch (error) {
      if (this.#closed.signal.aborted) throw closed()
      throw new EmbedError(`${model} can not be had (${awsErrorName(error)})`, error)
    }
  }
}

function closed(): EmbedError {
  return new EmbedError('the embedder was closed')
}

function unit(numbers: readonly number[]): Float32Array {
  const length = Math.hypot(...numbers)
  return Float32Array.from(numbers, (number) => (length === 0 ? 0 : number / length))
}
