import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asRecord, parseJson } from '#kit/json.ts'
import { withPlane } from '../plane.ts'

/** A request as coding agents on Anthropic's dialect send it: beta flags, many tools, thinking, marks for the cache. */
function agentRequest(): object {
  const mark = { type: 'ephemeral' }
  return {
    model: 'chat',
    max_tokens: 32_000,
    stream: true,
    system: [
      { type: 'text', text: 'You are a coding agent.', cache_control: mark },
      { type: 'text', text: 'Work in /srv/app.', cache_control: { type: 'ephemeral', ttl: '1h' } },
    ],
    thinking: { type: 'enabled', budget_tokens: 31_999 },
    context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
    metadata: { user_id: 'user_0_account__session_0' },
    tools: Array.from({ length: 40 }, (_, at) => ({
      name: at === 0 ? 'Bash' : `tool_${at}`,
      description: `Does number ${at}`,
      input_schema: {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        properties: { command: { type: 'string' } },
        required: ['command'],
        additionalProperties: false,
      },
      ...(at > 20 ? { defer_loading: true } : {}),
      ...(at === 39 ? { cache_control: mark } : {}),
    })),
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: '<system-reminder>\nBe brief.\n</system-reminder>' },
          { type: 'text', text: 'List the files' },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'I should list them.', signature: 'c2lnbmVk' },
          { type: 'tool_use', id: 'toolu_01', name: 'Bash', input: { command: 'ls' } },
          { type: 'tool_use', id: 'toolu_02', name: 'Bash', input: { command: 'pwd' } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'toolu_01', content: 'a.ts\nb.ts' },
          {
            type: 'tool_result',
            tool_use_id: 'toolu_02',
            content: [{ type: 'text', text: '/srv/app' }],
            is_error: false,
          },
          { type: 'text', text: 'And now?', cache_control: mark },
        ],
      },
    ],
  }
}

const HEADERS = {
  'content-type': 'application/json',
  'anthropic-version': '2023-06-01',
  'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27',
}

const targets: readonly (readonly [target: string, dropped: string])[] = [
  ['vllm-us-east4', 'anthropic-beta, cache_control, context_management, metadata'],
  ['bedrock-us-east-1', 'anthropic-beta, context_management, metadata'],
]

for (const [target, dropped] of targets) {
  test(`a coding agent's request goes through to ${target}, and what it loses is named`, async () => {
    await withPlane({ change: ({ aliases }) => (aliases['chat'] = { targets: [target] }) }, async (plane) => {
      const answer = await fetch(`${plane.url}/v1/messages?beta=true`, {
        method: 'POST',
        headers: { ...HEADERS, authorization: `Bearer ${plane.key}` },
        body: JSON.stringify(agentRequest()),
      })
      const text = await answer.text()
      assert.equal(answer.status, 200, text)
      assert.equal(answer.headers.get('x-thinplane-dropped'), dropped)
      assert.match(text, /event: message_stop/)
      const cloud = target.startsWith('vllm') ? 'cloud-run' : 'bedrock'
      const sent = asRecord(parseJson(plane.clouds.requests.last(cloud).at(-1)?.body ?? ''))
      assert.ok(sent)
      if (cloud === 'bedrock') {
        const fields = asRecord(sent['additionalModelRequestFields'])
        assert.deepEqual(fields?.['thinking'], { type: 'enabled', budget_tokens: 31_999 })
        const [, assistant, user] = sent['messages'] as { content: object[] }[]
        assert.deepEqual(assistant?.content[0], {
          reasoningContent: { reasoningText: { text: 'I should list them.', signature: 'c2lnbmVk' } },
        })
        assert.deepEqual(
          user?.content.map((block) => Object.keys(block)[0]),
          ['toolResult', 'toolResult', 'text', 'cachePoint'],
        )
      }
      const count = await fetch(`${plane.url}/v1/messages/count_tokens?beta=true`, {
        method: 'POST',
        headers: { ...HEADERS, authorization: `Bearer ${plane.key}` },
        body: JSON.stringify({ ...agentRequest(), max_tokens: undefined, stream: undefined }),
      })
      assert.equal(count.status, 200, await count.clone().text())
    })
  })
}
