import { isDay, isRepeated, luhn, part, valueOf, verhoeff, weighted } from './checks.ts'
import { type IdRule, checked, digits, grouped } from './rule.ts'

const INDIAN_STATE =
  /^(?:AN|AP|AR|AS|BR|BH|CH|CG|DD|DL|DN|GA|GJ|HR|HP|JH|JK|KA|KL|LA|LD|MH|ML|MN|MP|MZ|NL|OD|OR|PB|PY|RJ|SK|TN|TG|TR|TS|UK|UP|WB)/

/** India (UIDAI, Income Tax Department, GSTN, ECI), Singapore (ICA, ACRA), Korea, Thailand, Philippines, Turkey, China, Japan. */
export const ASIA: readonly IdRule[] = [
  {
    type: 'IN_AADHAAR',
    pictures: [digits(12), ...grouped(['9999', '9999', '9999'], ' -:')],
    score: checked(0.45, (value) => /^[2-9]/.test(value) && !isPalindrome(value) && verhoeff(value), 0.65),
    context: ['aadhaar', 'aadhar', 'uidai', 'आधार'],
  },
  {
    type: 'IN_PAN',
    pictures: ['AAAAA9999A', '*'.repeat(10)],
    score: (value) => {
      if (/^[A-Z]{3}[ABCFGHJLPTK][A-Z]\d{4}[A-Z]$/.test(value)) return 0.75
      return /^[A-Z]{5}\d{4}[A-Z]$/.test(value) ? 0.3 : 0
    },
    context: ['pan', 'permanent account', 'income tax'],
  },
  {
    type: 'IN_GSTIN',
    pictures: ['*'.repeat(15)],
    score: (value) => (/^(?:0[1-9]|[12]\d|3[0-8]|97|99)[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]$/.test(value) ? 0.8 : 0),
    context: ['gstin', 'gst'],
  },
  {
    type: 'IN_VOTER',
    pictures: ['AAA9999999'],
    score: 0.45,
    context: ['voter', 'vote', 'epic', 'elector', 'election'],
  },
  {
    type: 'IN_PASSPORT',
    pictures: ['A9999999', 'A 9999999', 'A-9999999'],
    score: (value) => (/^[A-PR-WY][1-9]\d{5}[1-9]$/.test(value) ? 0.2 : 0),
    context: ['passport', 'passports'],
  },
  {
    type: 'IN_VEHICLE_REGISTRATION',
    pictures: [
      ...[1, 2, 3].flatMap((letters) =>
        [1, 2, 3, 4].flatMap((count) =>
          ['', ' ', '-'].map((gap) => ['AA99', 'A'.repeat(letters), digits(count)].join(gap)),
        ),
      ),
      '99AA9999A',
      '99AA9999AA',
      'AA9999',
      'AAA9999',
      'AA-99-AA-9999',
      'AA 99 AA 9999',
      'AA9A9999',
      'AA9AA9999',
    ],
    score: (value) => {
      if (/^\d\dBH\d{4}[A-Z]{1,2}$/.test(value)) return 0.6
      if (!/^[A-Z]{2}\d{1,2}[A-Z]/.test(value)) return /^[A-Z]{2,3}\d{4}$/.test(value) ? 0.12 : 0
      return INDIAN_STATE.test(value) ? (value.length >= 9 ? 0.6 : 0.4) : 0
    },
    context: ['registration', 'vehicle', 'bike', 'rto', 'plate', 'car'],
  },
  {
    type: 'SG_NRIC_FIN',
    pictures: ['A9999999A'],
    score: (value) => (isNric(value) ? 0.85 : /^[STFGM]/.test(value) ? 0.45 : 0.1),
    context: ['nric', 'fin', 'singapore'],
  },
  {
    type: 'SG_UEN',
    pictures: ['999999999A', 'A99AA9999A', '99999999A'],
    score: (value) => {
      if (/^[RST]\d\d[A-Z]{2}\d{4}[A-Z]$/.test(value)) return 0.6
      return /^(?:19|20)\d{7}[A-Z]$/.test(value) ? 0.5 : /^\d{8}[A-Z]$/.test(value) ? 0.15 : 0
    },
    context: ['uen', 'unique entity', 'acra', 'singapore'],
  },
  {
    type: 'KR_RRN',
    pictures: [digits(13), '999999-9999999'],
    score: (value, written) => koreanScore(value, written, /^[1-4]/, 0),
    context: ['주민등록', '주민', 'rrn', 'resident registration', 'korean'],
  },
  {
    type: 'KR_FRN',
    pictures: [digits(13), '999999-9999999'],
    score: (value, written) => koreanScore(value, written, /^[5-8]/, 2),
    context: ['외국인등록', 'frn', 'foreigner', 'alien registration'],
  },
  {
    type: 'KR_BRN',
    pictures: [digits(10), '999-99-99999'],
    score: checked(0.41, isKoreanBusiness, 0.75),
    context: ['사업자', 'brn', 'business registration'],
  },
  {
    type: 'KR_PASSPORT',
    pictures: ['A999A9999', 'A99999999'],
    score: (value) => (/^[MSRODG]/.test(value) ? (/^.\d{3}[A-Z]/.test(value) ? 0.4 : 0.2) : 0),
    context: ['여권', 'passport', 'passports', 'korea', 'korean'],
  },
  {
    type: 'KR_DRIVER_LICENSE',
    pictures: [digits(12), ...grouped(['99', '99', '999999', '99'], ' -')],
    score: checked(0.2, (value) => /^(?:1[1-9]|2[0-68])/.test(value), 0.65),
    context: ['운전면허', 'license', 'licence', 'driver'],
  },
  {
    type: 'TH_TNIN',
    pictures: [digits(13), ...grouped(['9', '9999', '99999', '99', '9'], '- ')],
    score: checked(0.6, isThai, 0.9),
    context: ['thai', 'thailand', 'เลขประจำตัว', 'บัตรประชาชน', 'tnin', 'national id'],
  },
  {
    type: 'PH_TIN',
    pictures: [digits(9), digits(12), digits(14), '999-999-999', '999-999-999-999', '999-999-999-99999'],
    score: (value, written) => (written.length > value.length && value.length > 9 ? 0.3 : 0.03),
    context: ['tin', 'bir', 'taxpayer', 'philippine'],
  },
  {
    type: 'TR_NATIONAL_ID',
    pictures: [digits(11)],
    score: checked(0.8, isTurkish),
    context: ['tc', 'tckn', 'kimlik', 'turkish', 'vatandaş'],
  },
  {
    type: 'TR_LICENSE_PLATE',
    pictures: ['A 999', 'A 9999', 'A 99999', 'AA 99', 'AA 999', 'AA 9999', 'AAA 99', 'AAA 999', 'AAA 9999'].flatMap(
      (rest) => [`99 ${rest}`, `99${rest.replace(' ', '')}`],
    ),
    score: (value, written) => {
      const letters = /[A-Z]+/.exec(value)?.[0] ?? ''
      if (part(value, 0, 2) < 1 || part(value, 0, 2) > 81 || MONTHS.has(letters)) return 0
      return written === written.toUpperCase() && /\s/.test(written) ? 0.45 : 0.2
    },
    context: ['plaka', 'plakası', 'plakalı', 'araç', 'license plate', 'plate', 'tescil'],
  },
  {
    type: 'CN_RESIDENT_ID',
    pictures: ['*'.repeat(18)],
    score: checked(0.95, (value) => {
      if (!/^[1-9]\d{16}[0-9X]$/.test(value) || !isDay(part(value, 10, 2), part(value, 12, 2))) return false
      const check = weighted(value, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11
      return '10X98765432'[check] === value[17]
    }),
    context: ['身份证'],
  },
  {
    type: 'JP_MY_NUMBER',
    pictures: [digits(12), ...grouped(['9999', '9999', '9999'], ' -')],
    score: checked(0.15, (value) => {
      const rest = weighted(value, [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11
      return (rest <= 1 ? 0 : 11 - rest) === valueOf(value[11])
    }),
    context: ['マイナンバー', '個人番号', 'my number'],
  },
]

const MONTHS = new Set(
  'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC AM PM KB MB GB MS KM CM MM KG UHR ET'.split(' '),
)

function isPalindrome(value: string): boolean {
  return value === value.split('').toReversed().join('')
}

/** Weights 2 7 6 5 4 3 2; T and G add 4, M adds 3; the letter is in one of three tables (ICA). */
function isNric(value: string): boolean {
  const series = value[0] ?? '?'
  const sum = weighted(value.slice(1), [2, 7, 6, 5, 4, 3, 2]) + ('TG'.includes(series) ? 4 : series === 'M' ? 3 : 0)
  const table = 'ST'.includes(series) ? 'JZIHGFEDCBA' : 'FG'.includes(series) ? 'XWUTRQPNMLK' : 'XWUTRQPNJLK'
  if (!'STFGM'.includes(series)) return false
  return table[series === 'M' ? 10 - (sum % 11) : sum % 11] === value[8]
}

/** Date, sex and century, serial; the check digit holds for numbers of before October 2020 only. */
function koreanScore(value: string, written: string, century: RegExp, addend: number): number {
  if (!century.test(value.slice(6)) || !isDay(part(value, 2, 2), part(value, 4, 2))) return 0
  const sum = weighted(value, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5])
  if ((11 - (sum % 11) + addend) % 10 === valueOf(value[12])) return written.length > 13 ? 0.9 : 0.7
  return written.length > 13 ? 0.6 : 0.25
}

/** National Tax Service: weights 1 3 7 1 3 7 1 3 5, and the tens of the last product. */
function isKoreanBusiness(value: string): boolean {
  const sum = weighted(value, [1, 3, 7, 1, 3, 7, 1, 3, 5]) + Math.floor((valueOf(value[8]) * 5) / 10)
  return !isRepeated(value) && part(value, 0, 3) >= 101 && (10 - (sum % 10)) % 10 === valueOf(value[9])
}

/** Kind of person 1 to 8, province of registration, weights 13 down to 2 modulo 11 (DOPA). */
function isThai(value: string): boolean {
  if (!/^[1-8](?:1\d|2[0-7]|3\d|4\d|5[0-8]|6[0-7]|7[0-7]|8[0-6]|9[0-6])/.test(value)) return false
  return (11 - (weighted(value, [13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 10 === valueOf(value[12])
}

/** NVI: the tenth digit from odd and even places, the eleventh from the sum of ten. */
function isTurkish(value: string): boolean {
  const digit = (at: number): number => valueOf(value[at])
  const odd = digit(0) + digit(2) + digit(4) + digit(6) + digit(8)
  const even = digit(1) + digit(3) + digit(5) + digit(7)
  return digit(0) !== 0 && (odd * 7 - even + 100) % 10 === digit(9) && (odd + even + digit(9)) % 10 === digit(10)
}

/** Australia (ATO, ASIC, Services Australia), South Africa (DHA), Nigeria (NIMC, FRSC). */
export const SOUTH: readonly IdRule[] = [
  {
    type: 'AU_ABN',
    pictures: [digits(11), ...grouped(['99', '999', '999', '999'], ' -')],
    score: checked(
      0.8,
      (value) => weighted(value, [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) % 89 === 10 % 89 && value[0] !== '0',
      0.9,
    ),
    context: ['abn', 'australian business'],
  },
  {
    type: 'AU_ACN',
    pictures: [digits(9), ...grouped(['999', '999', '999'], ' -')],
    score: checked(
      0.3,
      (value) => (10 - (weighted(value, [8, 7, 6, 5, 4, 3, 2, 1]) % 10)) % 10 === valueOf(value[8]),
      0.5,
    ),
    context: ['acn', 'australian company'],
  },
  {
    type: 'AU_TFN',
    pictures: [digits(9), ...grouped(['999', '999', '999'], ' -')],
    score: checked(
      0.31,
      (value) => !isRepeated(value) && weighted(value, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 === 0,
      0.51,
    ),
    context: ['tfn', 'tax file'],
  },
  {
    type: 'AU_MEDICARE',
    pictures: [digits(10), '9999 99999 9', '9999-99999-9'],
    score: checked(
      0.4,
      (value) => /^[2-6]/.test(value) && weighted(value, [1, 3, 7, 9, 1, 3, 7, 9]) % 10 === valueOf(value[8]),
      0.65,
    ),
    context: ['medicare'],
  },
  {
    type: 'ZA_ID_NUMBER',
    pictures: [digits(13), '999999 9999 999', '999999 9999 9 9 9'],
    score: checked(
      0.8,
      (value) =>
        isDay(part(value, 2, 2), part(value, 4, 2)) &&
        '012'.includes(value[10] ?? '?') &&
        '89'.includes(value[11] ?? '?') &&
        luhn(value),
    ),
    context: ['south africa', 'sa id', 'identity', 'resident'],
  },
  {
    type: 'NG_NIN',
    pictures: [digits(11), '9999 999 9999', '9999-999-9999'],
    score: 0.09,
    context: ['nin', 'nimc', 'national identification', 'nigeria'],
  },
  {
    type: 'NG_VEHICLE_REGISTRATION',
    pictures: ['AAA-999AA', 'AAA999AA', 'AAA 999AA', 'AAA 999 AA', 'AAA-999-AA'],
    score: (_value, written) => (written.includes('-') ? 0.6 : 0.45),
    context: ['plate', 'plates', 'vehicle', 'registration', 'nigeria', 'frsc'],
  },
]
