import type { Fault, FaultKind } from './faults.ts'
import { waitRoughly } from './pace.ts'
import type { Piece, Service } from './service.ts'

/** What the writer does next: sends bytes, or tears the connection down. */
export type Step = Piece | 'reset'

type Steps = AsyncIterable<Step>

const DEFAULT_STALL_MS = 60_000
const DEFAULT_SPLIT_BYTES = 7
const DEFAULT_STATUS = 500

/** The faults that change how an answer is written; the others are over before it begins. */
const WRITING_KINDS: ReadonlySet<FaultKind> = new Set([
  'reset-after',
  'end-early',
  'stall',
  'split',
  'coalesce',
  'malformed',
  'error-in-stream',
])

/** The faults among these that change how an answer is written. */
export function writingFaults(faults: readonly Fault[]): readonly Fault[] {
  return faults.filter((fault) => WRITING_KINDS.has(fault.kind))
}

/** Whether every piece must reach the wire alone. */
export function isFlushedApart(faults: readonly Fault[]): boolean {
  return faults.some((fault) => fault.kind === 'split')
}

/** A stream with its faults in it. */
export function streamSteps(
  pieces: AsyncIterable<Piece>,
  faults: readonly Fault[],
  service: Service,
  signal: AbortSignal,
): Steps {
  const broken = { bytes: service.brokenPiece(), isContent: false }
  const errors = (status: number) => service.streamError(status).map((bytes) => ({ bytes, isContent: false }))
  let steps: Steps = pieces
  for (const fault of faults) {
    if (fault.kind === 'malformed') steps = insert(steps, fault.afterEvents ?? 0, () => Promise.resolve([broken]))
    else if (fault.kind === 'error-in-stream') {
      steps = cut(steps, fault.afterEvents ?? 1, errors(fault.status ?? DEFAULT_STATUS))
    } else steps = interrupted(steps, fault, fault.afterEvents ?? 1, signal)
  }
  return cutToSize(steps, faults)
}

/** An answer that is no stream: its first half counts as the one piece of content. */
export function bodySteps(body: string | Uint8Array, faults: readonly Fault[], signal: AbortSignal): Steps {
  let steps: Steps = halves(body)
  for (const fault of faults) {
    if (fault.kind === 'malformed') steps = cut(steps, 1, [])
    else steps = interrupted(steps, fault, Math.min(fault.afterEvents ?? 1, 1), signal)
  }
  return cutToSize(steps, faults)
}

/** What interrupts a stream and a body alike. */
function interrupted(steps: Steps, fault: Fault, after: number, signal: AbortSignal): Steps {
  if (fault.kind === 'reset-after') return cut(steps, after, ['reset'])
  if (fault.kind === 'end-early') return cut(steps, after, [])
  if (fault.kind !== 'stall') return steps
  return insert(steps, after, async () => {
    await waitRoughly(fault.ms ?? DEFAULT_STALL_MS, signal)
    return []
  })
}

function cutToSize(steps: Steps, faults: readonly Fault[]): Steps {
  const split = faults.find((fault) => fault.kind === 'split')
  if (split !== undefined) return splitSteps(steps, split.bytes ?? DEFAULT_SPLIT_BYTES)
  return faults.some((fault) => fault.kind === 'coalesce') ? coalesced(steps) : steps
}

// oxlint-disable-next-line typescript/require-await -- an AsyncIterable like the streams that it stands in for
async function* halves(body: string | Uint8Array): AsyncGenerator<Step> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const middle = Math.ceil(bytes.length / 2)
  yield { bytes: bytes.subarray(0, middle), isContent: true }
  yield { bytes: bytes.subarray(middle), isContent: false }
}

/** Ends the stream with `tail` once so many pieces of content have passed. */
async function* cut(steps: Steps, afterContent: number, tail: readonly Step[]): AsyncGenerator<Step> {
  let seen = 0
  for await (const step of steps) {
    if (isContent(step) && seen >= afterContent) break
    yield step
    if (isContent(step)) seen += 1
    if (seen > 0 && seen >= afterContent) break
  }
  yield* tail
}

/** Puts steps in once so many pieces of content have passed. */
async function* insert(
  steps: Steps,
  afterContent: number,
  extra: () => Promise<readonly Step[]>,
): AsyncGenerator<Step> {
  let seen = 0
  let done = false
  for await (const step of steps) {
    if (!done && isContent(step) && seen >= afterContent) {
      done = true
      yield* await extra()
    }
    yield step
    if (isContent(step)) seen += 1
    if (!done && seen > 0 && seen >= afterContent) {
      done = true
      yield* await extra()
    }
  }
}

async function* splitSteps(steps: Steps, size: number): AsyncGenerator<Step> {
  for await (const step of steps) {
    if (step === 'reset') {
      yield step
      continue
    }
    for (let at = 0; at < step.bytes.length; at += size) {
      yield { bytes: step.bytes.subarray(at, at + size), isContent: step.isContent }
    }
  }
}

async function* coalesced(steps: Steps): AsyncGenerator<Step> {
  const parts: Uint8Array[] = []
  for await (const step of steps) {
    if (step === 'reset') {
      yield { bytes: Buffer.concat(parts), isContent: true }
      yield step
      return
    }
    parts.push(step.bytes)
  }
  yield { bytes: Buffer.concat(parts), isContent: true }
}

function isContent(step: Step): boolean {
  return step !== 'reset' && step.isContent
}
