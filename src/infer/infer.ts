import type { Ask } from '#contract/ask.ts'
import { type Cross, type CrossAnswer, CrossFault, type Trip } from '#contract/crossing.ts'
import type { Attempt } from '#contract/entry.ts'
import { type Batch, type Event, isContent } from '#contract/event.ts'
import { Refusal } from '#contract/refusal.ts'
import type { OpenCall, Plan, Traffic } from '#contract/route.ts'
import type { Screened } from '#contract/screened.ts'
import type { ProviderName, Target } from '#contract/target.ts'
import { anthropic } from './anthropic/provider.ts'
import { bedrock } from './bedrock/provider.ts'
import type { EmbedBatches } from './embed-batches.ts'
import { estimatedCount } from './estimate.ts'
import { azureOpenai, openai, openaiCompatible } from './openai-compatible/provider.ts'
import type { Decoder, EncodedRequest, Provider } from './provider.ts'
import { type Answer, type AskLeg, type Begun, Race } from './race.ts'
import { vertexClaude } from './vertex-claude/provider.ts'
import { vertexGemini } from './vertex-gemini/provider.ts'

export interface InferDeps {
  readonly cross: Cross
  /** Embedding requests that go together. */
  readonly embeds: EmbedBatches
  /** Who keeps an eye on the targets: asked before a call, told what became of it. */
  readonly traffic: Traffic
}

/** The adapters, by the name that a target gives. */
export const PROVIDERS: Readonly<Record<ProviderName, Provider>> = {
  'openai-compatible': openaiCompatible,
  openai,
  'azure-openai': azureOpenai,
  anthropic,
  bedrock,
  'vertex-claude': vertexClaude,
  'vertex-gemini': vertexGemini,
}

/** The longest answer that is read, in bytes. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024
/** Bytes of an error answer that are read for its reason. */
const MAX_ERROR_BYTES = 65_536

/**
 * Asks the targets of a plan until one gives its first content; from then on that answer is the answer. One after the
 * other, but for the second leg of a race, which the plan may want beside the first.
 * @throws {Refusal} of the last target that was tried, when none answered.
 */
export function infer(
  deps: InferDeps,
  plan: Plan,
  screened: Screened,
  trip: Trip,
  attempts: Attempt[],
): Promise<Answer> {
  const ask: AskLeg = (leg, call, signal) =>
    answerOf(deps, leg.target, { screened, trip, call, signal, salt: plan.salt })
  const canRace = (screened.ask.operation ?? 'generate') === 'generate'
  return new Race({ traffic: deps.traffic, plan, ask, screened, trip, attempts, canRace }).run()
}

interface LegContext {
  readonly screened: Screened
  readonly trip: Trip
  readonly call: OpenCall
  /** Aborts this leg alone. */
  readonly signal: AbortSignal | undefined
  readonly salt: string
}

async function answerOf(deps: InferDeps, target: Target, context: LegContext): Promise<Begun> {
  const { screened, trip, call, salt } = context
  const provider = PROVIDERS[target.provider]
  const { ask } = screened
  if (ask.operation === 'count-tokens' && provider.countsHere === true) {
    call.dropped(false)
    return { dropped: [], batches: only(estimatedCount(ask)) }
  }
  const request = provider.encode(screened, target, salt)
  const { dropped } = request
  const ended = (): void => call.ended()
  if (ask.operation !== 'embed')
    return { dropped, batches: await attempt(deps, target, { screened, request, trip, signal: context.signal, ended }) }
  const events = await deps.embeds.ask(target, ask, trip, async (texts, shared) => {
    // The guard has passed each of the requests whose texts go together.
    const together = texts === ask ? screened : ({ ...screened, ask: texts } satisfies Screened)
    const joint = texts === ask ? request : provider.encode(together, target)
    const all: Event[] = []
    const batches = await attempt(deps, target, { screened: together, request: joint, trip: shared })
    for await (const batch of batches) all.push(...batch)
    return all
  })
  ended()
  return { dropped, batches: only(events) }
}

function only(batch: Batch): AsyncIterable<Batch> {
  return (async function* one() {
    yield batch
  })()
}

interface Try {
  readonly screened: Screened
  readonly request: EncodedRequest
  readonly trip: Trip
  readonly signal?: AbortSignal | undefined
  /** Told when the answer is over, whole or not. */
  readonly ended?: () => void
}

/** One call to one target, up to its first content. */
async function attempt(
  deps: InferDeps,
  target: Target,
  { screened: { ask }, request, trip, signal, ended }: Try,
): Promise<AsyncIterable<Batch>> {
  const provider = PROVIDERS[target.provider]
  const { connectMs, firstTokenMs, idleMs, totalMs } = target.deadlines
  const firstContentMs = ask.stream ? firstTokenMs : totalMs
  const started = performance.now()
  try {
    const answer = await deps.cross(trip, {
      layer: 'inference',
      to: target.place,
      method: 'POST',
      url: request.url,
      headers: request.headers,
      body: request.body,
      credential: target.credential,
      connectMs,
      firstByteMs: firstContentMs,
      idleMs: firstContentMs,
      totalMs,
      maxAnswerBytes: MAX_ANSWER_BYTES,
      ...(signal === undefined ? {} : { signal }),
    })
    if (answer.status !== 200) {
      const said = provider.error(
        { status: answer.status, headers: answer.headers, body: await errorBody(answer) },
        target,
      )
      throw NOT_SERVED.has(answer.status) ? notServed(said, ask, target) : said
    }
    return await untilContent(answer, provider.decoder(ask), {
      untilMs: started + firstContentMs,
      firstContentMs,
      idleMs,
      ended,
    })
  } catch (error) {
    throw beforeContent(error, target)
  }
}

