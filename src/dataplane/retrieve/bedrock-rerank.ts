import { z } from 'zod'
import { awsErrorName } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'
import { RerankError } from './rerank.ts'
import type { Reranker } from './rerank.ts'

const Answer = z.object({ results: z.array(z.object({ index: z.int(), relevance_score: z.number() })) })
/** Version of the request's form (Amazon Bedrock user guide, Cohere Rerank 3.5). */
const API_VERSION = 2

/** Cohere Rerank on Bedrock. */
export function createBedrockReranker(aws: Aws, options: { model: string; candidates: number }): Reranker {
  return {
    ...options,
    async score(query, texts, signal) {
      const { InvokeModelCommand } = await loadPackage(
        '@aws-sdk/client-bedrock-runtime',
        () => import('@aws-sdk/client-bedrock-runtime'),
      )
      try {
        const client = await aws.bedrock()
        const answer = await client.send(
          new InvokeModelCommand({
            modelId: options.model,
            contentType: 'application/json',
            accept: 'application/json',
            body: JSON.stringify({ query, documents: texts, top_n: texts.length, api_version: API_VERSION }),
          }),
          { abortSignal: signal },
        )
        const { results } = Answer.parse(JSON.parse(new TextDecoder().decode(answer.body)))
        const scores = new Map(results.map(({ index, relevance_score: score }) => [index, score]))
        return texts.map((_, at) => scores.get(at) ?? 0)
      } catch (error) {
        throw new RerankError(`${options.model} can not be had (${awsErrorName(error)})`, error)
      }
    },
  }
}
