import { readFileSync } from 'node:fs'
import { brotliDecompressSync } from 'node:zlib'
import { z } from 'zod'
import { type FeatureForm, WINDOW_CHARS, featuresOf, normOf } from './features.ts'

/** A linear model over hashed features. */
export interface TriageModel extends FeatureForm {
  readonly weights: Int8Array
  /** What a weight of 127 stands for. */
  readonly scale: number
  readonly bias: number
  /** Raw score that one in a hundred harmless texts of its own sources reaches: 0.5 on the scale from 0 to 1. */
  readonly threshold: number
}

const Head = z.strictObject({
  bits: z.int().min(8).max(22),
  parts: z.boolean(),
  scale: z.number().positive(),
  bias: z.number(),
  threshold: z.number(),
  count: z.int().min(0),
})

/**
 * File of a model, compressed: a line of JSON, then for each weight that is not zero the distance from the place
 * before it (LEB128) and the weight (one signed byte).
 */
export function encodeModel({ weights, ...head }: TriageModel): Buffer {
  const bytes: number[] = []
  let [before, count] = [-1, 0]
  for (const [at, weight] of weights.entries()) {
    if (weight === 0) continue
    let distance = at - before
    while (distance > 127) {
      bytes.push((distance & 127) | 128)
      distance >>>= 7
    }
    bytes.push(distance, weight & 255)
    before = at
    count += 1
  }
  return Buffer.concat([Buffer.from(`${JSON.stringify({ ...head, count })}\n`), Buffer.from(bytes)])
}

/** @throws when the bytes are not a model. */
export function decodeModel(bytes: Buffer): TriageModel {
  const end = bytes.indexOf(10)
  const { count, ...head } = Head.parse(JSON.parse(bytes.toString('utf8', 0, end)))
  const weights = new Int8Array(1 << head.bits)
  let [at, place] = [end + 1, -1]
  for (let read = 0; read < count; read += 1) {
    let [distance, shift] = [0, 0]
    for (;;) {
      const byte = bytes[at] ?? 0
      at += 1
      distance |= (byte & 127) << shift
      if (byte < 128) break
      shift += 7
    }
    place += distance
    weights[place] = bytes.readInt8(at)
    at += 1
  }
  if (at !== bytes.length || place >= weights.length) throw new Error('the model is damaged')
  return { ...head, weights }
}

/** Reads a model that comes with the product. */
export function readModel(name: 'injection' | 'toxicity'): TriageModel {
  return decodeModel(brotliDecompressSync(readFileSync(new URL(`weights/${name}.model.br`, import.meta.url))))
}

/** Raw score of one text, as it was trained. */
export function rawScore(model: TriageModel, text: string): number {
  const features = featuresOf(text, model)
  if (features.size === 0) return model.bias
  let sum = 0
  for (const place of features) sum += model.weights[place] ?? 0
  return model.bias + (sum * model.scale) / 127 / normOf(features.size)
}

/** From 0 to 1, the worst of a text's windows; 0.5 is the threshold. */
export function scoreOf(model: TriageModel, text: string): number {
  let worst = Number.NEGATIVE_INFINITY
  const step = WINDOW_CHARS / 2
  for (let start = 0; ; start += step) {
    worst = Math.max(worst, rawScore(model, text.slice(start, start + WINDOW_CHARS)))
    if (start + WINDOW_CHARS >= text.length) break
  }
  return 1 / (1 + Math.exp(model.threshold - worst))
}
