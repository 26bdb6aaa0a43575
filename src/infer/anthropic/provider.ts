import type { Provider } from '#infer/provider.ts'
import { decoder } from './decode.ts'
import { encoder } from './encode.ts'
import { error } from './error.ts'
import { OWN_API } from './own-api.ts'

/** Anthropic's own Messages API. */
export const anthropic: Provider = { encode: encoder(OWN_API), decoder, error }
