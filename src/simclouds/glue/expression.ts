import { AwsProblem } from '#simclouds/aws-json.ts'
import type { Column } from './catalogue.ts'

type Row = Readonly<Record<string, string>>
type Test = (row: Row) => boolean
type Literal = string | number

const TOKEN = /\s*(?:('(?:[^']|'')*')|(-?\d+(?:\.\d+)?)|(<=|>=|<>|!=|=|<|>)|([(),])|([A-Za-z_][A-Za-z0-9_]*))/y
const NUMERIC = /^(tinyint|smallint|int|integer|bigint|float|double|decimal.*)$/

/**
 * Reads the expression of GetPartitions: comparisons, BETWEEN, IN and LIKE on partition keys, with AND, OR, NOT and
 * parentheses.
 * @throws {AwsProblem} InvalidInputException for another expression, or a column that is no key.
 */
export function readExpression(text: string, keys: readonly Column[]): Test {
  const parser = new Parser(tokensOf(text), text, keys)
  return parser.read()
}

function tokensOf(text: string): readonly string[] {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  while (text.slice(TOKEN.lastIndex).trim() !== '') {
    const found = TOKEN.exec(text)
    if (found === null) throw unsupported(text)
    tokens.push(found[0].trim())
  }
  return tokens
}

class Parser {
  readonly #tokens: readonly string[]
  readonly #text: string
  readonly #keys: readonly Column[]
  #at = 0

  constructor(tokens: readonly string[], text: string, keys: readonly Column[]) {
    this.#tokens = tokens
    this.#text = text
    this.#keys = keys
  }

  read(): Test {
    const test = this.#or()
    if (this.#at < this.#tokens.length) throw unsupported(this.#text)
    return test
  }

  #or(): Test {
    const left = this.#and()
    if (!this.#take('OR')) return left
    const right = this.#or()
    return (row) => left(row) || right(row)
  }

  #and(): Test {
    const left = this.#not()
    if (!this.#take('AND')) return left
    const right = this.#and()
    return (row) => left(row) && right(row)
  }

  #not(): Test {
    if (this.#take('NOT')) {
      const inner = this.#not()
      return (row) => !inner(row)
    }
    if (!this.#take('(')) return this.#comparison()
    const inner = this.#or()
    this.#need(')')
    return inner
  }

  #comparison(): Test {
    const key = this.#key()
    const isNumeric = NUMERIC.test(key.type)
    const valueOf = (row: Row): Literal => (isNumeric ? Number(row[key.name]) : (row[key.name] ?? ''))
    const literal = (): Literal => (isNumeric ? this.#number() : this.#string())
    if (this.#take('NOT')) {
      const inner = this.#rest(valueOf, literal)
      return (row) => !inner(row)
    }
    return this.#rest(valueOf, literal)
  }

  #rest(valueOf: (row: Row) => Literal, literal: () => Literal): Test {
    if (this.#take('IN')) return this.#in(valueOf, literal)
    if (this.#take('LIKE')) return like(valueOf, this.#string())
    if (this.#take('BETWEEN')) {
      const low = literal()
      this.#need('AND')
      const high = literal()
      return (row) => valueOf(row) >= low && valueOf(row) <= high
    }
    const compare = COMPARISONS[this.#tokens[this.#at] ?? '']
    if (compare === undefined) throw unsupported(this.#text)
    this.#at += 1
    const right = literal()
    return (row) => compare(valueOf(row), right)
  }

  #in(valueOf: (row: Row) => Literal, literal: () => Literal): Test {
    this.#need('(')
    const allowed = [literal()]
    while (this.#take(',')) allowed.push(literal())
    this.#need(')')
    return (row) => allowed.includes(valueOf(row))
  }

  #key(): Column {
    const name = (this.#tokens[this.#at] ?? '').toLowerCase()
    const key = this.#keys.find((each) => each.name === name)
    if (key === undefined) throw unsupported(this.#text)
    this.#at += 1
    return key
  }

  #string(): string {
    const token = this.#tokens[this.#at] ?? ''
    if (!token.startsWith("'")) throw unsupported(this.#text)
    this.#at += 1
    return token.slice(1, -1).replaceAll("''", "'")
  }

  /** Numbers may stand in quotes. */
  #number(): number {
    const token = (this.#tokens[this.#at] ?? '').replaceAll("'", '')
    if (token === '' || Number.isNaN(Number(token))) throw unsupported(this.#text)
    this.#at += 1
    return Number(token)
  }

  #take(word: string): boolean {
    const isNext = (this.#tokens[this.#at] ?? '').toUpperCase() === word
    if (isNext) this.#at += 1
    return isNext
  }

  #need(word: string): void {
    if (!this.#take(word)) throw unsupported(this.#text)
  }
}

const COMPARISONS: Readonly<Record<string, (left: Literal, right: Literal) => boolean>> = {
  '=': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<>': (left, right) => left !== right,
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
}

function like(valueOf: (row: Row) => Literal, pattern: string): Test {
  const source = pattern
    .replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('%', '.*')
    .replaceAll('_', '.')
  const regex = new RegExp(`^${source}$`, 's')
  return (row) => regex.test(String(valueOf(row)))
}

function unsupported(text: string): AwsProblem {
  return new AwsProblem('InvalidInputException', `Unsupported expression '${text}'`)
}
