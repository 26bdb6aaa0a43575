/** Words that the analyser of English leaves out (Lucene's set of English stop words). */
const STOP_WORDS = new Set(
  'a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was will with'.split(
    ' ',
  ),
)

/**
 * The terms of a text, about as OpenSearch's analyser `english` makes them: lower case, without stop words, endings cut
 * off. The endings are cruder than Porter's: enough to tell whether words were asked for as words.
 */
export function termsOf(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*/gu) ?? []
  return words
    .map((word) => word.replace(/['’]s$/, ''))
    .filter((word) => !STOP_WORDS.has(word))
    .map((word) => (word.length > 4 ? word.replace(/(?:ing|ed|es|s|e)$/, '') : word))
}

/** Usual constants of BM25, as in Lucene. */
const K1 = 1.2
const B = 0.75

/** BM25 of each text for a query, in the order of the texts; 0 where no word is in it. */
export function bm25(query: string, texts: readonly string[]): number[] {
  const documents = texts.map(termsOf)
  const meanLength = documents.reduce((sum, { length }) => sum + length, 0) / Math.max(1, documents.length)
  const terms = [...new Set(termsOf(query))].map((term) => {
    const holders = documents.filter((words) => words.includes(term)).length
    return { term, weight: Math.log(1 + (documents.length - holders + 0.5) / (holders + 0.5)) }
  })
  return documents.map((words) =>
    terms.reduce((score, { term, weight }) => {
      const count = words.filter((word) => word === term).length
      const norm = K1 * (1 - B + (B * words.length) / Math.max(1, meanLength))
      return score + (weight * count) / (count + norm)
    }, 0),
  )
}
