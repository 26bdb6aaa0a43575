import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BASE64_URL, drawn } from './test-values.ts'
import { scan } from './scan.ts'

/** What is hard for a scanner: each makes as many candidates as it can, some that never end. */
const HARD = [
  'password=secret:token api_key="AKIA sk-eyJ ghp_ xoxb- Bearer :// ',
  'a',
  'QUJDZGVmZ2hp',
  '"\'`\\"',
  'a@',
  '-----BEGIN RSA PRIVATE KEY-----\n',
  `-----BEGIN PRIVATE KEY-----\n${drawn(BASE64_URL, 40)}\n`,
  'eyJhbGciOiJIUzI1NiJ9.',
  'eyJhbGciOiJIUzI1NiJ9',
  'a://b:c',
  '%41',
  '&#65;',
  'pass\u200bword=',
  'password="',
  'password=',
  'token:["a","b",',
  'curl -u ',
  '1\n2',
  'a ',
  'key\n',
  '1234\n5678@',
  'secret = \\"',
  'LS0tLS1CRUdJTi',
] as const

const SMALL = 3000

/** Reads of characters: by `charCodeAt`, which is what the matchers are made of, and inside of the searches for a text. */
function readsOf(text: string): number {
  let reads = 0
  // oxlint-disable-next-line typescript/unbound-method -- called with their own `this` below
  const { charCodeAt, indexOf, lastIndexOf } = String.prototype
  /* oxlint-disable no-extend-native -- put back below; the tests of one file run one after the other */
  String.prototype.charCodeAt = function counted(this: string, at: number) {
    reads += 1
    return charCodeAt.call(this, at)
  }
  String.prototype.indexOf = function counted(this: string, what: string, from = 0) {
    const found = indexOf.call(this, what, from)
    reads += (found === -1 ? this.length : found) - from
    return found
  }
  String.prototype.lastIndexOf = function counted(this: string, what: string, from = this.length) {
    const found = lastIndexOf.call(this, what, from)
    reads += Math.min(from, this.length) - Math.max(found, 0)
    return found
  }
  try {
    scan(text)
  } finally {
    Object.assign(String.prototype, { charCodeAt, indexOf, lastIndexOf })
  }
  /* oxlint-enable no-extend-native */
  return reads
}

for (const piece of HARD) {
  test(`four times the text is at most five times the work: ${JSON.stringify(piece.slice(0, 24))} again and again`, () => {
    const small = readsOf(piece.repeat(Math.ceil(SMALL / piece.length)))
    const large = readsOf(piece.repeat(Math.ceil((4 * SMALL) / piece.length)))
    assert.ok(large <= small * 5, `${small} reads became ${large}`)
    assert.ok(large <= 4 * SMALL * 800, `${large} reads`)
  })
}
