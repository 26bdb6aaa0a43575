import type { ImageSource, Message, Part, PartOf } from '#contract/ask.ts'
import type { Target } from '#contract/target.ts'
import { unsupportedBy } from '#infer/carry.ts'
import { OPENING, reminder } from '#infer/turns.ts'
import { asRecord, parseJson } from '#kit/json.ts'
import { geminiVersion } from './model.ts'

export interface Content {
  readonly role: 'user' | 'model'
  parts: GeminiPart[]
}

type GeminiPart = Readonly<Record<string, unknown>>

/**
 * What stands for the proof of a call that Gemini did not make itself, as Google documents it for histories of other
 * models: from version 3 on a call of the current turn without a proof is refused.
 */
const NO_PROOF = 'skip_thought_signature_validator'

/** Roles alternate and begin with the user; the results of one turn stand together, in the order of the calls. */
export function contents(messages: readonly Message[], target: Target): Content[] {
  const calls = new CallNames()
  const merged: Content[] = []
  const current = messages.findLastIndex(({ role, parts }) => role === 'user' && parts.some(isShown))
  const wantsProof = geminiVersion(target.model) >= 3
  for (const [at, message] of messages.entries()) {
    const isModel = message.role === 'assistant'
    const parts = isModel ? modelParts(message, calls, wantsProof && at > current) : userParts(message, target, calls)
    const role = isModel ? 'model' : 'user'
    const last = merged.at(-1)
    if (last?.role === role) last.parts.push(...parts)
    else if (parts.length > 0) merged.push({ role, parts })
  }
  if (merged[0]?.role === 'model') merged.unshift({ role: 'user', parts: [{ text: OPENING }] })
  return merged.map((content, at) => inCallOrder(content, merged[at - 1], calls))
}

/** Blank text is refused by the service. */
function isShown(part: Part): boolean {
  return part.type === 'image' || (part.type === 'text' && part.text.trim() !== '')
}

/** The names by the ids of calls, which results do not carry but the service wants. */
class CallNames {
  readonly #byId = new Map<string, string>()
  /** The id behind each part, so that results can be put in order. */
  readonly ids = new WeakMap<GeminiPart, string>()

  called(part: GeminiPart, id: string, name: string): void {
    this.#byId.set(id, name)
    this.ids.set(part, id)
  }

  nameOf(id: string): string {
    return this.#byId.get(id) ?? 'unknown'
  }
}

/** The first call of a step carries the proof for all of them. */
function modelParts({ parts }: Message, calls: CallNames, wantsProof: boolean): GeminiPart[] {
  const shown = parts.filter((part) => part.type === 'text' && part.text.trim() !== '')
  const encoded: GeminiPart[] = [
    ...parts.flatMap((part) => (part.type === 'reasoning' && part.text !== '' ? thought(part) : [])),
    ...shown.map((part) => ({ text: part.type === 'text' ? part.text : '' })),
  ]
  // A proof without a thought came with the text, or behind it.
  for (const part of parts)
    if (part.type === 'reasoning' && part.text === '') proveText(encoded, part, shown.length > 0)
  const called = parts.filter((part) => part.type === 'tool-call')
  return [...encoded, ...called.map((part, at) => callPart(part, calls, wantsProof && at === 0))]
}

/** Only what Gemini signed can be given back to it. */
function thought({ text, signature, family }: PartOf<'reasoning'>): GeminiPart[] {
  return family === 'gemini' && signature !== '' ? [{ text, thought: true, thoughtSignature: signature }] : []
}

function proveText(encoded: GeminiPart[], { signature, family }: PartOf<'reasoning'>, hasText: boolean): void {
  if (family !== 'gemini' || signature === '') return
  const last = hasText ? encoded.pop() : undefined
  encoded.push({ text: '', ...last, thoughtSignature: signature })
}

function callPart(
  { id, name, arguments: text, signature = '' }: PartOf<'tool-call'>,
  calls: CallNames,
  wantsProof: boolean,
): GeminiPart {
  const args = text.trim() === '' ? {} : (asRecord(parseJson(text)) ?? { rawInvalidInput: text })
  const proof = signature === '' && wantsProof ? NO_PROOF : signature
  const part = { functionCall: { name, args }, ...(proof === '' ? {} : { thoughtSignature: proof }) }
  calls.called(part, id, name)
  return part
}

function userParts({ role, parts }: Message, target: Target, calls: CallNames): GeminiPart[] {
  return parts.flatMap((part): GeminiPart[] => {
    if (part.type === 'tool-result') {
      // Always under a name: an object of the tool's own would be read and written again, and numbers suffer by that.
      const response = part.isError ? { error: part.text } : { output: part.text }
      const result = { functionResponse: { name: calls.nameOf(part.id), response } }
      calls.ids.set(result, part.id)
      return [result, ...(part.images ?? []).map((source) => imagePart(source, target))]
    }
    if (!isShown(part)) return []
    if (part.type === 'image') return [imagePart(part.source, target)]
    const text = part.type === 'text' ? part.text : ''
    return [{ text: role === 'system' ? reminder(text) : text }]
  })
}

const IMAGE_TYPES: Readonly<Record<string, string>> = {
  'image/png': 'image/png',
  'image/jpeg': 'image/jpeg',
  'image/jpg': 'image/jpeg',
  'image/webp': 'image/webp',
  'image/heic': 'image/heic',
  'image/heif': 'image/heif',
}

function imagePart(source: ImageSource, target: Target): GeminiPart {
  const isData = source.kind === 'data'
  if (!isData && !source.url.startsWith('gs://'))
    throw unsupportedBy(target.name, 'image_url', 'send the image as a data: URL, or as gs:// from Cloud Storage')
  const said = isData ? source.mediaType : `image/${/\.([a-z]+)$/i.exec(source.url)?.[1]?.toLowerCase() ?? ''}`
  const mimeType = IMAGE_TYPES[said]
  if (mimeType === undefined) throw unsupportedBy(target.name, 'image', 'send it as PNG, JPEG, WebP, HEIC or HEIF')
  return isData ? { inlineData: { mimeType, data: source.base64 } } : { fileData: { mimeType, fileUri: source.url } }
}

/** Results first and in the order of the calls before them: without ids, that is how they are told apart. */
function inCallOrder({ role, parts }: Content, before: Content | undefined, calls: CallNames): Content {
  if (role === 'model') return { role, parts }
  const asked = (before?.parts ?? []).flatMap((part) => calls.ids.get(part) ?? [])
  const rank = (part: GeminiPart) => {
    const id = calls.ids.get(part)
    if (id === undefined) return Number.POSITIVE_INFINITY
    const at = asked.indexOf(id)
    return at === -1 ? asked.length : at
  }
  const ranked = parts.map((part) => ({ part, rank: rank(part) }))
  return { role, parts: ranked.toSorted((a, b) => (a.rank === b.rank ? 0 : a.rank - b.rank)).map(({ part }) => part) }
}
