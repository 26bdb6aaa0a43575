import { type AnswerFacts, type WholeEncoder, answerNote } from '#wire/dialect.ts'

/** `{"object": "list", "data": [{"embedding": ...}]}`, in the order of the texts. */
export function wholeEncoder(answer: AnswerFacts): WholeEncoder {
  const wantsNumbers = answer.ask.vectorFormat !== 'base64'
  const vectors: { readonly index: number; readonly embedding: readonly number[] | string }[] = []
  let prompt = 0
  return {
    push: (batch) => {
      for (const event of batch) {
        if (event.type === 'embedding') {
          const embedding = wantsNumbers ? numbersOf(event.vector) : base64Of(event.vector)
          vectors.push({ index: event.index, embedding })
        } else if (event.type === 'usage') prompt = event.usage.input + event.usage.cachedRead
      }
    },
    end: () =>
      JSON.stringify({
        object: 'list',
        data: vectors
          .toSorted((a, b) => a.index - b.index)
          .map(({ index, embedding }) => ({ object: 'embedding', index, embedding })),
        model: answer.alias,
        usage: { prompt_tokens: prompt, total_tokens: prompt },
        thinplane: answerNote(answer),
      }),
  }
}

const FLOAT_BYTES = 4

function numbersOf(vector: readonly number[] | string): readonly number[] {
  if (typeof vector !== 'string') return vector
  const bytes = Buffer.from(vector, 'base64')
  return Array.from({ length: Math.floor(bytes.length / FLOAT_BYTES) }, (_, at) => bytes.readFloatLE(at * FLOAT_BYTES))
}

function base64Of(vector: readonly number[] | string): string {
  if (typeof vector === 'string') return vector
  const bytes = Buffer.alloc(vector.length * FLOAT_BYTES)
  for (const [at, value] of vector.entries()) bytes.writeFloatLE(value, at * FLOAT_BYTES)
  return bytes.toString('base64')
}
