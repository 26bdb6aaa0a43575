import type { Finding } from '#contract/screened.ts'
import type { Run } from './runs.ts'

/** How far an address is followed to either side of its street, in characters. */
const BEFORE = 16
const AFTER = 120

/** A house number, perhaps two of them, right before a street. */
const NUMBER_BEFORE = /(?:^|[\s(:,])((?:\d{1,6}[A-Za-z]? ){1,2})$/
/** A house number behind a street. Fixed widths: each part is tried once. */
const NUMBER = /\.?,? ?\d{1,5}[A-Za-z]?\b/y
const UNIT = /,?\s{1,3}(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Room|Box)\.? ?#?\d{1,5}\b/iy
/** A town, perhaps a state, and a postal code; nothing without the code. */
const TOWN = /,?\s{1,3}\p{Lu}[\p{L}'-]{1,24}(?: [\p{L}'-]{2,24}){0,2}(?:\s?,?\s{1,2}[A-Z]{2})?\s{1,2}\d{4,6}\b/uy
/** A postal code before the town: `10115 Berlin`. */
const CODE_AND_TOWN = /,?\s{1,3}(?:[A-Z]{1,2}-)?\d{4,6} \p{Lu}[\p{L}'-]{1,24}/uy
/** Boxes of post offices and of armed forces. */
const BOX = /(?:P\.? ?O\.? ?Box|Postbox|Postfach|PSC|Unit|Box)\.? \d{1,6}(?:,? Box \d{1,6})?\b/iy

/**
 * The postal address in which the run stands: a street word with a number on one side, a unit (`Apt. 12`) behind a
 * number, or a box. Undefined when there is no number: a street alone is nobody's address.
 */
export function addressAt(text: string, run: Run): Finding | undefined {
  const street = run.words.findLastIndex((word) => word.isStreet)
  if (street === -1) return unitAt(text, run)
  // `Via Roma 3` begins with its street word, `12 Main Street` ends with it, `Hauptstraße 3` is it.
  const last = run.words[street]
  if (last === undefined) return undefined
  const streetEnd = street === run.words.length - 1 ? last.end : run.end
  const start = numberedStart(text, run.start)
  const end = tailEnd(text, streetEnd)
  if (start === run.start && end === streetEnd) return undefined
  if (run.words.length === 1 && start !== run.start && last.lower.length < 4) return undefined
  return { type: 'ADDRESS', start, end, score: 0.92, detector: 'street' }
}

function unitAt(text: string, run: Run): Finding | undefined {
  const unit = run.words.findIndex(({ isUnit }) => isUnit)
  const word = run.words[unit]
  if (word === undefined) return undefined
  const boxEnd = matchEnd(BOX, text, word.start)
  if (boxEnd !== -1)
    return { type: 'ADDRESS', start: word.start, end: tailEnd(text, boxEnd), score: 0.8, detector: 'box' }
  const end = matchEnd(/\w{3,9}\.? ?#?\d{1,5}\b/y, text, word.start)
  if (end === -1) return undefined
  // Back to the number that the street begins with.
  const lead = text.slice(Math.max(0, word.start - 64), word.start)
  const number = /\d{1,6}[A-Za-z]? [\p{L}\d][^:!?]{0,56}$/u.exec(lead)
  const start = number === null ? word.start : word.start - lead.length + number.index
  return number === null
    ? undefined
    : { type: 'ADDRESS', start, end: tailEnd(text, end), score: 0.88, detector: 'unit' }
}

function numberedStart(text: string, start: number): number {
  const number = NUMBER_BEFORE.exec(text.slice(Math.max(0, start - BEFORE), start))
  return number === null ? start : start - (number[1]?.length ?? 0)
}

function tailEnd(text: string, from: number): number {
  let end = from
  for (const pattern of [NUMBER, UNIT, UNIT, CODE_AND_TOWN, TOWN]) {
    const next = matchEnd(pattern, text, end)
    if (next !== -1 && next - from <= AFTER) end = next
  }
  return end
}

function matchEnd(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  const match = pattern.exec(text)
  return match === null ? -1 : at + match[0].length
}
