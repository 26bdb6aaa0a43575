import { type Recordings, sse } from './answer-cases.suite.ts'

const HEAD = { modelVersion: 'gemini-3-flash', responseId: 'r1', createTime: '2026-11-25T00:00:00Z' }
const USAGE = { promptTokenCount: 12, candidatesTokenCount: 5, totalTokenCount: 17, trafficType: 'ON_DEMAND' }

const chunk = (parts: readonly object[], more: object = {}, usage?: object) => ({
  candidates: [{ index: 0, content: { role: 'model', parts }, ...more }],
  ...(usage === undefined ? {} : { usageMetadata: usage }),
  ...HEAD,
})
const last = (parts: readonly object[], reason: string, usage: object = USAGE) =>
  chunk(parts, { finishReason: reason }, usage)
const whole = (parts: readonly object[], reason = 'STOP', usage: object = USAGE) =>
  JSON.stringify(last(parts, reason, usage))
const FIND = { functionCall: { id: 'call_a', name: 'find', args: { city: 'Köln' } }, thoughtSignature: 'cHJvb2Y=' }
const LIST = { functionCall: { id: 'call_b', name: 'list', args: {} } }
const THOUGHT = { ...USAGE, thoughtsTokenCount: 7, totalTokenCount: 24 }
const CACHED = { ...USAGE, promptTokenCount: 132, cachedContentTokenCount: 100 }
const SIGNED = { text: '6 × 7.', thought: true, thoughtSignature: 'c2lnbmF0dXJl' }

/** Gemini's chunks on Vertex; nothing follows the one with the reason to finish. */
export const GEMINI: Recordings = {
  text: {
    stream: sse(chunk([{ text: 'Grüße 𝄞' }]), last([{ text: ' aus Köln' }], 'STOP')),
    whole: whole([{ text: 'Grüße 𝄞 aus Köln' }]),
  },
  'parallel calls': {
    stream: sse(chunk([{ text: 'I look.' }]), chunk([FIND]), last([LIST], 'STOP')),
    whole: whole([{ text: 'I look.' }, FIND, LIST]),
  },
  thinking: {
    stream: sse(
      chunk([{ text: 'Let me see: ', thought: true }]),
      chunk([SIGNED]),
      last([{ text: '42' }], 'STOP', THOUGHT),
    ),
    whole: whole([{ ...SIGNED, text: 'Let me see: 6 × 7.' }, { text: '42' }], 'STOP', THOUGHT),
  },
  'sealed thoughts': undefined,
  'cached prompt': {
    stream: sse(last([{ text: 'ok' }], 'STOP', CACHED)),
    whole: whole([{ text: 'ok' }], 'STOP', CACHED),
    // What is written to the cache is not told apart.
    differs: { usage: { input: 32, cachedRead: 100, cachedWrite: 0, output: 5, reasoning: 0 } },
  },
  'stop sequence': {
    stream: sse(last([{ text: 'one, two' }], 'STOP')),
    whole: whole([{ text: 'one, two' }]),
    // Which sequence it met is not told.
    differs: { stopSequence: '' },
  },
  length: {
    stream: sse(last([{ text: 'one, two' }], 'MAX_TOKENS')),
    whole: whole([{ text: 'one, two' }], 'MAX_TOKENS'),
  },
  filtered: {
    stream: sse(chunk([{ text: 'I ' }]), last([], 'SAFETY')),
    whole: whole([{ text: 'I ' }], 'SAFETY'),
  },
}

export const GEMINI_ERROR = sse(chunk([{ text: 'I ' }]), {
  error: { code: 500, message: 'Internal error', status: 'INTERNAL' },
})
