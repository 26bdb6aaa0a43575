import type { Ask } from './ask.ts'

/** For tests: the smallest request, with changes. */
export function testAsk(changes: Partial<Ask> = {}): Ask {
  return {
    dialect: 'openai-chat',
    alias: 'chat',
    stream: false,
    messages: [{ role: 'user', parts: [{ type: 'text', text: 'hi' }] }],
    tools: [],
    toolChoice: undefined,
    sampling: {},
    includeUsage: false,
    ground: undefined,
    conversation: undefined,
    purpose: undefined,
    rest: {},
    ...changes,
  }
}
