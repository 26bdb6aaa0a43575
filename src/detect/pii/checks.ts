/** Check digits, on values without separators. Each names the authority that defines it. */

/** Value of a digit, or of a letter as 10 to 35 (ISO 7064, ICAO 9303). */
export function valueOf(char: string | undefined): number {
  const code = char?.charCodeAt(0) ?? 0
  return code < 58 ? code - 48 : (code & 31) + 9
}

/** Sum of digit times weight. */
export function weighted(value: string, weights: readonly number[]): number {
  let sum = 0
  for (let at = 0; at < weights.length; at += 1) sum += valueOf(value[at]) * (weights[at] ?? 0)
  return sum
}

/** ISO/IEC 7812-1, annex B: every second digit from the right is doubled. */
export function luhn(digits: string): boolean {
  let sum = 0
  for (let at = 0; at < digits.length; at += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - at) - 48
    const doubled = at % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

/** ISO 13616: the first four characters go to the end, the remainder of 97 is 1. */
export function mod97(code: string): boolean {
  let rest = 0
  for (const char of code.slice(4) + code.slice(0, 4)) {
    const value = valueOf(char)
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest === 1
}

/** ISO 7064, MOD 11,10: German tax id and VAT id. The last digit is the check. */
export function mod11And10(digits: string): boolean {
  let product = 10
  for (let at = 0; at < digits.length - 1; at += 1) {
    const sum = (valueOf(digits[at]) + product) % 10
    product = ((sum === 0 ? 10 : sum) * 2) % 11
  }
  return (11 - product) % 10 === valueOf(digits.at(-1))
}

/** ICAO 9303 part 3: weights 7, 3, 1; the last character is the check digit. */
export function icao(value: string): boolean {
  let sum = 0
  for (let at = 0; at < value.length - 1; at += 1) sum += valueOf(value[at]) * ([7, 3, 1][at % 3] ?? 0)
  return sum % 10 === valueOf(value.at(-1))
}

const DIHEDRAL = '0123456789123406789523401789563401289567401239567859876043216598710432765982104387659321049876543210'
const PERMUTATION = '01234567891576283094580379614289160435279453126870428657390127938064157046913258'

/** Verhoeff's check over the dihedral group of order 10 (UIDAI, Aadhaar numbering scheme). */
export function verhoeff(digits: string): boolean {
  let sum = 0
  for (let at = 0; at < digits.length; at += 1) {
    const digit = valueOf(digits[digits.length - 1 - at])
    sum = valueOf(DIHEDRAL[sum * 10 + valueOf(PERMUTATION[(at % 8) * 10 + digit])])
  }
  return sum === 0
}

/** Adds the digits of a product of two digits. */
export function crossSum(value: number): number {
  return Math.floor(value / 10) + (value % 10)
}

/** Whether `yymmdd` could be a day; no year is refused. */
export function isDay(month: number, day: number): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= (month === 2 ? 29 : [4, 6, 9, 11].includes(month) ? 30 : 31)
}

/** Digits of `value` from `at`, as a number. */
export function part(value: string, at: number, length: number): number {
  return Number(value.slice(at, at + length))
}

export function isRepeated(digits: string): boolean {
  return digits === (digits[0] ?? '').repeat(digits.length)
}
