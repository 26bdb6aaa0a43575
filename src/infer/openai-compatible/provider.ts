import type { Provider } from '#infer/provider.ts'
import { decoder } from './decode.ts'
import { encoder } from './encode.ts'
import { error } from './error.ts'

/** vLLM, llama-server, Ollama and whatever else speaks OpenAI's chat completions. */
export const openaiCompatible: Provider = {
  encode: encoder({ path: '/v1', maxTokensField: 'max_tokens', topK: true }),
  decoder,
  countsHere: true,
  error,
}

/** OpenAI's own API: newer models know `max_completion_tokens` only. */
export const openai: Provider = {
  encode: encoder({ path: '/v1', maxTokensField: 'max_completion_tokens', topK: false }),
  decoder,
  countsHere: true,
  error,
}

/** Azure OpenAI and Microsoft Foundry, the v1 API: `model` is the name of the deployment, no dated version. */
export const azureOpenai: Provider = {
  encode: encoder({ path: '/openai/v1', maxTokensField: 'max_completion_tokens', topK: false }),
  decoder,
  countsHere: true,
  error,
}
