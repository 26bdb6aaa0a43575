import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Message, type MessageAttributes, newMessage } from './message.ts'
import { sqsProblem } from './problem.ts'

/** What a queue is, in seconds where SQS says seconds. */
export interface QueueSettings {
  readonly visibilityTimeoutS: number
  readonly retentionS: number
  readonly delayS: number
  readonly receiveWaitS: number
  readonly maxMessageBytes: number
  /** Where messages go that were received too often; undefined: nowhere. */
  readonly redrive: { readonly deadLetterArn: string; readonly maxReceiveCount: number } | undefined
}

/** How many messages are where. */
export interface QueueCounts {
  readonly visible: number
  readonly inFlight: number
  readonly delayed: number
}

/** One standard queue. Time is the wall's. */
export class Queue {
  readonly name: string
  readonly arn: string
  readonly settings: QueueSettings
  readonly createdEpochMs = Date.now()
  readonly #deadLetters: () => Queue | undefined
  readonly #waiting = new Set<() => void>()
  #messages: Message[] = []

  /** @param deadLetters the queue that `settings.redrive` names. */
  constructor(name: string, arn: string, settings: QueueSettings, deadLetters: () => Queue | undefined) {
    this.name = name
    this.arn = arn
    this.settings = settings
    this.#deadLetters = deadLetters
  }

  /** Adds a message. `delayS` undefined: as the queue has it. */
  send(body: string, attributes: MessageAttributes = {}, delayS = this.settings.delayS): Message {
    const message = newMessage(body, attributes, delayS * 1000)
    this.#add(message)
    return message
  }

  counts(): QueueCounts {
    const now = Date.now()
    const hidden = this.#messages.filter(({ visibleEpochMs }) => visibleEpochMs > now)
    const delayed = hidden.filter(({ receiveCount }) => receiveCount === 0).length
    return { visible: this.#messages.length - hidden.length, inFlight: hidden.length - delayed, delayed }
  }

  /**
   * Takes up to `max` messages, and waits up to `waitMs` for the first. Nobody else sees them for `visibilityMs`. A
   * caller who leaves takes none.
   */
  async receive(max: number, visibilityMs: number, waitMs: number, signal: AbortSignal): Promise<readonly Message[]> {
    const untilMs = performance.now() + waitMs
    for (;;) {
      if (signal.aborted) return []
      const taken = this.#take(max, visibilityMs)
      const leftMs = untilMs - performance.now()
      if (taken.length > 0 || leftMs <= 0) return taken
      await this.#change(Math.min(leftMs, this.#nextVisibleMs()), signal)
    }
  }

  /** Deletes the message, if the handle is that of its last receive; an older handle does nothing, as in SQS. */
  delete(receiptHandle: string): void {
    checkHandle(receiptHandle)
    this.#messages = this.#messages.filter((each) => each.receiptHandle !== receiptHandle)
  }

  /** Changes how long the message stays hidden, from now on. */
  changeVisibility(receiptHandle: string, visibilityMs: number): void {
    checkHandle(receiptHandle)
    const message = this.#messages.find((each) => each.receiptHandle === receiptHandle)
    if (message === undefined)
      throw sqsProblem(
        'InvalidParameterValueException',
        `Value ${receiptHandle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
      )
    if (message.visibleEpochMs <= Date.now()) throw sqsProblem('MessageNotInflight', 'The message is not in flight')
    message.visibleEpochMs = Date.now() + visibilityMs
    this.#wake()
  }

  #add(message: Message): void {
    this.#messages.push(message)
    this.#wake()
  }

  #take(max: number, visibilityMs: number): readonly Message[] {
    const now = Date.now()
    this.#messages = this.#messages.filter(({ sentEpochMs }) => now - sentEpochMs < this.settings.retentionS * 1000)
    const taken: Message[] = []
    for (const message of this.#messages.filter(({ visibleEpochMs }) => visibleEpochMs <= now)) {
      if (taken.length === max) break
      if (this.#redrive(message)) continue
      message.receiveCount += 1
      message.firstReceiveEpochMs ??= now
      message.visibleEpochMs = now + visibilityMs
      message.receiptHandle = randomBytes(48).toString('base64')
      taken.push(message)
    }
    return taken
  }

  /** Whether the message was received often enough, and is now a dead letter. */
  #redrive(message: Message): boolean {
    const { redrive } = this.settings
    const target = redrive === undefined ? undefined : this.#deadLetters()
    if (redrive === undefined || target === undefined || message.receiveCount < redrive.maxReceiveCount) return false
    this.#messages = this.#messages.filter((each) => each !== message)
    target.#add({ ...message, visibleEpochMs: Date.now(), receiptHandle: undefined })
    return true
  }

  #nextVisibleMs(): number {
    const now = Date.now()
    return Math.max(1, Math.min(...this.#messages.map(({ visibleEpochMs }) => visibleEpochMs - now)))
  }

  /** Resolves when something changed, the time is over, or the caller left. */
  async #change(ms: number, signal: AbortSignal): Promise<void> {
    const done = new AbortController()
    const wake = () => done.abort()
    this.#waiting.add(wake)
    try {
      await sleep(Math.min(ms, 60_000), undefined, { signal: AbortSignal.any([done.signal, signal]) })
    } catch {
      // Woken, or left: either way there is something to look at.
    } finally {
      this.#waiting.delete(wake)
    }
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }
}

function checkHandle(receiptHandle: string): void {
  if (/^[A-Za-z0-9+/]{64}$/.test(receiptHandle)) return
  throw sqsProblem(
    'ReceiptHandleIsInvalid',
    `The input receipt handle "${receiptHandle}" is not a valid receipt handle.`,
  )
}
