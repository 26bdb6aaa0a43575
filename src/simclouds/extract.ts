/** A passage as the system text carries it: `[1] source: leave-policy.md`, then its lines. */
interface Passage {
  readonly source: string
  readonly text: string
}

interface Sentence {
  readonly source: string
  readonly text: string
  readonly words: ReadonlySet<string>
  readonly order: number
}

const HEADER = /^\s*\[(\d+)\]\s*(.*)$/
/** A line that ends the block of passages: a closing tag or a rule. */
const FENCE = /^\s*(<\/?[\w-]+>|-{3,}|={3,})\s*$/
const MAX_SENTENCES = 3
/** A further sentence must be nearly as good as the best. */
const NEARLY = 0.6
/** Share of the question's weight that the best sentence must cover. */
const MIN_COVERAGE = 0.25
const NOTHING_FOUND = 'The passages that I was given do not say.'

/**
 * One to three sentences of the passages that fit the question best, verbatim, each with its source in brackets.
 * Says so when none fits; undefined when there are no passages.
 */
export function extract(system: readonly string[], question: string): string | undefined {
  const passages = system.flatMap(passagesOf)
  if (passages.length === 0) return undefined
  const sentences = passages.flatMap(sentencesOf).map((each, order) => ({ ...each, order }))
  const asked = wordsOf(question)
  const weights = new Map([...asked].map((word) => [word, weightOf(word, sentences)]))
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0)
  const ranked = sentences
    .map((sentence) => ({ sentence, score: scoreOf(sentence, weights) }))
    .toSorted((a, b) => b.score - a.score || a.sentence.order - b.sentence.order)
  const best = ranked[0]?.score ?? 0
  if (best <= 0 || best < total * MIN_COVERAGE) return NOTHING_FOUND
  const good = ranked.filter(({ score }) => score >= best * NEARLY).slice(0, MAX_SENTENCES)
  return unique(good.map(({ sentence }) => `${sentence.text} [${sentence.source}]`)).join(' ')
}

function passagesOf(text: string): readonly Passage[] {
  const passages: Passage[] = []
  let open: { source: string; lines: string[] } | undefined
  const close = () => {
    if (open !== undefined) passages.push({ source: open.source, text: open.lines.join('\n') })
    open = undefined
  }
  for (const line of text.split('\n')) {
    const header = HEADER.exec(line)
    if (header !== null) {
      close()
      open = { source: sourceOf(header[2] ?? '', header[1] ?? ''), lines: [] }
    } else if (FENCE.test(line)) close()
    else open?.lines.push(line)
  }
  close()
  return passages
}

/** The name after `source:`, without what may follow in brackets or after a dash; the number when there is none. */
function sourceOf(header: string, number: string): string {
  const named = header.replace(/^(source|document|title)\s*[:=]\s*/i, '').replaceAll(/^["'`(]+|["'`)]+$/g, '')
  return named.split(/\s+[([|—–-]|\s*[,;]\s/)[0]?.trim() || number
}

function sentencesOf(passage: Passage): readonly Omit<Sentence, 'order'>[] {
  return passage.text
    .split('\n')
    .filter((line) => !/^\s*(#|\|?\s*-{3,})/.test(line))
    .join('\n')
    .split(/(?<=[.!?])\s+|\n\s*\n|\n(?=\s*[-*|\d])/)
    .map((text) =>
      text
        .replaceAll(/\s+/g, ' ')
        .replace(/^\s*([-*]|\d+\.)\s+/, '')
        .trim(),
    )
    .filter((text) => text.length > 2)
    .map((text) => ({ source: passage.source, text, words: wordsOf(text) }))
}

/** Rare words tell more; a word that is in no sentence tells most, for then the answer is not there. */
function weightOf(word: string, sentences: readonly Sentence[]): number {
  const having = sentences.filter((sentence) => sentence.words.has(word)).length
  return Math.log(1 + (sentences.length + 1) / (having + 1))
}

function scoreOf(sentence: Sentence, weights: ReadonlyMap<string, number>): number {
  let score = 0
  for (const [word, weight] of weights) if (sentence.words.has(word)) score += weight
  return score
}

function wordsOf(text: string): ReadonlySet<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  return new Set(words.filter((word) => !STOP_WORDS.has(word)).map(stem))
}

function stem(word: string): string {
  if (word.length <= 3) return word
  return word
    .replace(/(ies|ied)$/, 'y')
    .replace(/(ing|ed|ly)$/, '')
    .replace(/(sses|shes|ches|xes)$/, (end) => end.slice(0, -2))
    .replace(/([^s])s$/, '$1')
    .replace(/e$/, '')
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)]
}

const STOP_WORDS = new Set(
  (
    'a about after all also an and any are as at be been before but by can could did do does for from get give had ' +
    'has have he her his how i if in into is it its just many me more most much must my no not of on one or our out ' +
    'please shall she should so some tell than that the their them then there these they this those to up us was we ' +
    'were what when where which who whom whose why will with would you your'
  ).split(' '),
)
