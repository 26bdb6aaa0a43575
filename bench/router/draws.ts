import type { Random } from '#simclouds/seeded.ts'

/** Times of a Poisson process until `untilMs`, at so many a second on average. */
export function poisson(random: Random, perSecond: number, untilMs: number): readonly number[] {
  const times: number[] = []
  let at = 0
  for (;;) {
    at += (-Math.log(1 - random()) / perSecond) * 1000
    if (at >= untilMs) return times
    times.push(at)
  }
}

/** Draws numbers from 0 to `count` less 1, the first ones most often: each as often as one over its rank (Zipf, exponent 1). */
export function zipf(random: Random, count: number): () => number {
  const sums: number[] = []
  let sum = 0
  for (let rank = 1; rank <= count; rank += 1) {
    sum += 1 / rank
    sums.push(sum)
  }
  return () => {
    const drawn = random() * sum
    const index = sums.findIndex((each) => each > drawn)
    return index === -1 ? count - 1 : index
  }
}

const WORDS =
  'account answer balance branch cargo change charge claim client column contract credit customer date delay deposit detail discount driver duty entry factor file form freight goods harbour invoice item journey label letter limit list load margin market month network note notice number office offer order page parcel payment period plan policy price process product quarter quote rate reason receipt record refund region report request return review route rule scale season section service share ship site stage stock store supply table tariff term ticket trade transfer trip unit value vendor visit volume week weight yard year'.split(
    ' ',
  )

/** Prose without meaning, and without what could be taken for personal data, of about so many characters. */
export function prose(random: Random, chars: number): string {
  const word = (): string => WORDS[Math.floor(random() * WORDS.length)] ?? ''
  let text = ''
  while (text.length < chars) text += `The ${word()} of each ${word()} goes with the ${word()} for a ${word()}. `
  return text.trim()
}
