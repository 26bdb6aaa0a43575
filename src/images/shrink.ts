import type { Ask, ImageSource, Message, Part } from '#contract/ask.ts'
import type { ImageTally } from '#contract/entry.ts'
import { Refusal } from '#contract/refusal.ts'

/** How large an image may leave. */
export interface ImageLimits {
  /** Pixels of the longer side. */
  readonly maxEdge: number
  /** Bytes of the image itself; in Base64 it is a third more. */
  readonly maxBytes: number
  /** Images in one request. */
  readonly maxCount: number
}

/** Pixels beyond which nothing is unpacked: a small file can hold a huge image. */
const MAX_PIXELS = 60_000_000
/** Of the formats that lose; text on screens stays readable. */
const QUALITY = 85
/** How much smaller each further try is, while the bytes are still too many. */
const SMALLER = 0.75
const MAX_TRIES = 4

/** Whether the request holds images: most do not. */
export function hasImages({ messages }: Ask): boolean {
  return messages.some(({ parts }) => parts.some(isPictured))
}

function isPictured(part: Part): boolean {
  return part.type === 'image' || (part.type === 'tool-result' && part.images !== undefined)
}

/**
 * The request with images that are within the limits: those that were stay as they are, byte for byte; larger ones are
 * made smaller, as models would do with them anyway.
 * @throws {Refusal} WIRE_MALFORMED for what is no image, WIRE_TOO_LARGE with the size that it may have.
 */
export async function shrink(
  limits: ImageLimits,
  ask: Ask,
): Promise<{ readonly ask: Ask; readonly images: ImageTally }> {
  const tally: Tally = { bytesIn: 0, bytesOut: 0, count: 0, shrunk: 0 }
  const messages: Message[] = []
  for (const [at, message] of ask.messages.entries()) {
    if (!message.parts.some(isPictured)) {
      messages.push(message)
      continue
    }
    const parts: Part[] = []
    for (const part of message.parts) parts.push(await shrunkPart(limits, part, `messages[${at}]`, tally))
    messages.push({ ...message, parts })
  }
  return { ask: { ...ask, messages }, images: tally }
}

type Tally = { -readonly [Key in keyof ImageTally]: ImageTally[Key] }

async function shrunkPart(limits: ImageLimits, part: Part, path: string, tally: Tally): Promise<Part> {
  if (part.type === 'image') return { ...part, source: await shrunkSource(limits, part.source, path, tally) }
  if (part.type !== 'tool-result' || part.images === undefined) return part
  const images: ImageSource[] = []
  for (const source of part.images) images.push(await shrunkSource(limits, source, path, tally))
  return { ...part, images }
}

async function shrunkSource(
  limits: ImageLimits,
  source: ImageSource,
  path: string,
  tally: Tally,
): Promise<ImageSource> {
  tally.count += 1
  if (tally.count > limits.maxCount)
    throw new Refusal('WIRE_TOO_LARGE', `a request may hold ${limits.maxCount} images, send fewer`, { param: path })
  if (source.kind === 'url') return source
  const bytes = Buffer.from(source.base64, 'base64')
  const small = await shrunk(limits, bytes, source.mediaType, path)
  tally.bytesIn += bytes.length
  tally.bytesOut += small?.bytes.length ?? bytes.length
  if (small === undefined) return source
  tally.shrunk += 1
  return { kind: 'data', mediaType: small.mediaType, base64: small.bytes.toString('base64') }
}

interface Small {
  readonly bytes: Buffer
  readonly mediaType: string
}

/** Undefined: within the limits already. The codec is loaded with the first image. */
async function shrunk(limits: ImageLimits, bytes: Buffer, mediaType: string, path: string): Promise<Small | undefined> {
  const { default: sharp } = await import('sharp')
  const open = () => sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error' })
  const unreadable = (cause: unknown) =>
    new Refusal('WIRE_MALFORMED', `\`${path}\` holds an image that can not be read as ${mediaType}`, {
      param: path,
      cause,
    })
  const {
    width,
    height,
    format,
    pages = 1,
  } = await open()
    .metadata()
    .catch((error: unknown) => {
      throw unreadable(error)
    })
  if (`image/${format}` !== mediaType) throw unreadable(undefined)
  const edge = Math.max(width, height)
  if (edge <= limits.maxEdge && bytes.length <= limits.maxBytes) return undefined
  const size = `${width} x ${height} pixels and ${bytes.length} bytes`
  const may = `it may have ${limits.maxEdge} pixels a side and ${limits.maxBytes} bytes`
  if (pages > 1) throw new Refusal('WIRE_TOO_LARGE', `\`${path}\`: an animation of ${size}, ${may}`, { param: path })
  let side = Math.min(edge, limits.maxEdge)
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const smaller = open().rotate().resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
    const encoded = mediaType === 'image/jpeg' ? smaller.jpeg({ quality: QUALITY }) : smaller.webp({ quality: QUALITY })
    const made = await encoded.toBuffer().catch((error: unknown) => {
      throw unreadable(error)
    })
    if (made.length <= limits.maxBytes)
      return { bytes: made, mediaType: mediaType === 'image/jpeg' ? mediaType : 'image/webp' }
    side = Math.floor(side * SMALLER)
  }
  throw new Refusal('WIRE_TOO_LARGE', `\`${path}\`: an image of ${size}, ${may}`, { param: path })
}
