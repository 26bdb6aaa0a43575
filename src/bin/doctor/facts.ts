import { asRecord, asText } from '#kit/json.ts'

/** What a token says of itself: names for trust statements, no secrets. */
export interface TokenFacts {
  readonly issuer: string | undefined
  readonly audience: string | undefined
  readonly subject: string | undefined
}

/** Read without a check: the other cloud checks it, this only says what the other cloud will see. */
export function factsOf(token: string): TokenFacts {
  let claims: Readonly<Record<string, unknown>> = {}
  try {
    claims = asRecord(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))) ?? {}
  } catch {
    // A token that is no JWT says nothing.
  }
  return { issuer: asText(claims['iss']), audience: asText(claims['aud']), subject: asText(claims['sub']) }
}
