import type { Vault } from '#contract/screened.ts'

/**
 * Puts originals back into one stream of text that arrives in pieces. Text is held back only while it may still
 * become a placeholder: never more than the longest form of one, nothing at all where no opener stands.
 *
 * Models copy placeholders with small changes, so these forms are known too: other case, blanks inside the
 * brackets, `\<` and `\_` (Markdown), `&lt;` (HTML), `\u003c` (JSON). Numbers that were never issued are left alone.
 */
export class Restorer {
  readonly #vault: Vault
  readonly #escape: (original: string) => string
  #held = ''

  /** `escape` is applied to what is put in: for text inside a JSON string it must be JSON's own escape. */
  constructor(vault: Vault, escape: (original: string) => string = (original) => original) {
    this.#vault = vault
    this.#escape = escape
  }

  /** Characters that are held back. */
  get waiting(): number {
    return this.#held.length
  }

  /** What may go on now. */
  push(text: string): string {
    return this.#run(this.#held === '' ? text : this.#held + text, false)
  }

  /** What was held back, at the end. */
  end(): string {
    const rest = this.#held
    this.#held = ''
    return this.#run(rest, true)
  }

  #run(text: string, final: boolean): string {
    let at = nextOpener(text, 0)
    if (at === -1) {
      this.#held = ''
      return text
    }
    let out = ''
    let from = 0
    while (at !== -1) {
      const match = matchPlaceholder(text, at, this.#vault.types)
      if (match === 'partial' && !final) {
        this.#held = text.slice(at)
        return out + text.slice(from, at)
      }
      const original = typeof match === 'object' ? this.#vault.original(match.placeholder) : undefined
      if (typeof match === 'object' && original !== undefined) {
        out += text.slice(from, at) + this.#escape(original)
        from = match.end
        at = nextOpener(text, from)
      } else at = nextOpener(text, at + 1)
    }
    this.#held = ''
    return out + text.slice(from)
  }
}

/** Escape of a value that is put inside a JSON string. */
export function jsonEscape(original: string): string {
  return JSON.stringify(original).slice(1, -1)
}

const LESS = 60
const AMPERSAND = 38
const BACKSLASH = 92

function nextOpener(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === LESS || code === AMPERSAND || code === BACKSLASH) return at
  }
  return -1
}

type Match = 'no' | 'partial' | { readonly placeholder: string; readonly end: number }

const OPENERS = ['<', '&lt;', '&#60;', '&#x3c;', '\\u003c', '\\\\u003c', '\\<', '\\\\<']
const CLOSERS = ['>', '&gt;', '&#62;', '&#x3e;', '\\u003e', '\\\\u003e', '\\>', '\\\\>']
/** Longest type name and its number; blanks that a model may put inside the brackets. */
const MAX_NAME_CHARS = 48
const MAX_BLANKS = 2

function matchPlaceholder(text: string, start: number, types: ReadonlySet<string>): Match {
  const open = literal(text, start, OPENERS)
  if (typeof open === 'string') return open
  let at = skipBlanks(text, open)
  let name = ''
  while (name.length <= MAX_NAME_CHARS) {
    if (at >= text.length) return couldBecome(name, types) ? 'partial' : 'no'
    const char = text[at] ?? ''
    if (char === '\\' && (text[at + 1] === '_' || at + 1 >= text.length)) {
      if (at + 1 >= text.length) return 'partial'
      at += 1
    } else if (/[A-Za-z0-9_]/.test(char)) {
      name += char.toUpperCase()
      at += 1
    } else break
  }
  const isWhole = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_\d{5}$/.test(name)
  if (!isWhole) return 'no'
  const close = literal(text, skipBlanks(text, at), CLOSERS)
  return typeof close === 'string' ? close : { placeholder: `<${name}>`, end: close }
}

/** Whether more text could make an issued placeholder of this beginning. */
function couldBecome(name: string, types: ReadonlySet<string>): boolean {
  for (const type of types) {
    if (type.startsWith(name)) return true
    if (name.startsWith(`${type}_`)) return true
  }
  return false
}

/** Index after the first of `forms` that stands at `at`; `partial` when the text ends inside one. */
function literal(text: string, at: number, forms: readonly string[]): number | 'no' | 'partial' {
  const rest = text.slice(at, at + 8).toLowerCase()
  for (const form of forms) if (rest.startsWith(form)) return at + form.length
  return rest.length < 8 && forms.some((form) => form.startsWith(rest)) ? 'partial' : 'no'
}

function skipBlanks(text: string, from: number): number {
  let at = from
  while (at - from < MAX_BLANKS && text[at] === ' ') at += 1
  return at
}
