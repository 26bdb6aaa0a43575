import type { Family, PartOf } from '#contract/ask.ts'
import { asRecord, asText, parseJson } from '#kit/json.ts'

/** A vendor's proof or sealed thought, in the one opaque field that this dialect has. */
export function sealThought(facts: {
  readonly signature: string
  readonly data: string
  readonly family: Family
}): string {
  return Buffer.from(JSON.stringify(facts), 'utf8').toString('base64url')
}

/** What a client gives back; sealed thoughts of other makers are nobody's here. */
export function openThought(thought: string, sealed: string | undefined): PartOf<'reasoning'> {
  const facts =
    sealed === undefined ? undefined : asRecord(parseJson(Buffer.from(sealed, 'base64url').toString('utf8')))
  const named = asText(facts?.['family'])
  const family = named === 'anthropic' || named === 'gemini' ? named : ''
  return {
    type: 'reasoning',
    text: thought,
    signature: asText(facts?.['signature']) ?? '',
    data: asText(facts?.['data']) ?? '',
    family,
  }
}
