import type { WireDialect } from '#wire/dialect.ts'
import { error } from '#wire/openai/error.ts'
import { decode } from './decode.ts'
import { streamEncoder, wholeEncoder } from './encode.ts'

/** OpenAI's Responses; its errors are those of chat completions. */
export const openaiResponses: WireDialect = {
  dialect: 'openai-responses',
  decode,
  error,
  streamEncoder,
  wholeEncoder,
}
