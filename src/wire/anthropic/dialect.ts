import type { WireDialect } from '#wire/dialect.ts'
import { decode, decodeCount } from './decode.ts'
import { countEncoder, streamEncoder, wholeEncoder } from './encode.ts'
import { error } from './error.ts'

/** How long a request is for the model: no answer, no stream. */
export const anthropicCount: WireDialect = {
  dialect: 'anthropic-messages',
  decode: decodeCount,
  error,
  streamEncoder,
  wholeEncoder: countEncoder,
}

export const anthropicMessages: WireDialect = {
  dialect: 'anthropic-messages',
  decode,
  error,
  streamEncoder,
  wholeEncoder,
}
