import { ABORT_MARK, ECHO_MARK, EMAIL } from './upstream.ts'

/** What is asked: the same bytes on every side, but for the headers that a side needs. */
export interface PromptKind {
  readonly isStream: boolean
  /** With an address and a phone number, which a guard has to replace and put back; otherwise prose without any. */
  readonly hasPersonalData: boolean
  readonly bytes: number
}

const PROSE =
  'Please read the note from the accounts team below and write a short and friendly answer that says what happens next, and when. ' +
  'The supplier asked whether the second part of the order can be paid together with the first, because both were delivered in the same week. ' +
  'Our rule is that a payment goes out after the goods were counted and the papers agree with the order, and both was done yesterday. '

/** Where requests go, and what a side needs beside the body. */
export interface Address {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly model: string
}

/** `count` whole HTTP/1.1 requests whose prompts differ by their number, counted from `first`: each is a conversation of its own. */
export function requestsFor(address: Address, kind: PromptKind, count: number, first: number): Buffer[] {
  return Array.from({ length: count }, (_, index) =>
    requestOf(address, chatBody(promptText(first + index, kind), kind.isStream, address.model)),
  )
}

/** A long stream that the caller will leave. */
export function abortRequest(address: Address, id: number): Buffer {
  return requestOf(address, chatBody(`${ABORT_MARK}${id} and ${PROSE}`, true, address.model))
}

function promptText(number: number, { hasPersonalData, bytes }: PromptKind): string {
  const lead = `Case ${number} of this month. `
  const personal = hasPersonalData ? `${ECHO_MARK}${EMAIL} or call +1 202-555-0143 before noon. ` : ''
  const text = `${lead}${personal}${PROSE.repeat(4)}`
  return text.slice(0, bytes)
}

function chatBody(text: string, isStream: boolean, model: string): string {
  const messages = [
    { role: 'system', content: 'You answer letters for the accounts team.' },
    { role: 'user', content: text },
  ]
  return JSON.stringify({ model, messages, max_tokens: 200, temperature: 0, ...(isStream ? { stream: true } : {}) })
}

function requestOf({ url, headers }: Address, body: string): Buffer {
  const { host } = new URL(url)
  const lines = Object.entries({
    host,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  })
  return Buffer.from(
    `POST /v1/chat/completions HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
  )
}

/** The text of an answer, whole or streamed. */
export function textOfAnswer(body: string, isStream: boolean): string {
  if (!isStream) return contentOf(JSON.parse(body), 'message')
  return body
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => contentOf(JSON.parse(event.slice(6)), 'delta'))
    .join('')
}

type Completion = { readonly choices?: readonly Readonly<Record<string, { readonly content?: string }>>[] }

function contentOf(parsed: unknown, field: 'message' | 'delta'): string {
  return (parsed as Completion).choices?.[0]?.[field]?.content ?? ''
}
