import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { type FeatureForm, WINDOW_CHARS, featuresOf, normOf } from '#detect/triage/features.ts'
import { type TriageModel, encodeModel } from '#detect/triage/model.ts'
import { aucOf, recallAt, thresholdAt } from './measures.ts'

/*
 * Trains the two triage models on labelled texts and says how good they are: `node bench/triage/train.ts DATA [OUT]`.
 * DATA holds prompt_injection.jsonl.gz and toxicity.jsonl.gz, lines of {text, label, origin}. With OUT the models are
 * written there (src/detect/triage/weights). The texts themselves are not part of this repository.
 */

const Line = z.looseObject({ text: z.string(), label: z.number(), origin: z.string() })

export interface Sample {
  readonly text: string
  readonly isPositive: boolean
  /** Repository that it is from. */
  readonly source: string
  readonly origin: string
  readonly features: Int32Array
}

interface Scored {
  readonly sample: Sample
  readonly score: number
}

interface Plan {
  readonly name: 'injection' | 'toxicity'
  readonly file: string
  readonly form: FeatureForm
  /** Whether features are weighted by how much they tell by themselves (log-count ratio). */
  readonly ratio: boolean
}

const PLANS: readonly Plan[] = [
  { name: 'injection', file: 'prompt_injection', form: { bits: 18, parts: false }, ratio: false },
  { name: 'toxicity', file: 'toxicity', form: { bits: 18, parts: true }, ratio: true },
]
const FOLDS = 5
const EPOCHS = 20
const RATE = 0.5
const DECAY = 1e-6
/** Weights that are kept: the largest. */
const KEPT = 60_000

const [data, out] = process.argv.slice(2)
if (data === undefined) throw new Error('name the folder with the labelled texts')
for (const plan of PLANS) {
  const samples = read(join(data, `${plan.file}.jsonl.gz`), plan.form)
  const scored = crossValidated(samples, plan)
  const threshold = thresholdAt(
    scored.filter(({ sample }) => !sample.isPositive).map(({ score }) => score),
    0.01,
  )
  report(plan, samples, scored, threshold)
  if (out === undefined) continue
  mkdirSync(out, { recursive: true })
  const model = { ...fit(samples, plan), threshold }
  writeFileSync(join(out, `${plan.name}.model.br`), brotliCompressSync(encodeModel(model)))
}

function read(path: string, form: FeatureForm): Sample[] {
  return gunzipSync(readFileSync(path))
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { text, label, origin } = Line.parse(JSON.parse(line))
      const source = /^[^: ]+/.exec(origin)?.[0] ?? origin
      const features = Int32Array.from(featuresOf(text.slice(0, WINDOW_CHARS), form))
      return { text, isPositive: label > 0, source, origin, features }
    })
}

/** Every sample scored by a model that did not see it. */
function crossValidated(samples: readonly Sample[], plan: Plan): Scored[] {
  return Array.from({ length: FOLDS }, (_, fold) => {
    const isHeld = ({ text }: Sample): boolean => foldOf(text) === fold
    const model = fit(
      samples.filter((sample) => !isHeld(sample)),
      plan,
    )
    return samples.filter(isHeld).map((sample) => ({ sample, score: scoreWith(model, sample) }))
  }).flat()
}

function foldOf(text: string): number {
  let hash = 7
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return (hash >>> 8) % FOLDS
}

function report({ name, form }: Plan, samples: readonly Sample[], scored: readonly Scored[], threshold: number): void {
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const notInject = scored.filter(({ sample }) => /NotInject/i.test(sample.origin))
  say(
    `${name}: ${samples.length} texts, ${2 ** form.bits} places${form.parts ? ', with parts of words' : ''}, ${FOLDS} folds`,
  )
  say(
    `  AUC ${aucOf(pairs(scored)).toFixed(4)}, recall at 1 % false positives ${recallAt(pairs(scored), threshold).toFixed(3)}`,
  )
  if (notInject.length > 0) {
    const flagged = notInject.filter(({ score }) => score > threshold).length
    say(`  NotInject: ${flagged} of ${notInject.length} flagged (${(flagged / notInject.length).toFixed(3)})`)
  }
  for (const source of new Set(samples.map((sample) => sample.source))) {
    const plan = PLANS.find((each) => each.name === name) ?? PLANS[0]
    if (plan === undefined) continue
    const model = fit(
      samples.filter((sample) => sample.source !== source),
      plan,
    )
    const own = samples
      .filter((sample) => sample.source === source)
      .map((sample) => ({ sample, score: scoreWith(model, sample) }))
    const known = scored.filter(({ sample }) => sample.source === source)
    const both = own.some(({ sample }) => sample.isPositive) && own.some(({ sample }) => !sample.isPositive)
    const flagged = own.filter(({ score }) => score > threshold).length / own.length
    say(
      both
        ? `  ${source}: AUC ${aucOf(pairs(known)).toFixed(3)} with the source in training, ${aucOf(pairs(own)).toFixed(3)} without`
        : `  ${source}: ${own[0]?.sample.isPositive === true ? 'positives' : 'negatives'} only, ${flagged.toFixed(3)} flagged without the source in training`,
    )
  }
}

