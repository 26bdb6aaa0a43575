import { REFUSALS, type RefusalCode } from '#contract/refusal.ts'
import { ERROR_TYPES as ANTHROPIC_TYPES } from '#wire/anthropic/error.ts'
import { ERROR_TYPES as OPENAI_TYPES } from '#wire/openai/error.ts'
import { code, pageHead, table } from './generate-markdown.ts'

/** Every error that a caller can be given. */
export function refusalsPage(): string {
  const codes = Object.keys(REFUSALS) as RefusalCode[]
  const lead = [
    'Every expected error has one of these codes. The body is that of the dialect that was called, with the code in `code`, the request field at fault in `param`, and a message that says what to change. Anything else that goes wrong is a fault of the control plane and comes as `INTERNAL`.',
    'Falls over: whether the next target of the alias is tried, as long as no content has been sent. After the first content an error ends the stream without the event that says "done", so that a cut answer can not be taken for a whole one. `Retry-After` is set where a later try makes sense.',
  ].join('\n\n')
  const rows = codes.map((name) => {
    const { status, fallOver, level, fix } = REFUSALS[name]
    return [
      code(name),
      String(status),
      code(OPENAI_TYPES[name]),
      code(ANTHROPIC_TYPES[name]),
      fallOver ? 'yes' : 'no',
      level,
      fix,
    ]
  })
  const heads = ['Code', 'Status', 'OpenAI `type`', 'Anthropic `type`', 'Falls over', 'Logged as', 'What to change']
  return `${pageHead('Refusals', 'src/contract/refusal.ts', lead)}\n${table(heads, rows)}`
}
