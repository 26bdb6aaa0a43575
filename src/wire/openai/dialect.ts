import type { WireDialect } from '#wire/dialect.ts'
import { decode } from './decode.ts'
import { streamEncoder, wholeEncoder } from './encode.ts'
import { error } from './error.ts'

export const openaiChat: WireDialect = {
  dialect: 'openai-chat',
  decode,
  error,
  streamEncoder,
  wholeEncoder,
}
