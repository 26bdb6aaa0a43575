import type { Family } from '#contract/ask.ts'
import type { ProviderName } from '#contract/target.ts'
import { type Read, readAnthropic, readBedrock, readGemini, readOpenai } from './adapter-readers.suite.ts'
import { adapterSuite } from './adapter.suite.ts'
import { PROVIDERS } from './infer.ts'
import { RECORDED, RECORDED_ERROR } from './recordings/recorded.suite.ts'
import { testTarget } from './test-asks.ts'

interface Facts {
  readonly model: string
  readonly read: (body: unknown) => Read
  readonly family: Family
  readonly isSse: boolean
  readonly refusesBlank: boolean
  readonly wantsTools: boolean
  readonly imageUrls: boolean
}

const OPENAI: Facts = {
  model: 'llama',
  read: readOpenai,
  family: '',
  isSse: true,
  refusesBlank: false,
  wantsTools: false,
  imageUrls: true,
}
const CLAUDE: Facts = {
  model: 'claude-sonnet-4-5',
  read: readAnthropic,
  family: 'anthropic',
  isSse: true,
  refusesBlank: true,
  wantsTools: true,
  imageUrls: true,
}

const FACTS: Readonly<Record<ProviderName, Facts>> = {
  'openai-compatible': OPENAI,
  openai: OPENAI,
  'azure-openai': OPENAI,
  anthropic: CLAUDE,
  bedrock: { ...CLAUDE, model: 'anthropic.claude-sonnet-4-5-v1:0', read: readBedrock, isSse: false, imageUrls: false },
  'vertex-claude': { ...CLAUDE, model: 'claude-sonnet-4-5@20250929', imageUrls: false },
  'vertex-gemini': {
    ...CLAUDE,
    model: 'gemini-3-flash',
    read: readGemini,
    family: 'gemini',
    wantsTools: false,
    imageUrls: false,
  },
}

for (const [name, facts] of Object.entries(FACTS) as [ProviderName, Facts][]) {
  adapterSuite({
    ...facts,
    name,
    provider: PROVIDERS[name],
    target: testTarget({ provider: name, model: facts.model }),
    recordings: RECORDED[name],
    failing: RECORDED_ERROR[name],
  })
}
