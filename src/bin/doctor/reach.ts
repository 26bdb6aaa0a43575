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
  const isBedrock = target.provider === 'bedrock'
  try {
    const answer = await cross(ownTrip(), {
      layer: 'inference',
      to: subject.place,
      ...(isBedrock ? converse(target) : models(target)),
      credential,
      connectMs: 3000,
      firstByteMs: FIRST_BYTE_MS,
      idleMs: 5000,
      totalMs: FIRST_BYTE_MS + 10_000,
      maxAnswerBytes: 4_194_304,
    })
    const text = await answer.text()
    return verdict(answer.status, { subject, facts, isBedrock, text, target })
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

function models({ endpoint }: CredentialTarget): Call {
  return { method: 'GET', url: `${endpoint}/v1/models`, headers: { accept: 'application/json' } }
}

/** Without a message it is refused after the check of who asks, and before any model is. */
function converse({ endpoint, model }: CredentialTarget): Call {
  return {
    method: 'POST',
    url: `${endpoint}/model/${encodeURIComponent(model)}/converse`,
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ messages: [] }),
  }
}

interface Answered {
  readonly subject: Subject
  readonly target: CredentialTarget
  readonly facts: TokenFacts
  readonly isBedrock: boolean
  readonly text: string
}

function verdict(status: number, answered: Answered): Reached {
  const { isBedrock, target, text, subject, facts } = answered
  if (status === 401 || status === 403)
    return { isFine: false, detail: `answered ${status}`, mend: refusedMend(status, subject, target, facts) }
  if (isBedrock && status === 400) return fine('the credential is accepted')
  if (status === 429) return fine('the credential is accepted, and it is busy (429)')
  if (status === 404)
    return {
      isFine: false,
      detail: 'answered 404',
      mend: [
        isBedrock
          ? `look at \`model\`: there is no \`${target.model}\` in this region`
          : 'look at `endpoint`: it ends before `/v1`',
      ],
    }
  if (status < 200 || status > 299)
    return {
      isFine: false,
      detail: `answered ${status}`,
      mend: ['the target is in trouble itself, look at its own log'],
    }
  const isListed = isBedrock || text.includes(JSON.stringify(target.model))
  return fine(isListed ? `\`${target.model}\` is there` : `it does not list \`${target.model}\`, which may still work`)
}

function fine(detail: string): Reached {
  return { isFine: true, detail, mend: [] }
}
