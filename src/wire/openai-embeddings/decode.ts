import type { Ask, Message } from '#contract/ask.ts'
import { modelName, optionalNumber, optionalText, parseBody, restOf, text, unsupported, wrong } from '#wire/fields.ts'
import { thinplaneField } from '#wire/ground-field.ts'

/** OpenAI's own bound. */
const MAX_TEXTS = 2048

const KNOWN = new Set(['model', 'input', 'encoding_format', 'dimensions', 'thinplane'])

/** OpenAI's `POST /v1/embeddings`: each text is a message, and screened like one. */
export function decode(body: string): Ask {
  const request = parseBody(body)
  const own = thinplaneField(request['thinplane'])
  if (own.ground !== undefined) throw unsupported('thinplane.ground', 'embeddings are not grounded, leave it out')
  const format = optionalText(request['encoding_format'], 'encoding_format') ?? 'float'
  if (format !== 'float' && format !== 'base64') throw wrong('encoding_format', '`float` or `base64`')
  const dimensions = optionalNumber(request['dimensions'], 'dimensions', { min: 1, max: 65_536, whole: true })
  return {
    dialect: 'openai-embeddings',
    operation: 'embed',
    alias: modelName(request['model']),
    stream: false,
    messages: decodeInput(request['input']),
    tools: [],
    toolChoice: undefined,
    sampling: {},
    ...(dimensions === undefined ? {} : { dimensions }),
    vectorFormat: format,
    includeUsage: true,
    ground: undefined,
    conversation: own.conversation,
    purpose: own.purpose,
    rest: restOf(request, KNOWN),
  }
}

function decodeInput(value: unknown): Message[] {
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (texts.length === 0 || texts.length > MAX_TEXTS) throw wrong('input', `text, or a list of 1 to ${MAX_TEXTS} texts`)
  return texts.map((item, at) => {
    const path = Array.isArray(value) ? `input[${at}]` : 'input'
    if (typeof item === 'number' || Array.isArray(item))
      throw unsupported(path, 'tokens can not be screened, send the text itself')
    const given = text(item, path)
    if (given === '') throw wrong(path, 'text that is not empty')
    return { role: 'user', parts: [{ type: 'text', text: given }] }
  })
}
