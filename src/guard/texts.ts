import type { Ask, Message, Part, PartOf, Tool } from '#contract/ask.ts'

/** What is done to texts: `one` to a text that stands alone, `adjacent` to those that a model reads as one. */
export interface Treatment {
  readonly one: (text: string) => string
  readonly adjacent: (texts: readonly string[]) => readonly string[]
}

/**
 * The request with every text treated that a model can see: messages, tool calls and results, tool definitions, stop
 * sequences, and the fields that pass through unread. `told` is for what an application tells the model.
 */
export function treated(ask: Ask, treatment: Treatment, told: Treatment = treatment): Ask {
  const { stop } = ask.sampling
  // System messages first, wherever they stand: what was seen there first is decided there.
  const first = new Map<Message, Message>()
  for (const message of ask.messages) if (message.role === 'system') first.set(message, treatedMessage(message, told))
  return {
    ...ask,
    messages: ask.messages.map((message) => first.get(message) ?? treatedMessage(message, treatment)),
    tools: ask.tools.map((tool) => treatedTool(tool, treatment)),
    sampling: stop === undefined ? ask.sampling : { ...ask.sampling, stop: stop.map((text) => treatment.one(text)) },
    ...(ask.format?.type === 'schema'
      ? { format: { ...ask.format, schema: treatedRecord(ask.format.schema, treatment) } }
      : {}),
    rest: treatedRecord(ask.rest, treatment),
  }
}

function treatedMessage({ role, parts, rest }: Message, treatment: Treatment): Message {
  const clean =
    isOnlyText(parts) && parts.length > 1
      ? treatedTexts(parts, treatment)
      : parts.map((part) => treatedPart(part, treatment))
  return rest === undefined ? { role, parts: clean } : { role, parts: clean, rest: treatedRecord(rest, treatment) }
}

type TextPart = PartOf<'text'>

function isOnlyText(parts: readonly Part[]): parts is readonly TextPart[] {
  return parts.every(({ type }) => type === 'text')
}

function treatedTexts(parts: readonly TextPart[], treatment: Treatment): Part[] {
  const texts = treatment.adjacent(parts.map(({ text }) => text))
  return parts.map((part, at) => withRest({ ...part, text: texts[at] ?? '' }, treatment))
}

function treatedPart(part: Part, treatment: Treatment): Part {
  return withRest(withText(part, treatment.one), treatment)
}

/**
 * The part with its text treated. A thought whose text changes loses its vendor's proof, which would not fit any more;
 * sealed thoughts are the vendor's own words and can not be read here.
 */
export function withText(part: Part, one: (text: string) => string): Part {
  switch (part.type) {
    case 'text':
    case 'tool-result':
      return { ...part, text: one(part.text) }
    case 'tool-call':
      return { ...part, arguments: one(part.arguments) }
    case 'reasoning': {
      const text = one(part.text)
      return text === part.text ? part : { ...part, text, signature: '', family: '' }
    }
    case 'image':
      return part.source.kind === 'url' ? { ...part, source: { kind: 'url', url: one(part.source.url) } } : part
  }
}

function withRest(part: Part, treatment: Treatment): Part {
  return part.rest === undefined ? part : { ...part, rest: treatedRecord(part.rest, treatment) }
}

function treatedTool(tool: Tool, treatment: Treatment): Tool {
  const { rest } = tool
  const description = tool.description === undefined ? undefined : treatment.one(tool.description)
  const parameters = treatedRecord(tool.parameters, treatment)
  return rest === undefined
    ? { ...tool, description, parameters }
    : { ...tool, description, parameters, rest: treatedRecord(rest, treatment) }
}

function treatedRecord(record: Readonly<Record<string, unknown>>, treatment: Treatment): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(record))
    if (key !== '__proto__') copy[treatment.one(key)] = treatedValue(record[key], treatment)
  return copy
}

function treatedValue(value: unknown, treatment: Treatment): unknown {
  if (typeof value === 'string') return treatment.one(value)
  if (Array.isArray(value)) return value.map((item) => treatedValue(item, treatment))
  if (typeof value === 'object' && value !== null) return treatedRecord(value as Record<string, unknown>, treatment)
  return value
}