function pairs(scored: readonly Scored[]) {
  return scored.map(({ sample, score }) => ({ isPositive: sample.isPositive, score }))
}

function scoreWith({ weights, scale, bias }: Omit<TriageModel, 'threshold'>, { features }: Sample): number {
  let sum = 0
  for (const place of features) sum += weights[place] ?? 0
  return bias + (sum * scale) / 127 / normOf(features.length)
}

/** Logistic regression by AdaGrad, both classes weighing the same; weights rounded to a byte, small ones left out. */
function fit(samples: readonly Sample[], { form, ratio }: Plan): Omit<TriageModel, 'threshold'> {
  const size = 2 ** form.bits
  const tells = ratio ? logRatios(samples, size) : new Float64Array(size).fill(1)
  const [weights, squares] = [new Float64Array(size), new Float64Array(size).fill(1e-6)]
  let [bias, biasSquares] = [0, 1e-6]
  const positives = samples.filter(({ isPositive }) => isPositive).length
  const [up, down] = [samples.length / (2 * positives), samples.length / (2 * (samples.length - positives))]
  const order = samples.map((_, at) => at)
  const random = randomFrom(7)
  for (let epoch = 0; epoch < EPOCHS; epoch += 1) {
    shuffle(order, random)
    for (const at of order) {
      const sample = samples[at]
      if (sample === undefined) continue
      const { features, isPositive } = sample
      const norm = normOf(features.length)
      let sum = bias
      for (const place of features) sum += ((weights[place] ?? 0) * (tells[place] ?? 0)) / norm
      const error = (1 / (1 + Math.exp(-sum)) - (isPositive ? 1 : 0)) * (isPositive ? up : down)
      for (const place of features) {
        const gradient = (error / norm) * (tells[place] ?? 0) + DECAY * (weights[place] ?? 0)
        squares[place] = (squares[place] ?? 0) + gradient * gradient
        weights[place] = (weights[place] ?? 0) - (RATE * gradient) / Math.sqrt(squares[place] ?? 1)
      }
      biasSquares += error * error
      bias -= (RATE * error) / Math.sqrt(biasSquares)
    }
  }
  return { ...form, bias, ...rounded(weights.map((weight, at) => weight * (tells[at] ?? 0))) }
}

function logRatios(samples: readonly Sample[], size: number): Float64Array {
  const [on, off] = [new Float64Array(size).fill(1), new Float64Array(size).fill(1)]
  let [onSum, offSum] = [0, 0]
  for (const { features, isPositive } of samples) {
    for (const place of features) {
      if (isPositive) on[place] = (on[place] ?? 0) + 1
      else off[place] = (off[place] ?? 0) + 1
    }
    if (isPositive) onSum += features.length
    else offSum += features.length
  }
  return on.map((count, at) => Math.log(count / onSum / ((off[at] ?? 1) / offSum)))
}

function rounded(weights: Float64Array): { readonly weights: Int8Array; readonly scale: number } {
  const sizes = weights.map(Math.abs).toSorted().toReversed()
  const [scale, least] = [sizes[0] ?? 1, sizes[KEPT] ?? 0]
  return {
    scale,
    weights: Int8Array.from(weights, (weight) => (Math.abs(weight) < least ? 0 : Math.round((weight / scale) * 127))),
  }
}

/** A fixed sequence, so that the same texts give the same model. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return state / 0x7fffffff
  }
}

function shuffle(order: number[], random: () => number): void {
  for (let at = order.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1)) % (at + 1)
    const [one = 0, two = 0] = [order[at], order[other]]
    order[at] = two
    order[other] = one
  }
}
