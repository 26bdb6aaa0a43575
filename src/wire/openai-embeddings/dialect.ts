import type { WireDialect } from '#wire/dialect.ts'
import { error } from '#wire/openai/error.ts'
import { streamEncoder } from '#wire/openai/encode.ts'
import { decode } from './decode.ts'
import { wholeEncoder } from './encode.ts'

/** OpenAI's embeddings: never streamed. */
export const openaiEmbeddings: WireDialect = {
  dialect: 'openai-embeddings',
  decode,
  error,
  streamEncoder,
  wholeEncoder,
}
