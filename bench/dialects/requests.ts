/** How callers ask, and where it goes. */
export const DIALECTS = ['chat', 'responses', 'messages'] as const
export type DialectName = (typeof DIALECTS)[number]
export const FORMATS = ['openai', 'bedrock', 'anthropic', 'gemini'] as const
export type FormatName = (typeof FORMATS)[number]

export interface BenchRequest {
  readonly path: string
  readonly body: string
}

const PROSE =
  'Please read the note from the accounts team below and write a short and friendly answer that says what happens next. '

/** About a kilobyte of prose without personal data: each number is a conversation of its own. */
export function requestIn(dialect: DialectName, model: string, isStream: boolean, number: number): BenchRequest {
  const text = `Case ${number}. ${PROSE.repeat(8)}`
  const stream = isStream ? { stream: true } : {}
  switch (dialect) {
    case 'chat':
      return {
        path: '/v1/chat/completions',
        body: JSON.stringify({ model, messages: [{ role: 'user', content: text }], max_tokens: 200, ...stream }),
      }
    case 'responses':
      return {
        path: '/v1/responses',
        body: JSON.stringify({ model, input: text, max_output_tokens: 200, store: false, ...stream }),
      }
    case 'messages':
      return {
        path: '/v1/messages',
        body: JSON.stringify({ model, messages: [{ role: 'user', content: text }], max_tokens: 200, ...stream }),
      }
  }
}

/** What the bare proxy is asked for: the vendor's own path, since it reads nothing. */
export function bareRequest(format: FormatName, isStream: boolean, number: number): BenchRequest {
  const { body } = requestIn('chat', 'm', isStream, number)
  const paths: Readonly<Record<FormatName, string>> = {
    openai: '/v1/chat/completions',
    bedrock: `/model/m/${isStream ? 'converse-stream' : 'converse'}`,
    anthropic: '/v1/messages',
    gemini: `/models/m:${isStream ? 'streamGenerateContent' : 'generateContent'}`,
  }
  return { path: paths[format], body }
}
