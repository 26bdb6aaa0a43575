import type { Provider } from '#infer/provider.ts'
import { decoder } from './decode.ts'
import { encode } from './encode.ts'
import { error } from './error.ts'

/** Amazon Bedrock's Converse and ConverseStream: one request shape for every family of models. */
export const bedrock: Provider = { encode, decoder, error }
