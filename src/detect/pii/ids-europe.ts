import { isDay, isRepeated, luhn, part, valueOf, weighted } from './checks.ts'
import { type IdRule, checked, digits, grouped } from './rule.ts'

const NIF_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE'
const FINNISH_CHECK = '0123456789ABCDEFHJKLMNPRSTUVWXY'
const PASSPORT = ['passport', 'pasaporte', 'passaporto', 'passeport', 'reisepass']

/** Spain (Interior Ministry), Italy (Agenzia delle Entrate), Poland (PESEL), Finland (DVV), Sweden (Skatteverket). */
export const EUROPE: readonly IdRule[] = [
  {
    type: 'ES_NIF',
    pictures: ['99999999A', '99999999-A', '99.999.999-A', '99999999 A', '9999999A'],
    score: checked(0.65, (value) => NIF_LETTERS[Number(value.slice(0, -1)) % 23] === value.at(-1)),
    context: ['nif', 'dni', 'documento nacional', 'identificación fiscal'],
  },
  {
    type: 'ES_NIE',
    pictures: ['A9999999A', 'A9999999-A', 'A-9999999-A', 'A 9999999 A'],
    score: checked(0.8, (value) => {
      const series = 'XYZ'.indexOf(value[0] ?? '?')
      return series >= 0 && NIF_LETTERS[Number(series + value.slice(1, 8)) % 23] === value[8]
    }),
    context: ['nie', 'extranjero', 'extranjería'],
  },
  { type: 'ES_PASSPORT', pictures: ['AAA999999'], score: 0.15, context: PASSPORT },
  {
    type: 'IT_FISCAL_CODE',
    pictures: ['*'.repeat(16), '*** *** ***** *****', '****** ***** *****'],
    score: checked(0.95, isFiscalCode),
    context: ['codice fiscale', 'fiscal', 'c.f.'],
  },
  {
    type: 'IT_VAT_CODE',
    pictures: [digits(11), `AA${digits(11)}`],
    score: (value) => {
      const number = value.slice(-11)
      if (!luhn(number) || isRepeated(number) || part(number, 7, 3) > 999) return 0
      return value.length === 13 ? (value.startsWith('IT') ? 0.9 : 0) : 0.38
    },
    context: ['partita', 'p.iva', 'piva', 'iva', 'vat'],
  },
  {
    type: 'IT_DRIVER_LICENSE',
    pictures: ['*'.repeat(10)],
    score: (value) => (/^U1[0-9A-Z]{7}[A-Z]$/.test(value) ? 0.35 : /^[A-Z][A-Z]\d{7}[A-Z]$/.test(value) ? 0.3 : 0),
    context: ['patente', 'guida', 'licenza', 'driver', 'driving'],
  },
  {
    type: 'IT_PASSPORT',
    pictures: ['AA9999999'],
    score: 0.1,
    context: ['passaporto', 'italian passport', 'elettronico'],
  },
  {
    type: 'IT_IDENTITY_CARD',
    pictures: ['9999999AA', 'AA99999AA', 'AA 9999999', 'AA9999999'],
    score: (value) => (/^\d/.test(value) ? 0.15 : 0.12),
    context: ["carta d'identit", 'carta identit', 'identità', 'identità', 'cie', 'elettronica'],
  },
  {
    type: 'PL_PESEL',
    pictures: [digits(11)],
    score: checked(0.45, isPesel),
    context: ['pesel'],
  },
  {
    type: 'FI_PERSONAL_IDENTITY_CODE',
    pictures: ['*'.repeat(11), '******-****'],
    score: checked(0.9, (value) => isHetu(value)),
    context: ['hetu', 'henkilötunnus', 'personbeteckning'],
  },
  {
    type: 'SE_PERSONNUMMER',
    pictures: [digits(10), digits(12), '999999-9999', '99999999-9999'],
    score: checked(0.45, isPersonnummer, 0.7),
    context: ['personnummer', 'pnr', 'samordningsnummer', 'identity code', 'personal identity', 'svensk'],
  },
  {
    type: 'SE_ORGANISATIONSNUMMER',
    pictures: [digits(10), '999999-9999'],
    score: checked(0.36, (value) => value[0] !== '0' && valueOf(value[2]) >= 2 && luhn(value), 0.6),
    context: ['organisationsnummer', 'orgnr', 'org.nr', 'företag', 'bolag'],
  },
  {
    type: 'FR_INSEE',
    pictures: [digits(15), '9 99 99 99 999 999 99'],
    score: checked(0.75, (value) => {
      const month = part(value, 3, 2)
      return (
        /^[12]/.test(value) && month > 0 && month < 43 && 97 - (Number(value.slice(0, 13)) % 97) === part(value, 13, 2)
      )
    }),
    context: ['sécurité sociale', 'insee', 'nir', 'numéro de sécu'],
  },
  {
    type: 'NL_BSN',
    pictures: [digits(9), '9999.99.999', '999 999 999'],
    score: checked(0.25, (value) => !isRepeated(value) && weighted(value, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0),
    context: ['bsn', 'burgerservicenummer', 'sofinummer'],
  },
  {
    type: 'BE_NATIONAL_NUMBER',
    pictures: [digits(11), '99.99.99-999.99'],
    score: checked(0.45, isBelgian, 0.9),
    context: ['rijksregister', 'registre national', 'numéro national', 'insz', 'niss'],
  },
  {
    type: 'CH_AHV',
    pictures: [digits(13), '999.9999.9999.99'],
    score: checked(
      0.7,
      (value) => value.startsWith('756') && weighted(value, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 === 0,
      0.9,
    ),
    context: ['ahv', 'avs', 'sozialversicherung'],
  },
]

const ODD_VALUES = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]
const FISCAL = /^[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]$/

/** Decreto ministeriale 23 dicembre 1976: odd places by a table, even ones by rank, modulo 26. */
function isFiscalCode(value: string): boolean {
  if (!FISCAL.test(value)) return false
  let sum = 0
  for (let at = 0; at < 15; at += 1) {
    const rank = valueOf(value[at])
    const index = rank > 9 ? rank - 10 : rank
    sum += at % 2 === 0 ? (ODD_VALUES[index] ?? 0) : index
  }
  return sum % 26 === valueOf(value[15]) - 10
}

/** Weights 1, 3, 7, 9; the century is in the month. */
function isPesel(value: string): boolean {
  if (!isDay(part(value, 2, 2) % 20, part(value, 4, 2))) return false
  return weighted(value, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0
}

function isHetu(value: string): boolean {
  const written = /^(\d{6})[A-FU-Y]?(\d{3})([0-9A-Y])$/.exec(value)
  if (written === null || !isDay(part(value, 2, 2), part(value, 0, 2)) || written[2] === '000') return false
  return FINNISH_CHECK[Number(`${written[1]}${written[2]}`) % 31] === written[3]
}

/** Ten digits with Luhn's check, perhaps the century before; the day may have 60 added (coordination number). */
function isPersonnummer(value: string): boolean {
  const short = value.slice(-10)
  if (value.length === 12 && !/^(?:18|19|20)/.test(value)) return false
  return isDay(part(short, 2, 2), part(short, 4, 2) % 60) && luhn(short)
}

/** 97 minus the rest of the first nine digits; a 2 is put before them from 2000 on. */
function isBelgian(value: string): boolean {
  if (part(value, 2, 2) > 12 || part(value, 4, 2) > 31) return false
  const check = part(value, 9, 2)
  return 97 - (part(value, 0, 9) % 97) === check || 97 - ((2_000_000_000 + part(value, 0, 9)) % 97) === check
}

/** United Kingdom: HMRC (NINO), NHS, DVLA, Royal Mail, HM Passport Office. */
export const UNITED_KINGDOM: readonly IdRule[] = [
  {
    type: 'UK_NHS',
    pictures: [digits(10), ...grouped(['999', '999', '9999'], ' -')],
    score: checked(
      0.37,
      (value) => !isRepeated(value) && weighted(value, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0,
      0.62,
    ),
    context: ['nhs', 'national health', 'patient'],
  },
  {
    type: 'UK_NINO',
    pictures: ['AA999999A', 'AA 999999A', 'AA 999999 A', 'AA999999 A', ...grouped(['AA', '99', '99', '99', 'A'], ' -')],
    score: checked(
      0.75,
      (value) =>
        /^[A-CEGHJ-PRSTW-Z][A-CEGHJ-NPRSTW-Z]\d{6}[A-D]$/.test(value) && !/^(?:BG|GB|NK|KN|TN|NT|ZZ)/.test(value),
    ),
    context: ['nino', 'national insurance', 'ni number'],
  },
  {
    type: 'UK_DRIVING_LICENCE',
    pictures: ['*'.repeat(16), '***** ****** *****'],
    score: (value) =>
      /^[A-Z]{1,5}9{0,4}\d(?:0[1-9]|1[0-2]|5[1-9]|6[0-2])(?:0[1-9]|[12]\d|3[01])\d[A-Z9]{2}[0-9A-Z][A-Z]{2}$/.test(
        value,
      )
        ? 0.8
        : 0,
    context: ['driving', 'licence', 'dvla', 'driver'],
  },
  { type: 'UK_PASSPORT', pictures: ['AA9999999'], score: 0.2, context: ['passport', 'passports'] },
  {
    type: 'UK_POSTCODE',
    pictures: ['A9', 'A99', 'AA9', 'AA99', 'A9A', 'AA9A', 'AAA'].flatMap((out) => [`${out} 9AA`, `${out}9AA`]),
    score: (value, written) => {
      const isPostcode =
        /^(?:GIR0AA|[A-PR-UWYZ](?:[A-HK-Y]?\d\d?|\d[A-HJKPSTUW]|[A-HK-Y]\d[ABEHMNPRVWXY])\d[ABD-HJLNP-UW-Z]{2})$/.test(
          value,
        )
      return isPostcode ? (written === written.toUpperCase() && written.includes(' ') ? 0.4 : 0.2) : 0
    },
    context: ['postcode', 'post code', 'address', 'postal', 'zip', 'london'],
  },
  {
    type: 'UK_VEHICLE_REGISTRATION',
    pictures: [
      'AA99AAA',
      'AA99 AAA',
      'AA99-AAA',
      ...[1, 2, 3].flatMap((count) => [
        ...['', ' ', '-'].map((separator) => `A${digits(count)}${separator}AAA`),
        ...['', ' ', '-'].map((separator) => `AAA${separator}${digits(count)}A`),
      ]),
    ],
    score: registrationScore,
    context: ['registration', 'number plate', 'vehicle', 'vehicles', 'car', 'reg', 'dvla', 'plate', 'vrm'],
  },
]

/** DVLA INF104: no I, Q or Z in memory tags, age identifiers 02 to 29 and 51 to 79; prefix and suffix plates before 2001. */
function registrationScore(value: string): number {
  const current = /^[A-HJ-PR-Y][A-HJ-PR-Y](\d\d)[A-HJ-PR-Z]{3}$/.exec(value)
  if (current !== null) {
    const age = Number(current[1])
    return (age >= 2 && age <= 29) || (age >= 51 && age <= 79) ? 0.6 : 0
  }
  if (/^[A-HJ-NPR-TV-Y][1-9]\d{0,2}[A-HJ-PR-Z]{3}$/.test(value)) return 0.25
  return /^[A-HJ-PR-Z]{3}[1-9]\d{0,2}[A-HJ-NPR-TV-Y]$/.test(value) ? 0.2 : 0
}
