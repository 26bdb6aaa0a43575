import type { Finding } from '#contract/screened.ts'
import { emailAt } from './email.ts'
import { ipv6At, numberAt } from './numbers.ts'

const AT_SIGN = 64
const COLON = 58
const ZERO = 48
const NINE = 57

/** Personal data in `text`: `@`, digits and colons are the triggers, every candidate is bounded in length. */
export function personalFindings(text: string): Finding[] {
  const found: Finding[] = []
  let wasDigit = false
  let numberEnd = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    const isDigit = code >= ZERO && code <= NINE
    if (isDigit && !wasDigit && at >= numberEnd) {
      const number = numberAt(text, at)
      if (number !== undefined) {
        found.push(number)
        numberEnd = number.end
      }
    } else if (code === AT_SIGN) keep(emailAt(text, at), found)
    else if (code === COLON && text.charCodeAt(at + 1) === COLON) keep(ipv6At(text, at), found)
    else if (code === COLON && isHexBefore(text, at)) keep(ipv6At(text, at), found)
    wasDigit = isDigit
  }
  return found
}

function keep(finding: Finding | undefined, found: Finding[]): void {
  if (finding !== undefined) found.push(finding)
}

/** `2001:` may begin an address; `note:` and `12:30` are left to the cheap test. */
function isHexBefore(text: string, colon: number): boolean {
  if (!/[0-9a-fA-F]/.test(text[colon - 1] ?? ' ')) return false
  for (let at = colon + 1; at <= colon + 5; at += 1) if (text.charCodeAt(at) === COLON) return true
  return false
}
