import type { Finding } from '#contract/screened.ts'

/** Characters before new text that are looked at again: words that say what follows, such as `password:`. */
const CONTEXT_CHARS = 64
/** The longest candidate that is waited for: an address has 254 characters; a key in many lines is let go in pieces. */
const MAX_HELD_CHARS = 512
/** Words that may belong to one candidate: a card number in groups, a telephone number with blanks. */
const MAX_HELD_WORDS = 8

/**
 * One stream of text that arrives in pieces, with findings treated before they go on. Text is held back from the first
 * character of what may still become a finding, up to the next blank that shows that it did not.
 */
export class OutputScreen {
  readonly #scan: (text: string) => readonly Finding[]
  readonly #treat: (finding: Finding) => string | undefined
  #held = ''
  #replaced = false
  /** The end of what went on, as it was. */
  #context = ''

  /** `treat` gives what stands in place of a finding, or undefined when it stays; it may throw. */
  constructor(scan: (text: string) => readonly Finding[], treat: (finding: Finding) => string | undefined) {
    this.#scan = scan
    this.#treat = treat
  }

  /** Whether text is held back. */
  get isHolding(): boolean {
    return this.#held !== ''
  }

  /** Whether something was taken out of what went on since nothing was held. */
  get hasReplaced(): boolean {
    return this.#replaced
  }

  /** What may go on now. */
  push(text: string): string {
    if (this.#held === '') this.#replaced = false
    const pending = this.#held + text
    const lead = this.#context.slice(lastBlank(this.#context, this.#context.length) + 1)
    if (this.#held === '' && !TELLING.test(lead + text)) {
      // Most pieces are words: nothing in them can be, or begin, what is looked for.
      this.#remember(text)
      return text
    }
    const cut = pending.length > MAX_HELD_CHARS ? pending.length : openFrom(pending, lead)
    this.#held = pending.slice(cut)
    return this.#release(pending.slice(0, cut))
  }

  /** What was held back, at the end. */
  end(): string {
    const rest = this.#held
    this.#held = ''
    return this.#release(rest)
  }

  #release(text: string): string {
    if (text === '') return ''
    const before = this.#context.length
    let out = ''
    let from = 0
    for (const finding of this.#scan(this.#context + text)) {
      // What began in text that is gone can be cut off here, and no earlier.
      const start = Math.max(from, finding.start - before)
      const end = finding.end - before
      if (end <= start) continue
      const replacement = this.#treat(finding)
      if (replacement === undefined) continue
      this.#replaced = true
      out += text.slice(from, start) + replacement
      from = end
    }
    this.#remember(text)
    return from === 0 ? text : out + text.slice(from)
  }

  #remember(text: string): void {
    this.#context = (this.#context + text).slice(-CONTEXT_CHARS)
  }
}

/** Characters that a word of prose does not have and a candidate does: digits, `@`, and what joins parts of a key. */
const TELLING = /[\d@_=+/\\:-]|[A-Z]{3}|\w\.\w|[!-~]{16}/

/** Punctuation between the groups of one number. */
const JOINT = /^[().+/-]{1,3}$/

/**
 * Where the words at the end begin that may still become a finding; the length of the text when none may. `lead` is
 * what of the first word has gone on already.
 */
function openFrom(text: string, lead: string): number {
  let open = text.length
  let end = text.length
  for (let words = 0; words < MAX_HELD_WORDS; words += 1) {
    const start = lastBlank(text, end) + 1
    const word = (start === 0 ? lead : '') + text.slice(start, end)
    if (TELLING.test(word)) {
      // A whole word without a digit does not go on in the next one.
      if (words > 0 && !/\d/.test(word)) break
      open = start
    } else if (word !== '' && !JOINT.test(word)) break
    end = trimmed(text, start)
    if (end === 0) break
  }
  return open
}

function lastBlank(text: string, before: number): number {
  for (let at = before - 1; at >= 0; at -= 1) if (isBreak(text.charCodeAt(at))) return at
  return -1
}

/** Index behind the word that ends before the blanks at `at`. */
function trimmed(text: string, at: number): number {
  let end = at
  while (end > 0 && isBreak(text.charCodeAt(end - 1))) end -= 1
  return end
}

/** Blanks, and letters beyond ASCII: in scripts without blanks everything would be one word. */
function isBreak(code: number): boolean {
  return code === 32 || code > 126 || (code >= 9 && code <= 13)
}
