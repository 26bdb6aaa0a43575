/** Why a query can not be run as it is; the text is the reason of its failure. */
export class QueryFailure extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'QueryFailure'
  }
}

/** A string, a quoted name, a comment, or the place of a parameter. */
const PIECE = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\?/g
/** What a parameter may be: a literal, as Athena puts it into the statement. Text has quotes of its own. */
const LITERAL =
  /^\s*(?:[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|'(?:[^']|'')*'|(?:DATE|TIMESTAMP|DECIMAL|TIME)\s+'(?:[^']|'')*'|TRUE|FALSE|NULL)\s*$/i

/**
 * Puts parameters where the question marks are, those in strings and comments left as they are.
 * @throws {QueryFailure} when there are too many or too few, or one is no literal.
 */
export function withParameters(sql: string, parameters: readonly string[]): string {
  let used = 0
  const text = sql.replaceAll(PIECE, (piece) => {
    if (piece !== '?') return piece
    const value = parameters[used]
    used += 1
    return value === undefined ? '?' : checked(value)
  })
  if (used === parameters.length) return text
  throw new QueryFailure(
    `INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters: expected ${used} but found ${parameters.length}`,
  )
}

function checked(value: string): string {
  if (LITERAL.test(value)) return value
  // A bare word is the usual mistake: text without its quotes.
  if (/^\w+$/.test(value))
    throw new QueryFailure(
      `COLUMN_NOT_FOUND: line 1:1: Column '${value}' cannot be resolved or requester is not authorized to access requested resources`,
    )
  throw new QueryFailure(`SYNTAX_ERROR: line 1:1: mismatched input '${value}'. Expecting: <literal>`)
}
