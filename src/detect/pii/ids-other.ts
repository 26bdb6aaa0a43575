import { createHash } from 'node:crypto'
import { isDay, part } from './checks.ts'
import type { IdRule } from './rule.ts'

/** Kinds that belong to no country. */
export const OTHER: readonly IdRule[] = [
  {
    type: 'MAC_ADDRESS',
    pictures: ['**:**:**:**:**:**', '**-**-**-**-**-**', '****.****.****'],
    score: (value) => (/^[0-9A-F]{12}$/.test(value) && !/^(?:F{12}|0{12})$/.test(value) ? 0.7 : 0),
    context: ['mac', 'hardware address', 'ethernet', 'bssid'],
  },
  {
    type: 'CRYPTO',
    pictures: Array.from({ length: 10 }, (_unused, index) => '*'.repeat(26 + index)),
    score: (_value, written) => (/^[13]/.test(written) && isBase58Check(written) ? 1 : 0),
    context: [],
  },
  {
    type: 'CRYPTO',
    pictures: [42, 62].map((length) => '*'.repeat(length)),
    score: (value, written) => {
      if (value.startsWith('BC1')) return isBech32(value.toLowerCase()) ? 1 : 0
      return /^0x[0-9a-fA-F]{40}$/.test(written) ? 0.6 : 0
    },
    context: ['wallet', 'ethereum', 'eth', 'crypto', 'address'],
  },
  {
    type: 'DATE_TIME',
    pictures: ['/', '-', '.'].flatMap((separator) =>
      ['9', '99'].flatMap((first) =>
        ['9', '99'].flatMap((second) => ['99', '9999'].map((year) => [first, second, year].join(separator))),
      ),
    ),
    score: (_value, written) => {
      const [a = 0, b = 0] = written.split(/[-/.]/).map(Number)
      if (!isDay(a, b) && !isDay(b, a)) return 0
      // `1.2.34` may as well be a version.
      return written.includes('.') && written.length < 8 ? 0.35 : 0.7
    },
    context: ['date', 'born', 'birth', 'birthday', 'today', 'since', 'datum', 'fecha'],
  },
  {
    type: 'DATE_TIME',
    pictures: ['99/9999', '9/9999', '9/99', '99/99'],
    score: (value, written) => {
      const [month = 0] = written.split('/').map(Number)
      return month >= 1 && month <= 12 ? (value.length >= 5 ? 0.3 : 0.1) : 0
    },
    context: ['date', 'expires', 'expiry', 'exp', 'today', 'born', 'since', 'until', 'valid'],
  },
  {
    type: 'DATE_TIME',
    pictures: ['9', '99']
      .flatMap((day) => ['-', ' '].map((separator) => `${day}${separator}AAA`))
      .concat(['99-AAA-9999', '9-AAA-9999', '99-AAA-99', '99 AAA 9999', '9 AAA 9999']),
    score: (value) => {
      const month = MONTHS.indexOf(/[A-Z]+/.exec(value)?.[0] ?? '?')
      return month >= 0 && part(value, 0, value.search(/[A-Z]/)) <= 31 ? 0.65 : 0
    },
    context: [],
  },
]

const MONTHS = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ')
const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const BECH32 = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'

/** Bitcoin's Base58Check: 21 bytes, and the first four of the double SHA-256 as a check. */
function isBase58Check(value: string): boolean {
  let number = 0n
  for (const char of value) {
    const digit = BASE58.indexOf(char)
    if (digit < 0) return false
    number = number * 58n + BigInt(digit)
  }
  const hex = number.toString(16).padStart(50, '0')
  if (hex.length !== 50) return false
  const bytes = Buffer.from(hex, 'hex')
  const once = createHash('sha256').update(bytes.subarray(0, 21)).digest()
  return createHash('sha256').update(once).digest().subarray(0, 4).equals(bytes.subarray(21))
}

const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]

/** BIP 173 and BIP 350: the polymod of prefix and data is 1 (bech32) or 0x2bc830a3 (bech32m). */
function isBech32(value: string): boolean {
  let sum = 1
  const step = (digit: number): void => {
    const top = sum >>> 25
    sum = ((sum & 0x1ffffff) << 5) ^ digit
    for (const [bit, generator] of GENERATOR.entries()) if (((top >> bit) & 1) === 1) sum ^= generator
  }
  for (const char of 'bc') step(char.charCodeAt(0) >> 5)
  step(0)
  for (const char of 'bc') step(char.charCodeAt(0) & 31)
  for (const char of value.slice(3)) {
    const digit = BECH32.indexOf(char)
    if (digit < 0) return false
    step(digit)
  }
  return sum === 1 || sum === 0x2bc830a3
}
