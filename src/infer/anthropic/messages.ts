import type { ImageSource, Message, Part, PartOf } from '#contract/ask.ts'
import type { Target } from '#contract/target.ts'
import { unsupportedBy } from '#infer/carry.ts'
import { isClaudeProof } from '#infer/claude.ts'
import { ToolIds } from '#infer/tool-ids.ts'
import { OPENING, reminder } from '#infer/turns.ts'
import { asRecord, parseJson } from '#kit/json.ts'
import { type Marked, mark } from './cache-marks.ts'

export interface Turn {
  readonly role: 'user' | 'assistant'
  content: Block[]
}

export interface Block extends Marked {
  readonly type: string
}

/** What the encoding of blocks depends on. */
export interface Manner {
  readonly target: Target
  /** The caller speaks this format too: unknown fields go on. */
  readonly isOwn: boolean
  readonly imageUrls: boolean
}

/** Ids of calls that the service takes. */
const TOOL_ID = /^[a-zA-Z0-9_-]+$/

/** Roles have to alternate and begin with the user; results of one turn stand together, before everything else. */
export function turns(messages: readonly Message[], manner: Manner): Turn[] {
  const ids = new ToolIds(TOOL_ID)
  const merged: Turn[] = []
  for (const message of messages) {
    const role = message.role === 'assistant' ? 'assistant' : 'user'
    const content = ordered(message).flatMap((part) => block(part, message, manner, ids))
    const last = merged.at(-1)
    if (last?.role === role) last.content.push(...content)
    else if (content.length > 0) merged.push({ ...(manner.isOwn ? message.rest : {}), role, content })
  }
  for (const turn of merged) if (turn.role === 'user') turn.content = resultsFirst(turn.content)
  if (merged[0]?.role === 'assistant') merged.unshift({ role: 'user', content: [textBlock(OPENING)] })
  trimPrefill(merged.at(-1))
  return merged
}

/** Thoughts stay where the model had them; a history that does not begin with them has them moved to the front. */
function ordered({ parts }: Message): readonly Part[] {
  const [first] = parts
  if (first?.type === 'reasoning') return parts
  const rank = ({ type }: Part) => (type === 'reasoning' ? 0 : type === 'tool-call' ? 2 : 1)
  return parts.toSorted((a, b) => rank(a) - rank(b))
}

function block(part: Part, { role }: Message, { target, isOwn, imageUrls }: Manner, ids: ToolIds): Block[] {
  const own = isOwn ? (part.rest ?? {}) : {}
  switch (part.type) {
    case 'text': {
      // Blank text is refused by the service.
      if (part.text.trim() === '') return []
      const text = role === 'system' ? reminder(part.text) : part.text
      return [mark({ ...own, ...textBlock(text) }, part.cache)]
    }
    case 'image':
      return [mark({ ...own, ...imageBlock(part.source, target, imageUrls) }, part.cache)]
    case 'reasoning':
      return thought(part)
    case 'tool-call': {
      const { name, arguments: text } = part
      return [mark({ ...own, type: 'tool_use', id: ids.forCall(part.id), name, input: inputOf(text) }, part.cache)]
    }
    case 'tool-result': {
      const images = (part.images ?? []).map((source) => imageBlock(source, target, imageUrls))
      const content = [...(part.text.trim() === '' ? [] : [textBlock(part.text)]), ...images]
      const result = {
        ...own,
        type: 'tool_result',
        tool_use_id: ids.forResult(part.id),
        ...(content.length === 0 ? {} : { content }),
        ...(part.isError ? { is_error: true } : {}),
      }
      return [mark(result, part.cache)]
    }
  }
}

function textBlock(text: string): { type: 'text'; text: string } {
  return { type: 'text', text }
}

/** As it was given, to the byte: the proof covers it. */
function thought(part: PartOf<'reasoning'>): Block[] {
  if (!isClaudeProof(part)) return []
  if (part.data !== '') return [{ type: 'redacted_thinking', data: part.data } as Block]
  return [{ type: 'thinking', thinking: part.text, signature: part.signature } as Block]
}

const IMAGE_TYPES: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp'])

function imageBlock(source: ImageSource, target: Target, urls: boolean): { type: 'image'; source: object } {
  if (source.kind === 'url') {
    if (!urls) throw unsupportedBy(target.name, 'image_url', 'send the image as a data: URL')
    return { type: 'image', source: { type: 'url', url: source.url } }
  }
  const mediaType = source.mediaType === 'image/jpg' ? 'image/jpeg' : source.mediaType
  if (!IMAGE_TYPES.has(mediaType)) throw unsupportedBy(target.name, 'image', 'send it as PNG, JPEG, GIF or WebP')
  return { type: 'image', source: { type: 'base64', media_type: mediaType, data: source.base64 } }
}

/** `input` has to be an object; arguments that are none are carried as they are, under a name that says so. */
function inputOf(text: string): object {
  return text.trim() === '' ? {} : (asRecord(parseJson(text)) ?? { rawInvalidInput: text })
}

function resultsFirst(content: readonly Block[]): Block[] {
  const isResult = ({ type }: Block) => type === 'tool_result'
  return [...content.filter(isResult), ...content.filter((one) => !isResult(one))]
}

/** The beginning of an answer that the caller puts into the model's mouth may not end in white space. */
function trimPrefill(last: Turn | undefined): void {
  const end = last?.role === 'assistant' ? last.content.at(-1) : undefined
  if (last === undefined || end?.type !== 'text') return
  const { text } = end as Block & { readonly text: string }
  last.content[last.content.length - 1] = { ...end, text: text.trimEnd() } as Block
}
