import { type Credential, type Cross, CrossFault, type CrossRequest } from '#contract/crossing.ts'
import { Refusal } from '#contract/refusal.ts'
import type { CredentialTarget } from '#config/secrets.ts'
import { ownTrip } from '#bin/own-trip.ts'
import type { TokenFacts } from './facts.ts'
import { refusedMend } from './mend.ts'
import type { Subject } from './walk.ts'

export interface Reached {
  readonly isFine: boolean
  readonly detail: string
  readonly mend: readonly string[]
}

/** A cold GPU takes half a minute to its first answer. */
const FIRST_BYTE_MS = 60_000

/** The cheapest call that shows whether the target takes our credential: no token is generated, nothing is billed. */
export async function reach(
  subject: Subject,
  target: CredentialTarget,
  credential: Credential,
  cross: Cross,
  facts: TokenFacts,
): Promise<Reached> {
  const call = probeOf(target)
  try {
    const answer = await cross(ownTrip(), {
      layer: 'inference',
      to: subject.place,
      ...call,
      credential,
      connectMs: 3000,
      firstByteMs: FIRST_BYTE_MS,
      idleMs: 5000,
      totalMs: FIRST_BYTE_MS + 10_000,
      maxAnswerBytes: 4_194_304,
    })
    const text = await answer.text()
    return verdict(answer.status, { subject, facts, isList: call.method === 'GET', text, target })
  } catch (error) {
    if (!(error instanceof CrossFault) && !(error instanceof Refusal)) throw error
    return {
      isFine: false,
      detail: error.message,
      mend: ['look at `endpoint` of the target and at what answers there'],
    }
  }
}

type Call = Pick<CrossRequest, 'method' | 'url' | 'headers' | 'body'>

/** What each kind of target is asked: its list of models, a count of tokens, or what it has to refuse. */
export function probeOf({ provider, endpoint, model }: Omit<CredentialTarget, 'name'>): Call {
  switch (provider) {
    case 'bedrock':
      // Without a message it is refused after the check of who asks, and before any model is asked.
      return post(`${endpoint}/model/${encodeURIComponent(model)}/converse`, { messages: [] })
    case 'azure-openai':
      return get(`${endpoint}/openai/v1/models`)
    case 'anthropic':
      return get(`${endpoint}/v1/models`, { 'anthropic-version': '2023-06-01' })
    case 'vertex-gemini':
      return post(`${endpoint}/publishers/google/models/${model}:countTokens`, {
        contents: [{ role: 'user', parts: [{ text: 'hello' }] }],
      })
    case 'vertex-claude':
      return post(`${endpoint}/publishers/anthropic/models/count-tokens:rawPredict`, {
        model,
        messages: [{ role: 'user', content: 'hello' }],
      })
    default:
      return get(`${endpoint}/v1/models`)
  }
}

function get(url: string, headers: Readonly<Record<string, string>> = {}): Call {
  return { method: 'GET', url, headers: { accept: 'application/json', ...headers } }
}

function post(url: string, body: unknown): Call {
  const headers = { 'content-type': 'application/json', accept: 'application/json' }
  return { method: 'POST', url, headers, body: JSON.stringify(body) }
}

interface Answered {
  readonly subject: Subject
  readonly target: CredentialTarget
  readonly facts: TokenFacts
  /** Whether the answer lists models. */
  readonly isList: boolean
  readonly text: string
}

function verdict(status: number, answered: Answered): Reached {
  const { isList, target, text, subject, facts } = answered
  if (status === 401 || status === 403)
    return { isFine: false, detail: `answered ${status}`, mend: refusedMend(status, subject, target, facts) }
  if (target.provider === 'bedrock' && status === 400) return fine('the credential is accepted')
  if (status === 429) return fine('the credential is accepted, and it is busy (429)')
  if (status === 404)
    return {
      isFine: false,
      detail: 'answered 404',
      mend: [
        !isList
          ? `look at \`model\`: there is no \`${target.model}\` in this region`
          : 'look at `endpoint`: docs/reference/config.md#targets says where it ends',
      ],
    }
  if (status < 200 || status > 299)
    return {
      isFine: false,
      detail: `answered ${status}`,
      mend: ['the target is in trouble itself, look at its own log'],
    }
  const isListed = !isList || text.includes(JSON.stringify(target.model))
  return fine(isListed ? `\`${target.model}\` is there` : `it does not list \`${target.model}\`, which may still work`)
}

function fine(detail: string): Reached {
  return { isFine: true, detail, mend: [] }
}
