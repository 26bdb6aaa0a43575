import { readFileSync } from 'node:fs'

/** What a word is known as; the bits of names.txt. */
export const GIVEN = 1
export const SURNAME = 2
/** Also an English word: no evidence on its own. */
export const WORD = 4
export const PLACE = 8

/** Sections of the file by initial, decoded when a word needs them. */
let sections: Map<string, string> | undefined
const tables = new Map<string, ReadonlyMap<string, number>>()

/** Bits of a word that is folded to `a` to `z`; 0 when it is not known. Reads the table at the first call. */
export function knownAs(folded: string): number {
  const initial = folded.charAt(0)
  let table = tables.get(initial)
  if (table === undefined) {
    sections ??= read()
    const section = sections.get(initial)
    if (section === undefined) return 0
    table = decode(section)
    tables.set(initial, table)
  }
  return table.get(folded) ?? 0
}

/** Only the first name of an initial shares nothing with the one before: the sections lie between the zeros. */
function read(): Map<string, string> {
  const file = readFileSync(new URL('names.txt', import.meta.url), 'latin1')
  const body = file.slice(file.lastIndexOf('# ')).replace(/^.*\n/, '').replaceAll('\n', '')
  const found = new Map<string, string>()
  for (const section of body.split('0'))
    found.set(section.charAt(0), (found.get(section.charAt(0)) ?? '') + `0${section}`)
  return found
}

/** Front coding: a digit (characters shared with the entry before), the rest, a capital for the bits. */
function decode(section: string): Map<string, number> {
  const names = new Map<string, number>()
  let name = ''
  let from = 0
  for (let at = 0; at < section.length; at += 1) {
    const code = section.charCodeAt(at)
    if (code >= 91) continue
    if (code < 58) {
      name = name.slice(0, code - 48)
      from = at + 1
    } else {
      name += section.slice(from, at)
      names.set(name, code - 64)
    }
  }
  return names
}

const SPECIAL: Readonly<Record<string, string>> = {
  ß: 'ss',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  æ: 'ae',
  œ: 'oe',
  ı: 'i',
  ə: 'a',
}

/** Without accents: `šárka` is `sarka`. Given and returned in small letters. */
export function fold(lower: string): string {
  if (!/[^a-z-]/.test(lower)) return lower
  return lower
    .normalize('NFD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[ßøłđðþæœıə]/g, (char) => SPECIAL[char] ?? char)
}

/** Endings that surnames of several languages have and few other words do. */
const SURNAME_ENDING =
  /(?:[oe]va?|enko|[^i]s[kc][iy]|ska|ovi[ct]h?|evi[ct]h?|sson|dottir|[^aeiou]sen|escu|yan|idze|shvili|oglu|czyk|wicz|opoulos|akis|inen|quez|guez|ndez|nsky)$/

/** Whether an unknown word looks like a surname. */
export function endsLikeSurname(folded: string): boolean {
  return folded.length > 4 && SURNAME_ENDING.test(folded)
}
