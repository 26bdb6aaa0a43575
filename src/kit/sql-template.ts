/** A value of a parameter; a list stands for the values of an `IN`. */
export type ParamValue = string | number | boolean | readonly string[]
export type ParamValues = Readonly<Record<string, ParamValue>>

/** SQL with the places of its parameters. */
export interface SqlTemplate {
  /** Text, parameter, text, parameter, …, text. */
  readonly parts: readonly { readonly text: string; readonly param: string | undefined }[]
  /** Parameters that it names, each once. */
  readonly params: readonly string[]
}

/** What a statement that only reads never says outside quotes. */
const FORBIDDEN = new Set(
  'alter analyze attach begin call checkpoint comment commit copy create deallocate delete detach drop execute export grant import insert install load merge msck optimize pragma prepare refresh rename reset revoke rollback set truncate unload update use vacuum'.split(
    ' ',
  ),
)

/** A quoted text or name, a comment, a cast, a parameter, a word, or any other character. */
const TOKEN =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|::|:[a-z][a-z0-9_]*|[A-Za-z_][A-Za-z0-9_$]*|[\s\S]/g

/**
 * Reads a statement and finds its parameters; quotes and comments are left as they are.
 *
 * @throws {SqlError} when it is not one statement that only reads.
 */
export function parseSql(sql: string): SqlTemplate {
  const parts: { text: string; param: string | undefined }[] = []
  let text = ''
  let first = ''
  let hasEnded = false
  for (const [token] of sql.matchAll(TOKEN)) {
    const isSpace = token.trim() === '' || token.startsWith('--') || token.startsWith('/*')
    if (hasEnded && !isSpace) throw new SqlError('it must be one statement, without anything behind `;`')
    if (token === ';') {
      hasEnded = true
      continue
    }
    if (token === "'" || token === '"') throw new SqlError('a quote in it is not closed')
    if (token === '?') throw new SqlError('write `:name` for a parameter instead of `?`')
    if (/^:[a-z]/.test(token)) {
      parts.push({ text, param: token.slice(1) })
      text = ''
      continue
    }
    if (/^[A-Za-z_]/.test(token)) {
      const word = token.toLowerCase()
      if (first === '') first = word
      if (FORBIDDEN.has(word))
        throw new SqlError(`it must only read, and it says \`${word}\`: quote it if it is a name`)
    }
    text += token.startsWith('--') || token.startsWith('/*') ? ' ' : token
  }
  if (first !== 'select' && first !== 'with') throw new SqlError('it must begin with SELECT or WITH')
  parts.push({ text, param: undefined })
  const params = [...new Set(parts.flatMap(({ param }) => param ?? []))]
  return { parts, params }
}

/** The statement can not be a query of the configuration. */
export class SqlError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SqlError'
  }
}

/** A statement with placeholders, and their values in order. */
export interface RenderedSql {
  readonly text: string
  readonly values: readonly { readonly param: string; readonly value: string | number | boolean }[]
}

/**
 * Puts a placeholder where each value goes; a list becomes as many as it has values, and one that is NULL when it is
 * empty, so that `IN` finds nothing.
 *
 * @param placeholder what stands for a value, by its parameter and its position from 1.
 */
export function renderSql(
  { parts }: SqlTemplate,
  values: ParamValues,
  placeholder: (param: string, position: number) => string,
): RenderedSql {
  const bound: { param: string; value: string | number | boolean }[] = []
  let text = ''
  for (const part of parts) {
    text += part.text
    const { param } = part
    if (param === undefined) continue
    const list = listOf(values[param])
    const marks = list.map((value) => {
      bound.push({ param, value })
      return placeholder(param, bound.length)
    })
    text += marks.length === 0 ? 'NULL' : marks.join(', ')
  }
  return { text, values: bound }
}

function listOf(value: ParamValue | undefined): readonly (string | number | boolean)[] {
  if (value === undefined) throw new TypeError('a parameter of the query has no value')
  return typeof value === 'object' ? value : [value]
}
