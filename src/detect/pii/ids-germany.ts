import { crossSum, icao, isDay, mod11And10, part, valueOf, weighted } from './checks.ts'
import { type IdRule, anyGrouped, checked, digits, grouped } from './rule.ts'

/** German numbers: BZSt (tax), BMI (documents), GKV-Spitzenverband (health), DRV (pension), KBV (doctors). */
export const GERMANY: readonly IdRule[] = [
  {
    type: 'DE_SOCIAL_SECURITY',
    pictures: ['99999999A999', '99 999999 A 999', '99 999999A999'],
    score: checked(0.9, isPensionNumber),
    context: ['rvnr', 'sozialversicherung', 'rentenversicherung', 'versicherungsnummer', 'svnr', 'svn'],
  },
  {
    type: 'DE_HEALTH_INSURANCE',
    pictures: ['A999999999'],
    score: checked(0.55, isHealthInsuranceNumber),
    context: ['kvnr', 'krankenkasse', 'krankenversicher', 'versichertennummer', 'gesundheitskarte', 'egk'],
  },
  {
    type: 'DE_PASSPORT',
    pictures: ['*********', '**********'],
    score: (value) => documentScore(value, 'CFGHJK'),
    context: ['reisepass', 'passnummer', 'passport', 'pass', 'pass-nr'],
  },
  {
    type: 'DE_ID_CARD',
    pictures: ['*********', '**********'],
    score: (value) => documentScore(value, 'LMNPRTVWXY'),
    context: ['personalausweis', 'ausweis', 'ausweisnummer', 'perso', 'identity card', 'id card'],
  },
  {
    type: 'DE_TAX_ID',
    pictures: [digits(11), '99 999 999 999'],
    score: checked(0.4, isTaxId, 0.5),
    context: ['steuer', 'steueridentifikation', 'idnr', 'tin', 'tax id', 'identifikationsnummer'],
  },
  {
    type: 'DE_TAX_NUMBER',
    pictures: [
      digits(13),
      '99/999/99999',
      '999/999/99999',
      '999/9999/9999',
      '99/999/9999',
      '99/9999/9999',
      '99 999 99999',
      '999 999 99999',
    ],
    score: (value, written) => {
      if (written.length > value.length) return written.includes('/') ? 0.45 : 0.2
      return part(value, 0, 2) >= 1 && part(value, 0, 2) <= 16 ? 0.2 : 0
    },
    context: ['steuernummer', 'steuer-nr', 'steuernr', 'finanzamt', 'tax number', 'stnr'],
  },
  {
    type: 'DE_VAT_ID',
    pictures: anyGrouped(['AA', '999', '999', '999'], ' .-'),
    score: (value) => (!value.startsWith('DE') ? 0 : mod11And10(value.slice(2)) ? 0.9 : 0.5),
    context: ['ust', 'umsatzsteuer', 'mwst', 'vat'],
  },
  {
    type: 'DE_FUEHRERSCHEIN',
    pictures: ['AA99999999A', 'AA999999999', '***********'],
    // Authority, serial, check digit, issue: letters may stand among the digits.
    score: (value) => {
      if (/^[A-Z]{2}\d{8}[0-9A-Z]$/.test(value)) return 0.4
      return /^[A-Z](?=.*\d.*\d.*\d)[0-9A-Z]{9}\d$/.test(value) ? 0.01 : 0
    },
    context: ['führerschein', 'fuehrerschein', 'fahrerlaubnis', 'driving licence', 'driver'],
  },
  {
    type: 'DE_HANDELSREGISTER',
    pictures: [1, 2, 3, 4, 5, 6].flatMap((count) => [`AAA${digits(count)}`, `AAA ${digits(count)}`]),
    score: (value) => (/^HR[AB]/.test(value) ? 0.85 : 0),
    context: [],
  },
  {
    type: 'DE_KFZ',
    pictures: ['A', 'AA', 'AAA'].flatMap((place) =>
      ['A', 'AA'].flatMap((letters) =>
        [1, 2, 3, 4].flatMap((count) =>
          ['', 'A'].flatMap((suffix) => [
            ...grouped([place, letters, digits(count) + suffix], ' -'),
            `${place}-${letters} ${digits(count)}${suffix}`,
            `${place}-${letters}${digits(count)}${suffix}`,
          ]),
        ),
      ),
    ),
    score: plateScore,
    context: ['kfz', 'kennzeichen', 'nummernschild', 'fahrzeug', 'autokennzeichen', 'plate', 'pkw', 'zulassung'],
  },
  {
    type: 'DE_LANR',
    pictures: [digits(9)],
    score: checked(0.35, isDoctorNumber),
    context: ['lanr', 'arztnummer', 'arzt'],
  },
  {
    type: 'DE_BSNR',
    pictures: [digits(9)],
    score: (value) => (part(value, 0, 2) > 0 ? 0.1 : 0),
    context: ['bsnr', 'betriebsstätte', 'betriebsstaette', 'praxis', 'arztpraxis'],
  },
  {
    type: 'DE_PLZ',
    pictures: [digits(5)],
    score: (value) => (part(value, 0, 5) > 1000 && part(value, 0, 5) < 99_999 ? 0.1 : 0),
    context: ['plz', 'postleitzahl', 'wohnort', 'anschrift'],
  },
]

