import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { createPreparer } from '#dataplane/ingest/preparer.ts'
import { ROOT } from '#bench/child.ts'

/** A passage of the repository's own corpora. */
export interface RealPassage {
  readonly title: string
  readonly heading: string
  readonly text: string
}

const FOLDERS = ['corpus/evaluation/documents', 'corpus/handbook']
const Line = z.object({ query: z.string().optional(), question: z.string().optional() })

/** Every passage of the corpora, as the ingest makes them. */
export async function realPassages(): Promise<RealPassage[]> {
  const preparer = createPreparer()
  const found: RealPassage[] = []
  try {
    for (const folder of FOLDERS) {
      const files = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true })
      for (const file of files.filter((each) => each.isFile())) {
        const bytes = new Uint8Array(await readFile(join(file.parentPath, file.name)))
        for await (const { title, passages } of preparer.prepare({ name: file.name, bytes }))
          found.push(...passages.map(({ heading, text }) => ({ title, heading, text })))
      }
    }
  } finally {
    await preparer.close()
  }
  return found
}

/** The queries of the corpora. */
export async function realQueries(): Promise<string[]> {
  const files = ['corpus/evaluation/questions.jsonl', 'corpus/evaluation/held-out.jsonl', 'corpus/questions.jsonl']
  const texts = await Promise.all(files.map(async (file) => await readFile(join(ROOT, file), 'utf8')))
  return texts.flatMap((text) =>
    text
      .trim()
      .split('\n')
      .map((line) => {
        const { query, question } = Line.parse(JSON.parse(line))
        return query ?? question ?? ''
      }),
  )
}
