import { z } from 'zod'
import { SERVICE_NAMES, type ServiceName } from './service.ts'

/** What can go wrong. */
export const FAULT_KINDS = [
  'latency',
  'throttle',
  'error',
  'refuse',
  'hang',
  'reset-before',
  'reset-after',
  'end-early',
  'stall',
  'split',
  'coalesce',
  'malformed',
  'skew',
  'error-in-stream',
] as const

/** How far a clock is off by default: twice what is usually tolerated. */
export const DEFAULT_SKEW_MS = 600_000

export type FaultKind = (typeof FAULT_KINDS)[number]

/** One thing that goes wrong, from now on, for the requests that it matches. */
export interface Fault {
  readonly service: ServiceName
  readonly kind: FaultKind
  /** How many requests it hits before it is spent. Unlimited by default. */
  readonly count?: number | undefined
  /** Part of the path that a request must have. Every path by default. */
  readonly path?: string | undefined
  /**
   * How many pieces of content pass first: `reset-after`, `end-early`, `stall`, `error-in-stream` (default 1),
   * `malformed` (default 0). An answer that is no stream counts as one piece, its first half.
   */
  readonly afterEvents?: number | undefined
  /** Milliseconds: `latency` (default 1,000), `stall` (default 60,000), `skew` (default 600,000, may be negative). */
  readonly ms?: number | undefined
  /** HTTP status: `throttle` (default 429), `error` (default 500), `error-in-stream` (default 500). */
  readonly status?: number | undefined
  /** `Retry-After` in seconds: `throttle` (default 1), `error` (none by default). */
  readonly retryAfterS?: number | undefined
  /** Size of the pieces of `split`. Default 7. */
  readonly bytes?: number | undefined
}

/** What is wrong with a fault that somebody sent. */
export class FaultProblem extends Error {
  /** Dotted path of the field; empty when the whole value is wrong. */
  readonly field: string
  readonly allowed: readonly string[]

  constructor(field: string, message: string, allowed: readonly string[]) {
    super(message)
    this.name = 'FaultProblem'
    this.field = field
    this.allowed = allowed
  }
}

const count = z.int().min(0)
/** A fault as somebody writes it. */
export const FaultSchema = z.strictObject({
  service: z.enum(SERVICE_NAMES),
  kind: z.enum(FAULT_KINDS),
  count: z.int().min(1).optional(),
  path: z.string().min(1).optional(),
  afterEvents: count.optional(),
  ms: z.int().min(-86_400_000).max(86_400_000).optional(),
  status: z.int().min(400).max(599).optional(),
  retryAfterS: count.optional(),
  bytes: z.int().min(1).optional(),
})

const FAULT_FIELDS: readonly string[] = Object.keys(FaultSchema.shape)

/**
 * Reads a fault from JSON that somebody sent.
 * @throws {FaultProblem} naming the field and what it may be.
 */
export function readFault(value: unknown): Fault {
  const read = FaultSchema.safeParse(value)
  if (!read.success) throw problemOf(read.error.issues[0])
  if (read.data.kind === 'skew' && read.data.service !== 'entra') {
    throw new FaultProblem('service', 'only `entra` has a clock to skew', ['entra'])
  }
  return read.data
}

function problemOf(issue: z.core.$ZodIssue | undefined): FaultProblem {
  if (issue === undefined) return new FaultProblem('', 'not a fault', FAULT_FIELDS)
  if (issue.code === 'unrecognized_keys') {
    return new FaultProblem(issue.keys[0] ?? '', `unknown field \`${issue.keys.join('`, `')}\``, FAULT_FIELDS)
  }
  const field = issue.path.join('.')
  if (issue.code === 'invalid_value') {
    const allowed = issue.values.map(String)
    return new FaultProblem(field, `\`${field}\` is not one of the values allowed`, allowed)
  }
  if (field === '') return new FaultProblem('', 'a fault is a JSON object', FAULT_FIELDS)
  return new FaultProblem(field, `\`${field}\`: ${issue.message}`, [rangeOf(field)])
}

const RANGES: Readonly<Record<string, string>> = {
  count: 'a whole number from 1',
  path: 'text',
  afterEvents: 'a whole number from 0',
  ms: 'a whole number of milliseconds, at most a day',
  status: 'a whole number from 400 to 599',
  retryAfterS: 'a whole number of seconds from 0',
  bytes: 'a whole number from 1',
}

function rangeOf(field: string): string {
  return RANGES[field] ?? 'see the list of fields'
}

/** The faults that are set, and how often each may still hit. */
export class FaultBook {
  readonly #set: { readonly fault: Fault; left: number }[] = []

  /** Adds a fault. */
  set(fault: Fault): void {
    this.#set.push({ fault, left: fault.count ?? Number.POSITIVE_INFINITY })
  }

  /** Removes every fault, or those of one service. */
  clear(service?: ServiceName): void {
    for (let index = this.#set.length - 1; index >= 0; index -= 1) {
      if (service === undefined || this.#set[index]?.fault.service === service) this.#set.splice(index, 1)
    }
  }

  /** The faults that may still hit, with what is left of their `count`. */
  list(): readonly Fault[] {
    return this.#set.map(({ fault, left }) => (Number.isFinite(left) ? { ...fault, count: left } : fault))
  }

  /** The faults that hit this request; each hit is counted off. */
  take(service: ServiceName, path: string): readonly Fault[] {
    return this.#take(
      (fault) => fault.service === service && fault.kind !== 'refuse' && path.includes(fault.path ?? ''),
    )
  }

  /** Whether a connection to this service is refused now. A connection has no path, so `path` is not looked at. */
  takeRefusal(service: ServiceName): boolean {
    return this.#take((fault) => fault.service === service && fault.kind === 'refuse').length > 0
  }

  #take(matches: (fault: Fault) => boolean): readonly Fault[] {
    if (this.#set.length === 0) return []
    const hits = this.#set.filter(({ fault }) => matches(fault))
    for (const hit of hits) hit.left -= 1
    for (const hit of hits.filter(({ left }) => left <= 0)) this.#set.splice(this.#set.indexOf(hit), 1)
    return hits.map(({ fault }) => fault)
  }
}
