import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { scan } from './scan.ts'

/** Key-shaped strings are put together here, so that no file of this repository holds one. */
const AWS_KEY = `AKIA${'IOSFODNN7EXAMPLE'}`
const GITHUB_TOKEN = `ghp_${'a1B2'.repeat(9)}`
const PRIVATE_KEY = `-----BEGIN RSA PRIVATE KEY-----\nMIIE${'Ab3'.repeat(30)}\n-----END RSA PRIVATE KEY-----`
const JWT = [{ alg: 'RS256', typ: 'JWT' }, { sub: 'someone' }]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .concat('c2lnbmF0dXJlLXNpZ25hdHVyZQ')
  .join('.')

const FOUND: readonly (readonly [text: string, type: string, value: string])[] = [
  ['write to jane.doe+x@example.co.uk.', 'EMAIL_ADDRESS', 'jane.doe+x@example.co.uk'],
  ['<mailto:a_b@sub.example.org>', 'EMAIL_ADDRESS', 'a_b@sub.example.org'],
  ['card 4111 1111 1111 1111 exp', 'CREDIT_CARD', '4111 1111 1111 1111'],
  ['card 378282246310005', 'CREDIT_CARD', '378282246310005'],
  ['ssn 078-05-1120', 'US_SSN', '078-05-1120'],
  ['call (555) 010-4477 now', 'PHONE_NUMBER', '(555) 010-4477'],
  ['call +49 30 901820 now', 'PHONE_NUMBER', '+49 30 901820'],
  ['pay to DE89 3704 0044 0532 0130 00 today', 'IBAN_CODE', 'DE89 3704 0044 0532 0130 00'],
  ['pay to GB29NWBK60161331926819', 'IBAN_CODE', 'GB29NWBK60161331926819'],
  ['host 10.1.2.3, port 80', 'IP_ADDRESS', '10.1.2.3'],
  ['see https://example.com/path?x=1.', 'URL', 'https://example.com/path?x=1'],
  ['the meeting is on 2026-11-24', 'DATE_TIME', '2026-11-24'],
  ['host 2001:db8::1 answers', 'IP_ADDRESS', '2001:db8::1'],
  [`key ${AWS_KEY} leaked`, 'SECRET', AWS_KEY],
  [`token: ${GITHUB_TOKEN}`, 'SECRET', GITHUB_TOKEN],
  [PRIVATE_KEY, 'SECRET', PRIVATE_KEY],
  [`see ${JWT} here`, 'SECRET', JWT],
  ['password = "hunter2!xyz"', 'SECRET', 'hunter2!xyz'],
  ['postgres://bob:s3cr3tpw@db/x', 'SECRET', 's3cr3tpw'],
]

for (const [text, type, value] of FOUND) {
  test(`finds ${type} in ${JSON.stringify(text.slice(0, 30))}`, () => {
    const found = scan(text).map((finding) => [finding.type, text.slice(finding.start, finding.end)])
    assert.deepEqual(found, [[type, value]])
  })
}

const NOT_FOUND = [
  'the meeting is at 12:30:45, in room 24',
  'version 1.2.3 of the package, 4 of 10',
  'const password = process.env.PASSWORD',
  'card 4111 1111 1111 1112 is mistyped',
  'order 1234567890123456 shipped',
  'ssn 000-12-3456 was never issued',
  'IBAN DE89 3704 0044 0532 0130 01',
  'a @ b, @handle, user@localhost',
  '10.1.2.300 and 1.2.3.4.5',
  'AKIA is how such keys begin',
  'the secret: be kind to everyone',
]

for (const text of NOT_FOUND) {
  test(`finds nothing in ${JSON.stringify(text)}`, () => assert.deepEqual(scan(text), []))
}

test('findings are sorted, inside the text and never overlap, whatever the text', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(...FOUND.map(([text]) => text), '://', '@', 'eyJ', '::'),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('')
      let end = 0
      for (const finding of scan(text)) {
        assert.ok(finding.start >= end && finding.end > finding.start && finding.end <= text.length)
        end = finding.end
      }
    }),
    { numRuns: 500 },
  )
})
