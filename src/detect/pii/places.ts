import { readFileSync } from 'node:fs'

let names: ReadonlySet<string> | undefined

/** Whether the words, in lower case with single blanks, are a place that everybody knows. Reads places.txt once. */
export function isPlace(lower: string): boolean {
  names ??= new Set(
    readFileSync(new URL('places.txt', import.meta.url), 'utf8')
      .replaceAll(/^#.*\n/gm, '')
      .trim()
      .split(/[|\n]/),
  )
  return names.has(lower)
}
