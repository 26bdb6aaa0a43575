import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import type { Part, PartOf } from '#contract/ask.ts'
import { testAsk } from '#contract/test-ask.ts'
import { hasImages, shrink } from './shrink.ts'

const LIMITS = { maxEdge: 200, maxBytes: 40_000, maxCount: 3 }

/** Colours that no format packs well. */
async function noise(width: number, height: number, format: 'png' | 'jpeg' | 'webp' | 'gif'): Promise<string> {
  const raw = Buffer.alloc(width * height * 3)
  for (let at = 0; at < raw.length; at += 1) raw[at] = (at * 7919 + ((at * at) % 251)) % 256
  const made = sharp(raw, { raw: { width, height, channels: 3 } }).toFormat(format)
  return (await made.toBuffer()).toString('base64')
}

function image(base64: string, mediaType = 'image/png'): PartOf<'image'> {
  return { type: 'image', source: { kind: 'data', mediaType, base64 } }
}

async function shrunk(...parts: readonly Part[]) {
  const { ask, images } = await shrink(LIMITS, testAsk({ messages: [{ role: 'user', parts }] }))
  return { parts: ask.messages[0]?.parts ?? [], images }
}

test('an image within the limits stays as it is, byte for byte', async () => {
  const small = image(await noise(20, 10, 'png'))
  const { parts, images } = await shrunk({ type: 'text', text: 'a' }, small)
  assert.deepEqual(parts[1], small)
  assert.deepEqual([images.count, images.shrunk, images.bytesIn], [1, 0, images.bytesOut])
})

test('a larger one is made smaller, keeps its proportions, and what that saved is counted', async () => {
  for (const [format, expected] of [
    ['png', 'image/webp'],
    ['jpeg', 'image/jpeg'],
    ['webp', 'image/webp'],
  ] as const) {
    const { parts, images } = await shrunk(image(await noise(800, 400, format), `image/${format}`))
    const [part] = parts
    assert.ok(part?.type === 'image' && part.source.kind === 'data')
    assert.equal(part.source.mediaType, expected)
    const bytes = Buffer.from(part.source.base64, 'base64')
    const { width, height } = await sharp(bytes).metadata()
    assert.ok(width <= 200 && Math.abs(width / height - 2) < 0.05, `${width} x ${height}`)
    assert.ok(bytes.length <= LIMITS.maxBytes)
    assert.deepEqual([images.shrunk, images.bytesOut], [1, bytes.length])
    assert.ok(images.bytesIn > images.bytesOut)
  }
})

test('images of a tool’s result are made smaller too', async () => {
  const source = image(await noise(800, 400, 'png')).source
  const { parts } = await shrunk({ type: 'tool-result', id: 'c', text: 'x', isError: false, images: [source] })
  const [part] = parts
  assert.ok(part?.type === 'tool-result' && part.images?.[0]?.kind === 'data')
  assert.ok(part.images[0].base64.length < (source.kind === 'data' ? source.base64.length : 0))
})

test('what is no image, or another kind than it says, is refused with its place', async () => {
  const png = await noise(20, 10, 'png')
  for (const broken of [
    image(Buffer.from('not an image at all').toString('base64')),
    image(png, 'image/jpeg'),
    image(Buffer.from((await noise(800, 400, 'png')).slice(0, 4000), 'base64').toString('base64')),
  ])
    await assert.rejects(shrunk(broken), { code: 'WIRE_MALFORMED', param: 'messages[0]' })
})

test('an animation and a count over the limits are refused with what they may have', async () => {
  const frames = await sharp([await gifFrame(0), await gifFrame(200)], { join: { animated: true } })
    .gif()
    .toBuffer()
  await assert.rejects(
    shrunk(image(frames.toString('base64'), 'image/gif')),
    /an animation of .*it may have 200 pixels a side and 40000 bytes/,
  )
  const small = image(await noise(20, 10, 'png'))
  await assert.rejects(shrunk(small, small, small, small), /a request may hold 3 images/)
})

async function gifFrame(grey: number): Promise<Buffer> {
  return sharp({ create: { width: 400, height: 400, channels: 3, background: { r: grey, g: grey, b: grey } } })
    .gif()
    .toBuffer()
}

test('a small file that holds a huge image is not unpacked', async () => {
  const bomb = await sharp({ create: { width: 16_000, height: 4000, channels: 3, background: 'white' } })
    .png({ compressionLevel: 9 })
    .toBuffer()
  await assert.rejects(shrunk(image(bomb.toString('base64'))), { code: 'WIRE_MALFORMED' })
})

test('most requests have none', () => {
  assert.equal(hasImages(testAsk()), false)
})