interface Patience {
  /** When the first content has to be here, on the clock of `performance.now()`; and how long that was in all. */
  readonly untilMs: number
  readonly firstContentMs: number
  readonly idleMs: number
  readonly ended?: (() => void) | undefined
}

/** Statuses by which servers say that there is no such path or model here. */
const NOT_SERVED: ReadonlySet<number> = new Set([404, 405, 501])

/** Asking for vectors where a model talks is the caller's mistake: others, who ask rightly, must not lose the target. */
function notServed(said: Refusal, { operation = 'generate' }: Ask, { name }: Target): Refusal {
  if (operation === 'generate') return new Refusal(said.code, said.message, { blameless: true })
  const what = operation === 'embed' ? 'makes no embeddings' : 'counts no tokens'
  return new Refusal('INFER_UNSUPPORTED', `target \`${name}\` ${what}, ask another model`, { param: 'model' })
}

/** Reads until the first content (or the end of an empty answer) and returns what follows, that included. */
async function untilContent(answer: CrossAnswer, decoder: Decoder, patience: Patience): Promise<AsyncIterable<Batch>> {
  const source = answer.body[Symbol.asyncIterator]()
  const first: Event[] = []
  try {
    while (!first.some((event) => isContent(event) || event.type === 'end')) {
      // What is left of the deadline, whatever else than content has come in the meantime.
      answer.setIdleMs(Math.max(1, patience.untilMs - performance.now()))
      const step = await source.next()
      first.push(...(step.done === true ? decoder.end() : decoder.push(step.value)))
      if (decoder.failure !== undefined && !first.some(isContent)) throw decoder.failure
    }
  } catch (error) {
    answer.cancel()
    const isLate = error instanceof CrossFault && error.kind === 'timeout-idle'
    throw isLate
      ? new CrossFault('timeout-first-byte', `no first token within ${patience.firstContentMs} ms`, error)
      : error
  }
  answer.setIdleMs(patience.idleMs)
  return follow(answer, source, { decoder, first, ended: patience.ended })
}

interface Followed {
  readonly decoder: Decoder
  readonly first: Batch
  readonly ended?: (() => void) | undefined
}

/** Hand-written rather than a generator: a caller who leaves before the first read must cancel the call too. */
function follow(
  answer: CrossAnswer,
  source: AsyncIterator<Uint8Array>,
  { decoder, first, ended: over = () => undefined }: Followed,
): AsyncIterable<Batch> {
  let pending: Batch | undefined = first
  let ended = false
  const read = async (): Promise<Batch> => {
    if (pending !== undefined) {
      const batch = pending
      pending = undefined
      return batch
    }
    if (decoder.failure !== undefined) throw decoder.failure
    const step = await source.next()
    return step.done === true ? decoder.end() : decoder.push(step.value)
  }
  const next = async (): Promise<IteratorResult<Batch>> => {
    if (ended) return { done: true, value: undefined }
    try {
      const batch = await read()
      ended = batch.some(({ type }) => type === 'end')
      if (ended) over()
      return { done: false, value: batch }
    } catch (error) {
      answer.cancel()
      over()
      throw afterContent(error)
    }
  }
  return {
    [Symbol.asyncIterator]: () => ({
      next,
      return: () => {
        if (!ended) answer.cancel()
        over()
        return Promise.resolve({ done: true, value: undefined })
      },
    }),
  }
}

async function errorBody(answer: CrossAnswer): Promise<string> {
  const text = await answer.text().catch(() => '')
  return text.slice(0, MAX_ERROR_BYTES)
}

function beforeContent(error: unknown, target: Target): unknown {
  if (error instanceof Refusal && error.code === 'INFER_CUT') {
    return new Refusal('INFER_UNAVAILABLE', `target \`${target.name}\` ended its answer before it began`, {
      cause: error,
    })
  }
  if (!(error instanceof CrossFault) || error.kind === 'aborted') return error
  if (error.kind === 'rule') return new Refusal('BORDER_REFUSED', error.message, { cause: error })
  const code = error.kind.startsWith('timeout') ? 'INFER_TIMEOUT' : 'INFER_UNAVAILABLE'
  return new Refusal(code, `target \`${target.name}\`: ${error.message}`, { cause: error })
}

/** Once content has gone out, whatever breaks the answer is one thing for the caller: it is not whole. */
function afterContent(error: unknown): unknown {
  if (error instanceof CrossFault)
    return new Refusal('INFER_CUT', `the answer broke off: ${error.message}`, { cause: error })
  if (error instanceof Refusal && error.code !== 'INFER_CUT') {
    return new Refusal('INFER_CUT', `the answer broke off: ${error.message}`, { cause: error })
  }
  return error
}
