import { z } from 'zod'
import type { Judgement } from './measures.ts'

/** One query of an evaluation set. */
export interface JudgedQuery {
  /** Line of the file, from 1. */
  readonly line: number
  readonly query: string
  /** Empty: nothing in the collection answers it, and nothing should be found. */
  readonly relevant: readonly Judgement[]
  /** What sort of query it is, such as `typo`: figures are given for each. Default empty. */
  readonly kind: string
}

/** The file can not be used; `problems` holds a sentence for each line that is wrong. */
export class JudgementsError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'JudgementsError'
    this.problems = problems
  }
}

const MAX_QUERY_CHARS = 2000
/** A wrong file is wrong on every line: the first few say it. */
const MAX_PROBLEMS = 20

const name = z.string().min(1)
const Line = z.strictObject({
  query: z.string().trim().min(1).max(MAX_QUERY_CHARS),
  relevant: z.array(
    z.strictObject({
      document: z.union([name, z.array(name).min(1)]),
      contains: z.string().trim().min(1).optional(),
      grade: z.union([z.literal(1), z.literal(2), z.literal(3)]).default(3),
    }),
  ),
  kind: z.string().default(''),
})

const FORM =
  'write `{"query": "…", "relevant": [{"document": "path", "contains": "phrase", "grade": 1 to 3}]}`, with `[]` when nothing answers it'

/**
 * Reads an evaluation set: JSON Lines, a query each. `document` is a path inside the collection, or a list of paths when
 * a passage of any will do; `contains` a phrase that the passage holds (default: any passage); `grade` 3 (default) when
 * it answers the query, 2 for a part, 1 for the subject. Blank lines are left out.
 *
 * @throws {JudgementsError} for lines that are wrong, all at once, and when there is no query at all.
 */
export function parseJudgements(text: string): JudgedQuery[] {
  const problems: string[] = []
  const seen = new Map<string, number>()
  const queries: JudgedQuery[] = []
  for (const [at, source] of text.split('\n').entries()) {
    if (source.trim() === '') continue
    const line = at + 1
    const parsed = parseLine(source)
    if (typeof parsed === 'string') {
      problems.push(`line ${line} ${parsed}`)
      continue
    }
    const former = seen.get(parsed.query)
    if (former !== undefined) problems.push(`line ${line} asks what line ${former} asks, keep one of them`)
    seen.set(parsed.query, line)
    queries.push({ ...parsed, line })
  }
  if (problems.length > MAX_PROBLEMS) {
    throw new JudgementsError([
      ...problems.slice(0, MAX_PROBLEMS),
      `and ${problems.length - MAX_PROBLEMS} more lines are wrong`,
    ])
  }
  if (problems.length > 0) throw new JudgementsError(problems)
  if (queries.length === 0) throw new JudgementsError([`the file holds no query, ${FORM}`])
  return queries
}

/** The query, or what is wrong with the line and how to mend it. */
function parseLine(source: string): Omit<JudgedQuery, 'line'> | string {
  let value: unknown
  try {
    value = JSON.parse(source)
  } catch {
    return `is not JSON, ${FORM}`
  }
  const parsed = Line.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const path = issue === undefined || issue.path.length === 0 ? 'the line' : `\`${issue.path.join('.')}\``
    return `is not understood at ${path}, ${FORM}`
  }
  const { query, kind, relevant } = parsed.data
  const judgements = relevant.map(({ document, ...rest }) => ({
    ...rest,
    documents: typeof document === 'string' ? [document] : document,
  }))
  return { query, kind, relevant: judgements }
}
