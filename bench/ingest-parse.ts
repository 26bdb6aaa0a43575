import { startChild } from './child.ts'
import type { IngestParseNumbers } from './ingest-parse/main.ts'
import { median } from './quantiles.ts'
import type { Section } from './report.ts'

/** Pages a second of parse, split and screen that two cores have to reach. */
const GOAL_PAGES_PER_S = 200

/** Measures how fast documents become passages, in a fresh process that may use every core. */
export async function runIngestParse(quick: boolean): Promise<Section> {
  const child = await startChild({
    name: 'the parsing of documents',
    args: ['bench/ingest-parse/main.ts', ...(quick ? ['quick'] : [])],
    core: undefined,
    ready: /ingest-parse: (\{.*\})\n/,
    readyMs: 600_000,
  })
  await child.stop()
  const numbers = JSON.parse(child.url) as IngestParseNumbers
  return { name: 'ingest-parse', markdown: markdownOf(numbers), numbers }
}

function markdownOf({
  books,
  pagesABook,
  mbABook,
  pagesPerS,
  ingestPagesPerS,
  msAPage,
  formats,
}: IngestParseNumbers): string {
  const rows = Object.entries(pagesPerS).map(([workers, [cold = 0, ...warm]]) => {
    const rate = median(warm)
    const verdict = workers === '2' ? (rate >= GOAL_PAGES_PER_S ? 'met' : 'MISSED') : ''
    return `| ${workers} | ${cold.toFixed(0)} | ${rate.toFixed(0)} | ${warm.map((value) => value.toFixed(0)).join(', ')} | ${verdict} |`
  })
  const { parse, chunk, scan } = msAPage
  const [coldIngest = 0, ...warmIngest] = ingestPagesPerS
  const ingestRate = median(warmIngest)
  return [
    '## From documents to passages',
    '',
    `${books} generated books of ${pagesABook} pages (${mbABook.toFixed(2)} MB; 3 KB of text a page, three fonts, headings, every other page readable by its ToUnicode map only) through the preparer: worker processes parse, split and screen, nothing is embedded. Both cores for the workers and this process together. Cold is the first round: it starts the workers and compiles their code.`,
    '',
    `| workers | pages/s, cold | pages/s, median | rounds | ≥ ${GOAL_PAGES_PER_S} on two |`,
    '| --- | ---: | ---: | --- | --- |',
    ...rows,
    '',
    `The whole way from a folder into LanceDB with two workers and without a model: ${coldIngest.toFixed(0)} pages/s cold, ${ingestRate.toFixed(0)} at the median of ${warmIngest.map((value) => value.toFixed(0)).join(', ')} (goal ${GOAL_PAGES_PER_S}: ${ingestRate >= GOAL_PAGES_PER_S ? 'met' : 'MISSED'}).`,
    '',
    `In one process with warm code a page takes ${(parse + chunk + scan).toFixed(2)} ms: ${parse.toFixed(2)} to parse, ${chunk.toFixed(2)} to split, ${scan.toFixed(2)} to screen.`,
    '',
    'Other formats, one worker, best of three:',
    '',
    '| file | MB | records | passages | seconds | MB/s | records/s |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...formats.map(
      ({ name, mb, records, passages, seconds }) =>
        `| ${name} | ${mb.toFixed(1)} | ${records} | ${passages} | ${seconds.toFixed(2)} | ${(mb / seconds).toFixed(1)} | ${Math.round(records / seconds)} |`,
    ),
  ].join('\n')
}
