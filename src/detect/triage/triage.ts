import { type TriageModel, readModel, scoreOf } from './model.ts'

let injectionModel: TriageModel | undefined
let toxicityModel: TriageModel | undefined

/**
 * How much a text looks like an attempt to give the model orders, 0 to 1. A first look that decides who is looked at
 * again: it knows the words of attacks that it was trained on, and misses those of other kinds (docs/guard.md).
 */
export function injectionScore(text: string): number {
  injectionModel ??= readModel('injection')
  return scoreOf(injectionModel, text)
}

/** How much a text looks toxic, 0 to 1. The same holds. */
export function toxicityScore(text: string): number {
  toxicityModel ??= readModel('toxicity')
  return scoreOf(toxicityModel, text)
}
