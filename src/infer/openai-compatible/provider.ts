import type { Provider } from '#infer/provider.ts'
import { decoder } from './decode.ts'
import { encode } from './encode.ts'
import { error } from './error.ts'

/** OpenAI's chat completions as vLLM, llama-server, Ollama and others serve it. */
export const openaiCompatible: Provider = { encode, decoder, error }
