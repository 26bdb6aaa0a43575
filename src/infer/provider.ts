import type { Ask } from '#contract/ask.ts'
import type { Event } from '#contract/event.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Screened } from '#contract/screened.ts'
import type { Target } from '#contract/target.ts'

/** What one wire format needs: each folder of infer/ has these three, in files of the same names. */
export interface Provider {
  /**
   * The request for a target. Pure. `salt` names the tenant to servers that keep the caches of tenants apart.
   * @throws {Refusal} INFER_UNSUPPORTED when the target can not do what is asked; another one may.
   */
  readonly encode: (screened: Screened, target: Target, salt?: string) => EncodedRequest
  /** The target has no call that counts tokens: they are estimated here. Default false. */
  readonly countsHere?: boolean
  /** A new decoder for one answer to `ask`, as it was encoded. */
  readonly decoder: (ask: Ask) => Decoder
  /** What an answer with an error status means. Pure. */
  readonly error: (answer: ErrorAnswer, target: Target) => Refusal
}

export interface EncodedRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Fields of the caller's request that the target does not get, by the names of the caller's dialect. */
  readonly dropped: readonly string[]
}

export interface ErrorAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Turns the bytes of one answer into events, however they are split. Never throws anything but a refusal. */
export interface Decoder {
  /**
   * Events that the bytes complete. When an error stands behind some, they are returned and `failure` is set.
   * @throws {Refusal} INFER_UNAVAILABLE, INFER_THROTTLED, ... when the upstream reports an error before any of them.
   */
  push(bytes: Uint8Array): Event[]
  /** Set when the last `push` met an error behind the events that it returned: nothing more will come. */
  readonly failure: Refusal | undefined
  /**
   * The bytes have ended.
   * @throws {Refusal} INFER_CUT when the upstream had not said that it was done.
   */
  end(): Event[]
}

/**
 * Runs `read`, which appends to `events` and may end in a refusal. One that comes behind events is returned instead of
 * thrown, so that what the model said before is not lost.
 */
export function keepingEvents(events: readonly Event[], read: () => void): Refusal | undefined {
  try {
    read()
    return undefined
  } catch (error) {
    if (events.length === 0 || !(error instanceof Refusal)) throw error
    return error
  }
}
