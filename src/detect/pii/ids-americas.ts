import { isRepeated, luhn, part, valueOf, weighted } from './checks.ts'
import { type IdRule, checked, digits, grouped } from './rule.ts'

const BY_GROUP: readonly string[] = grouped(['999', '99', '9999'], '- .')

/** United States (SSA, IRS, CMS, DEA, ABA, State Department), Canada, Brazil, Mexico. */
export const AMERICAS: readonly IdRule[] = [
  {
    type: 'US_SSN',
    pictures: [digits(9), ...BY_GROUP],
    score: (value, written) => {
      if (!isSsn(value)) return 0
      return written.includes('-') ? 0.95 : written.length > 9 ? 0.55 : 0.08
    },
    context: ['ssn', 'ssns', 'social security', 'ssid', 'social'],
  },
  {
    type: 'US_ITIN',
    pictures: [digits(9), ...BY_GROUP, '999-999999', '99999-9999'],
    score: checked(0.3, (value) => /^9\d\d(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])\d{4}$/.test(value), 0.6),
    context: ['itin', 'taxpayer', 'tax id', 'individual taxpayer', 'tin'],
  },
  {
    type: 'US_PASSPORT',
    pictures: [digits(9), `A${digits(8)}`],
    score: (value) => (/^\d/.test(value) ? 0.05 : 0.12),
    context: ['passport', 'travel document'],
  },
  {
    type: 'US_DRIVER_LICENSE',
    pictures: [
      ...[6, 7, 8, 9, 11, 12, 13, 14].map((count) => `A${digits(count)}`),
      ...[7, 8, 9, 10, 12].map(digits),
      'A999-9999-9999',
      'A999-9999-9999-99',
      'A999-999-99-999-9',
      'A 999 999 999 999',
      'A999-999-999-999',
      '9999-99-9999',
      '999-99-9999',
      '99-999-999',
      '999-999-999',
      '99 999 999',
      'AA999999',
      'AA999999A',
      'AAA999999',
      'A99-99-9999',
      '99AAA99999',
      'AA99999A',
      '999AA9999',
    ],
    score: (value) => (/^[A-Z]/.test(value) ? 0.11 : 0.06),
    context: [
      "driver's",
      'driver’s',
      'driver',
      'drivers',
      'driving',
      'license',
      'licence',
      'permit',
      'lic',
      'dls',
      'dl',
    ],
  },
  {
    type: 'US_BANK_NUMBER',
    pictures: [8, 9, 10, 11, 12, 13, 14, 15, 16, 17].map(digits),
    score: 0.04,
    context: ['account', 'acct', 'bank', 'savings', 'checking', 'debit', 'save', 'konto', 'deposit'],
  },
  {
    type: 'ABA_ROUTING_NUMBER',
    pictures: [digits(9), '9999-9999-9'],
    score: checked(
      0.4,
      (value) =>
        /^(?:0[1-9]|1[0-2]|2[1-9]|3[0-2]|6[1-9]|7[0-2]|80)/.test(value) &&
        weighted(value, [3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 === 0,
      0.6,
    ),
    context: ['aba', 'routing', 'abarouting', 'association', 'bankrouting', 'rtn', 'wire', 'fedwire'],
  },
  {
    type: 'US_MBI',
    pictures: ['*'.repeat(11), '****-***-****', '**** *** ****'],
    score: (value, written) => {
      const isMbi =
        /^[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d[AC-HJKMNP-RT-Y]{2}\d\d$/.test(
          value,
        )
      return isMbi ? (written.length > 11 ? 0.7 : 0.55) : 0
    },
    context: ['medicare', 'mbi', 'beneficiary', 'cms', 'medicaid', 'hic'],
  },
  {
    type: 'US_NPI',
    pictures: [digits(10), ...grouped(['9999', '999', '999'], ' -')],
    score: checked(0.39, (value) => /^[12]/.test(value) && !isRepeated(value) && luhn(`80840${value}`), 0.6),
    context: ['npi', 'provider', 'national provider', 'physician', 'prescriber', 'taxonomy'],
  },
  {
    type: 'MEDICAL_LICENSE',
    pictures: ['AA9999999', 'A99999999', 'AA-9999999'],
    score: checked(0.7, isDea),
    context: ['dea', 'medical', 'certificate', 'prescriber'],
  },
  {
    type: 'CA_SIN',
    pictures: [digits(9), ...grouped(['999', '999', '999'], ' -')],
    score: checked(0.32, (value) => /^[1-79]/.test(value) && !isRepeated(value) && luhn(value), 0.52),
    context: ['sin', 'social insurance', 'assurance sociale', 'nas', 'canada', 'cra'],
  },
  {
    type: 'BR_CPF',
    pictures: [digits(11), '999.999.999-99'],
    score: checked(0.5, (value) => !isRepeated(value) && mod11Twice(value, 9, 11), 0.95),
    context: ['cpf', 'cadastro de pessoas'],
  },
  {
    type: 'BR_CNPJ',
    pictures: [digits(14), '99.999.999/9999-99'],
    score: checked(0.5, (value) => !isRepeated(value) && mod11Twice(value, 12, 9), 0.95),
    context: ['cnpj'],
  },
  {
    type: 'MX_CURP',
    pictures: ['*'.repeat(18)],
    score: (value) => (/^[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d$/.test(value) ? 0.85 : 0),
    context: ['curp'],
  },
]

/** Areas 000, 666 and 900 up, group 00 and serial 0000 were never issued (SSA, "Social Security Number Randomization"). */
function isSsn(value: string): boolean {
  const area = part(value, 0, 3)
  return (
    area !== 0 &&
    area !== 666 &&
    area < 900 &&
    part(value, 3, 2) !== 0 &&
    part(value, 5, 4) !== 0 &&
    !isRepeated(value) &&
    value !== '123456789'
  )
}

/** Registrant type, first letter of the name or 9, six digits, check (DEA, 21 CFR 1301). */
function isDea(value: string): boolean {
  if (!/^[A-HJ-NPR-UX][A-Z9]/.test(value)) return false
  const digit = (at: number): number => valueOf(value[at + 1])
  return (digit(1) + digit(3) + digit(5) + 2 * (digit(2) + digit(4) + digit(6))) % 10 === digit(7)
}

/** Two check digits modulo 11 with weights 2 up to `cycle` from the right (Receita Federal). */
function mod11Twice(value: string, length: number, cycle: number): boolean {
  for (let check = length; check < length + 2; check += 1) {
    let sum = 0
    for (let at = 0; at < check; at += 1) sum += valueOf(value[at]) * (2 + ((check - 1 - at) % (cycle === 9 ? 8 : 10)))
    if ((sum % 11 < 2 ? 0 : 11 - (sum % 11)) !== valueOf(value[check])) return false
  }
  return true
}
