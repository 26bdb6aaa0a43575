import { hash } from 'node:crypto'
import type { Finding } from '#contract/screened.ts'
import { Lru } from '#kit/lru.ts'

/** Texts that passed, with what had to be replaced in them: a conversation's history is not paid for again. */
export interface VerdictCache {
  get(key: string): readonly Finding[] | undefined
  set(key: string, spans: readonly Finding[]): void
  /** Under which a text is kept: a keyed hash of it and of everything that the verdict depends on. */
  key(text: string, basis: string): string
  /** A number from 0 to 1 that belongs to the text: who is sampled is not left to chance. */
  share(text: string): number
}

const KEPT = 50_000

/** `key` keeps the hashes of texts from meaning anything outside this process. In memory only; offsets and types, no text. */
export function createVerdictCache(key: Uint8Array): VerdictCache {
  const verdicts = new Lru<string, readonly Finding[]>(KEPT)
  const secret = Buffer.from(key).toString('base64')
  return {
    get: (of) => verdicts.get(of),
    set: (of, spans) => verdicts.set(of, spans),
    key: (text, basis) => hash('sha256', `${secret}\n${basis}\n${text}`, 'base64'),
    share: (text) => hash('sha256', `${secret}\nsample\n${text}`, 'buffer').readUInt32BE(0) / 2 ** 32,
  }
}
