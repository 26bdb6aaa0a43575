import type { Provider } from '#infer/provider.ts'
import { decoder } from './decode.ts'
import { encode } from './encode.ts'
import { error } from './error.ts'

/** Gemini on Vertex AI, in its own format. */
export const vertexGemini: Provider = { encode, decoder, error }
