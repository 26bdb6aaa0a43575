import type { WireDialect } from '#wire/dialect.ts'
import { decode } from './decode.ts'
import { streamEncoder, wholeEncoder } from './encode.ts'
import { error, streamError } from './error.ts'

export const anthropicMessages: WireDialect = {
  dialect: 'anthropic-messages',
  decode,
  error,
  streamError,
  streamEncoder,
  wholeEncoder,
}
