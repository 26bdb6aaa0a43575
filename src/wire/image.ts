import type { ImageSource } from '#contract/ask.ts'
import { text, unsupported, wrong } from './fields.ts'

/** Kinds of images that every vendor's models read. */
const MEDIA_TYPES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp'])
const MAX_URL_CHARS = 8192
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** A `data:` URL, or one that the target is to fetch itself: nothing here fetches what a caller names. */
export function imageFromUrl(value: unknown, path: string): ImageSource {
  const url = text(value, path)
  if (!url.startsWith('data:')) {
    if (!/^(?:https?|gs|s3):\/\//.test(url) || url.length > MAX_URL_CHARS)
      throw wrong(path, `a data: URL, or an http(s) URL of at most ${MAX_URL_CHARS} characters`)
    return { kind: 'url', url }
  }
  const comma = url.indexOf(',')
  const head = url.slice('data:'.length, Math.max(0, comma))
  if (!head.endsWith(';base64')) throw wrong(path, 'a data: URL in Base64, such as `data:image/png;base64,...`')
  return imageFromData(head.slice(0, head.indexOf(';')), url.slice(comma + 1), path)
}

export function imageFromData(mediaType: string, base64: string, path: string): ImageSource {
  const type = mediaType === 'image/jpg' ? 'image/jpeg' : mediaType.toLowerCase()
  if (!MEDIA_TYPES.has(type))
    throw unsupported(path, `\`${path}\` is of type \`${mediaType.slice(0, 40)}\`, send PNG, JPEG, GIF or WebP`)
  if (base64.length % 4 !== 0 || !BASE64.test(base64)) throw wrong(path, 'an image in Base64')
  return { kind: 'data', mediaType: type, base64 }
}
