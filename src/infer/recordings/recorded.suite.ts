import type { ProviderName } from '#contract/target.ts'
import { ANTHROPIC, ANTHROPIC_ERROR } from './anthropic.suite.ts'
import type { Recordings } from './answer-cases.suite.ts'
import { BEDROCK, BEDROCK_ERROR } from './bedrock.suite.ts'
import { GEMINI, GEMINI_ERROR } from './gemini.suite.ts'
import { OPENAI, OPENAI_ERROR } from './openai.suite.ts'

/** Answers in the shapes of each wire format. */
export const RECORDED: Readonly<Record<ProviderName, Recordings>> = {
  'openai-compatible': OPENAI,
  openai: OPENAI,
  'azure-openai': OPENAI,
  anthropic: ANTHROPIC,
  bedrock: BEDROCK,
  'vertex-claude': ANTHROPIC,
  'vertex-gemini': GEMINI,
}

/** A stream that says `I ` and then reports an error. */
export const RECORDED_ERROR: Readonly<Record<ProviderName, Uint8Array>> = {
  'openai-compatible': OPENAI_ERROR,
  openai: OPENAI_ERROR,
  'azure-openai': OPENAI_ERROR,
  anthropic: ANTHROPIC_ERROR,
  bedrock: BEDROCK_ERROR,
  'vertex-claude': ANTHROPIC_ERROR,
  'vertex-gemini': GEMINI_ERROR,
}
