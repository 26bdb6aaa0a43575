import { Agent, request as send } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'

/** One question: a stream is asked for. */
export interface Question {
  /** Base URL of whoever answers. */
  readonly url: string
  readonly token: string
  readonly model: string
  readonly system: string
  readonly text: string
  readonly maxTokens: number
}

export interface Outcome {
  /** HTTP status; 0: the connection broke, or the stream ended without its end. */
  readonly status: number
  /** Milliseconds of the wall to the first content; NaN when there was none. */
  readonly firstMs: number
  readonly totalMs: number
  /** Which target answered, as the gateway says; empty without one. */
  readonly target: string
}

const FIRST_CONTENT = /"content":"[^"]/

/** Asks once. Never throws. */
export function ask(agent: Agent, question: Question): Promise<Outcome> {
  const began = performance.now()
  const body = JSON.stringify({
    model: question.model,
    messages: [
      { role: 'system', content: question.system },
      { role: 'user', content: question.text },
    ],
    max_tokens: question.maxTokens,
    stream: true,
  })
  return new Promise((resolve) => {
    let firstMs = Number.NaN
    let tail = ''
    let head = { status: 0, target: '' }
    const finish = (isWhole: boolean): void =>
      resolve({
        status: isWhole || head.status !== 200 ? head.status : 0,
        firstMs,
        totalMs: performance.now() - began,
        target: head.target,
      })
    const call = send(
      `${question.url}/v1/chat/completions`,
      {
        agent,
        method: 'POST',
        headers: {
          authorization: `Bearer ${question.token}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        },
      },
      (response) => {
        head = { status: response.statusCode ?? 0, target: String(response.headers['x-thinplane-target'] ?? '') }
        response.on('data', (piece: Buffer) => {
          tail = tail.slice(-KEPT) + piece.toString('latin1')
          if (Number.isNaN(firstMs) && FIRST_CONTENT.test(tail)) firstMs = performance.now() - began
        })
        response.on('end', () => finish(tail.includes('data: [DONE]')))
        response.on('error', () => finish(false))
      },
    )
    call.on('error', () => finish(false))
    call.end(body)
  })
}

/** A pattern may be cut by a piece's end. */
const KEPT = 64

/** Asks at the given times, whether or not earlier answers are there. Milliseconds of the wall from now. */
export async function openLoop<Plan extends { readonly atMs: number }>(
  plans: readonly Plan[],
  questionOf: (plan: Plan) => Question,
): Promise<readonly (Plan & Outcome)[]> {
  const agent = new Agent({ keepAlive: true })
  const began = performance.now()
  try {
    return await Promise.all(
      plans.map(async (plan) => {
        await wait(Math.max(0, plan.atMs - (performance.now() - began)))
        return { ...plan, ...(await ask(agent, questionOf(plan))) }
      }),
    )
  } finally {
    agent.destroy()
  }
}

/** So many callers, each of whom asks again when its answer is whole, for so long. */
export async function closedLoop(
  callers: number,
  durationMs: number,
  questionOf: (number: number) => Question,
): Promise<readonly Outcome[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: callers })
  const began = performance.now()
  const outcomes: Outcome[] = []
  let number = 0
  const caller = async (): Promise<void> => {
    while (performance.now() - began < durationMs) {
      number += 1
      const outcome = await ask(agent, questionOf(number))
      outcomes.push(outcome)
      // Refusals come at once: nobody asks again at once after one.
      if (outcome.status !== 200) await wait(REFUSED_PAUSE_MS)
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  agent.destroy()
  return outcomes
}

const REFUSED_PAUSE_MS = 50
