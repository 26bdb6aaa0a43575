import type { Finding } from '#contract/screened.ts'
import { ALPHANUMERIC, DIGIT, LOWER, UPPER, isOf } from '#detect/charset.ts'
import { mod97 } from './checks.ts'

/** Length by country, from the IBAN registry of SWIFT (release 98). */
const LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ' +
    'ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 ' +
    'LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 ' +
    'PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((row) => [row.slice(0, 2), Number(row.slice(2))]),
)

/** The IBAN whose check digits start at `digit`, if there is one: two letters before, length by country, modulo 97. */
export function ibanAt(text: string, digit: number): Finding | undefined {
  const start = digit - 2
  if (start < 0 || !isOf(text, digit + 1, DIGIT)) return undefined
  if (!isOf(text, start, UPPER | LOWER) || isOf(text, start - 1, ALPHANUMERIC)) return undefined
  const length = LENGTHS[text.slice(start, digit).toUpperCase()]
  if (length === undefined) return undefined
  let compact = ''
  let at = start
  for (; compact.length < length; at += 1) {
    if (isOf(text, at, ALPHANUMERIC)) compact += text[at]
    else if ((text[at] !== ' ' && text[at] !== '-') || !isOf(text, at + 1, ALPHANUMERIC)) return undefined
  }
  if (isOf(text, at, ALPHANUMERIC) || !mod97(compact.toUpperCase())) return undefined
  return { type: 'IBAN_CODE', start, end: at, score: 1, detector: 'iban-mod97' }
}
