import assert from 'node:assert/strict'
import { test } from 'node:test'
import { claudeThinking, claudeVersion, takesSampling } from './claude.ts'
import { testAsk } from './test-asks.ts'

for (const [model, version] of [
  ['claude-3-7-sonnet-20250219', 3.07],
  ['claude-sonnet-4-20250514', 4],
  ['claude-sonnet-4@20250514', 4],
  ['claude-sonnet-4-5-20250929', 4.05],
  ['us.anthropic.claude-haiku-4-5-20251001-v1:0', 4.05],
  ['claude-opus-4-7', 4.07],
  ['claude-sonnet-5', 5],
  ['claude-fable-5-2', 5.02],
  ['arn:aws:bedrock:us-east-1:1:application-inference-profile/x', undefined],
] as const) {
  test(`${model} is version ${version}`, () => assert.equal(claudeVersion(model), version))
}

test('sampling is taken up to 4.6, and where the version is not known', () => {
  const models = ['claude-opus-4-6', 'an-arn', 'claude-opus-4-7', 'claude-haiku-5-5']
  assert.deepEqual(models.map(takesSampling), [true, true, false, false])
})

test('each version is asked to think in the way that it knows', () => {
  const thinking = (model: string, reasoning: object) => claudeThinking(testAsk({ reasoning }), model)
  assert.deepEqual(thinking('claude-opus-4-5', { adaptive: true }), {
    thinking: { type: 'enabled', budget_tokens: 8192 },
  })
  assert.deepEqual(thinking('claude-opus-4-6', { adaptive: true }), { thinking: { type: 'adaptive' } })
  assert.deepEqual(thinking('claude-opus-4-6', { budget: 100 }), { thinking: { type: 'enabled', budget_tokens: 1024 } })
  assert.deepEqual(thinking('claude-opus-5', { effort: 'xhigh' }), {
    thinking: { type: 'adaptive' },
    output_config: { effort: 'xhigh' },
  })
  assert.deepEqual(thinking('claude-opus-5', { effort: 'none' }), {})
})