/** Area, day of birth (from 51 on for reserved ones), first letter, serial, check (VKVV section 2). */
function isPensionNumber(value: string): boolean {
  if (!isDay(part(value, 4, 2), part(value, 2, 2) % 50)) return false
  const letter = String(value.charCodeAt(8) - 64).padStart(2, '0')
  const body = value.slice(0, 8) + letter + value.slice(9, 11)
  let sum = 0
  for (const [at, weight] of [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1].entries()) sum += crossSum(valueOf(body[at]) * weight)
  return sum % 10 === part(value, 11, 1)
}

/** Letter as two digits, weights 1 and 2 in turn (SGB V section 290). */
function isHealthInsuranceNumber(value: string): boolean {
  const body = String(value.charCodeAt(0) - 64).padStart(2, '0') + value.slice(1, 9)
  let sum = 0
  for (let at = 0; at < body.length; at += 1) sum += crossSum(valueOf(body[at]) * ((at % 2) + 1))
  return sum % 10 === part(value, 9, 1)
}

/**
 * Passports and identity cards share one scheme: no vowels, the first letter tells the authority. The check digit of
 * ICAO 9303 is the tenth character where it is written; nine that satisfy it are taken for a number with its check.
 */
function documentScore(value: string, series: string): number {
  const isOfSeries = series.includes(value[0] ?? '?')
  // Cards of before November 2010.
  if (series.includes('T') && /^T\d{8}$/.test(value)) return 0.4
  if (!/^[CFGHJ-NPRTV-Z][0-9CFGHJ-NPRTV-Z]{7,9}$/.test(value) || !/\d/.test(value)) return 0
  if (/\d$/.test(value) && icao(value)) return isOfSeries ? 0.55 : 0.5
  return isOfSeries && value.length === 9 ? 0.01 : 0
}

function isTaxId(value: string): boolean {
  if (value.startsWith('0') || !mod11And10(value)) return false
  const counts = new Map<string, number>()
  for (const digit of value.slice(0, 10)) counts.set(digit, (counts.get(digit) ?? 0) + 1)
  return Math.max(...counts.values()) <= 3
}

/** Six digits, check with weights 4 and 9, two digits of the specialty (KBV, "Arztnummern"). */
function isDoctorNumber(value: string): boolean {
  return value !== '000000000' && (10 - (weighted(value, [4, 9, 4, 9, 4, 9]) % 10)) % 10 === valueOf(value[6])
}

const NO_PLACE = /^(?:[IOQTUXY]|I[A-KMO-Z]|AM|AT|TO|OF|ON|OR|BY|BE|SO|WE|THE|AND|FOR|YOU|ARE|IS)$/

function plateScore(value: string, written: string): number {
  const [place = '', letters = ''] = written.toUpperCase().split(/[\s-]/)
  const number = /\d+/.exec(value)?.[0] ?? '0'
  if (number.startsWith('0') || NO_PLACE.test(place) || NO_PLACE.test(letters.replaceAll(/\d.*/g, ''))) return 0
  if (/[A-DFGI-Z]$/.test(value)) return 0
  return written === written.toUpperCase() ? 0.4 : 0.2
}
