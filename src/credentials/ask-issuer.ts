import { type Cross, CrossFault, type SecretValue, type Trip } from '#contract/crossing.ts'
import type { Place } from '#contract/place.ts'
import { CredentialFault, type IssuerName } from './credential-fault.ts'

/** One request to an issuer: `form` or `json` is posted, without either it is a GET. */
export interface IssuerRequest {
  readonly to: Place
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly bearer?: SecretValue
}

export interface IssuerAnswer {
  readonly status: number
  readonly text: string
  /** The body, or undefined when it is no JSON. */
  readonly json: () => unknown
}

const MAX_ANSWER_BYTES = 262_144
/** Issuers answer in well under a second: whoever waits for a token waits with a request in hand. */
const CONNECT_MS = 2000
const FIRST_BYTE_MS = 5000
const TOTAL_MS = 8000

/**
 * Asks through the border, as part of the identity layer. Any status is an answer.
 * @throws {CredentialFault} when there is none.
 */
export async function askIssuer(
  cross: Cross,
  trip: Trip,
  issuer: IssuerName,
  { to, url, headers = {}, form, json, bearer }: IssuerRequest,
): Promise<IssuerAnswer> {
  const content = bodyOf(form, json)
  try {
    const answer = await cross(trip, {
      layer: 'identity',
      to,
      method: content === undefined ? 'GET' : 'POST',
      url,
      headers: { accept: 'application/json', ...headers, ...(content && { 'content-type': content.type }) },
      ...(content && { body: content.body }),
      credential:
        bearer === undefined
          ? { kind: 'none' }
          : { kind: 'header', header: 'authorization', prefix: 'Bearer ', secret: bearer },
      connectMs: CONNECT_MS,
      firstByteMs: FIRST_BYTE_MS,
      idleMs: FIRST_BYTE_MS,
      totalMs: TOTAL_MS,
      maxAnswerBytes: MAX_ANSWER_BYTES,
    })
    const text = await answer.text()
    return { status: answer.status, text, json: () => parsed(text) }
  } catch (error) {
    throw new CredentialFault(issuer, error instanceof CrossFault ? error.message : 'could not be asked', {
      cause: error,
    })
  }
}

function bodyOf(form: IssuerRequest['form'], json: unknown): { type: string; body: string } | undefined {
  if (form !== undefined)
    return { type: 'application/x-www-form-urlencoded', body: new URLSearchParams(form).toString() }
  return json === undefined ? undefined : { type: 'application/json', body: JSON.stringify(json) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** Whether a status says that the issuer is busy or broken, which is no verdict about the request. */
export function isNoVerdict(status: number): boolean {
  return status === 429 || status >= 500
}

/** The vendor's own code of an error, without anything that could be more than a code. */
export function codeOnly(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_.]/g, '').slice(0, 60)
}
