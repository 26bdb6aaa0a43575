import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch, Event, TokenLogprob } from '#contract/event.ts'
import { screenOutput } from './output.ts'
import type { GuardProfile } from './profile.ts'

const PROFILE: GuardProfile = {
  name: 'test',
  actions: {},
  output: { EMAIL_ADDRESS: 'redact' },
  triage: { injection: 'off', toxicity: 'off' },
  minScore: 0.5,
  managed: 'off',
  riskFrom: 0.5,
  sample: 0.1,
  passages: true,
  protectedMaterial: 'off',
  shadow: false,
  severity: 4,
  onUnavailable: 'refuse',
}

/** What a server sends for text with log-probabilities: each piece, then its token. */
function spelled(...pieces: readonly string[]): Batch[] {
  const token = (text: string): TokenLogprob => ({ token: text, logprob: -1, bytes: null, top_logprobs: [] })
  return [
    ...pieces.map((text): Batch => [
      { type: 'text-delta', choice: 0, text },
      { type: 'logprobs', choice: 0, tokens: [token(text)] },
    ]),
    [{ type: 'finish', choice: 0, reason: 'stop' }, { type: 'end' }],
  ]
}

async function run(batches: readonly Batch[]) {
  const source = (async function* all() {
    yield* batches
  })()
  const out: Event[] = (await Array.fromAsync(screenOutput(source, PROFILE).batches)).flat()
  return {
    text: out.map((event) => (event.type === 'text-delta' ? event.text : '')).join(''),
    tokens: out.flatMap((event) => (event.type === 'logprobs' ? event.tokens.map(({ token }) => token) : [])).join(''),
  }
}

test('log-probabilities spell the text that goes out, and never what was taken out of it', async () => {
  const plain = await run(spelled('Call ', 'her ', 'at ', '12 ', 'o’clock.'))
  assert.equal(plain.tokens, plain.text)
  const masked = await run(spelled('Write ', 'to ', 'jane', '.doe', '@exa', 'mple', '.com', ' today', ' or', ' never'))
  assert.ok(masked.text.includes('[EMAIL_ADDRESS]'), masked.text)
  assert.ok(!/@exa|mple/.test(masked.tokens), masked.tokens)
  assert.ok(masked.tokens.endsWith(' or never'), masked.tokens)
})
