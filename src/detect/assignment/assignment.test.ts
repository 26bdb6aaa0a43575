import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HEXADECIMAL, LETTERS_AND_DIGITS, LOWER_CASE, drawn } from '#detect/test-values.ts'
import { credentialFindings } from '#detect/credentials/credentials.ts'
import { kindOfName, wordsOf } from './name.ts'
import { wordLikeness } from './letters.ts'

const KEY = drawn(LETTERS_AND_DIGITS, 24)
const LETTERS = drawn(LOWER_CASE, 12)
const HEX = drawn(HEXADECIMAL, 32)

/** A text and the values in it that are credentials. */
const FOUND: readonly (readonly [text: string, ...values: string[]])[] = [
  [`API_KEY=${KEY}`, KEY],
  [`export DB_PASSWORD=${LETTERS} && run`, LETTERS],
  [`{"access_token": "${HEX}", "type": "x"}`, HEX],
  [`{\\"access_token\\": \\"${HEX}\\"}`, HEX],
  [`password: ${LETTERS}\n`, LETTERS],
  [`const apiKey: string = '${KEY}'`, KEY],
  [`var token string = "${KEY}"`, KEY],
  [`config["SECRET_KEY"] = '${KEY}'`, KEY],
  [`'client_secret' => '${KEY}',`, KEY],
  [`SetAuthToken("${KEY}")`, KEY],
  [`setProperty("SLACK_TOKEN", "${KEY}")`, KEY],
  [`<apiToken>\n  ${KEY}\n</apiToken>`, KEY],
  [`<add key="AuthToken" value="${KEY}" />`, KEY],
  [`- name: APP_SECRET\n  value: ${KEY}`, KEY],
  [`https://example.com/raw?private_token=${HEX}&ref=main`, HEX],
  [`tool --password ${LETTERS} --force`, LETTERS],
  [`CREATE ROLE me PASSWORD '${LETTERS}'`, LETTERS],
  [`alter user sys identified by ${LETTERS} container=all`, LETTERS],
  [`"tokens":["${HEX}","${KEY}"]`, HEX, KEY],
  [`"Apitoken": "{\\"k\\":\\"${HEX}\\"}"`, HEX],
  [`password = b'${LETTERS}'`, LETTERS],
  ['password = "hunter22!"', 'hunter22!'],
  ["pass: 'sunshine'", 'sunshine'],
  [`Authorization: Bearer ${KEY}`, KEY],
  ['my password is Tr0ub4dor&3, thanks', 'Tr0ub4dor&3'],
  ['Kennwort: sommer2024x', 'sommer2024x'],
  [`twitterKey := "${KEY}"`, KEY],
]

for (const [text, ...values] of FOUND) {
  test(`a credential is given in ${JSON.stringify(text.slice(0, 44))}`, () => {
    const found = credentialFindings(text).map(({ start, end }) => text.slice(start, end))
    assert.deepEqual(found, values)
  })
}

const LEFT_ALONE = [
  'const password = process.env.PASSWORD',
  'password: string',
  'token = getToken()',
  'token: userToken,',
  'password = "${DB_PASSWORD}"',
  'password: <your password>',
  'api_key = "YOUR_API_KEY"',
  'secret: "changeme"',
  'password: ********',
  'password: "$2b$12$abcdefghijklmnopqrstuv"',
  'api_key: "xxxxxxxxxxxxxxxxxxxxxxxx"',
  'private_key: /etc/ssl/private/server.key',
  'token_url = "https://login.example.com/oauth2/token"',
  `public_key = "${KEY}"`,
  `csrf_token: "${KEY}"`,
  'max_tokens: 4096',
  'the password is required and is case-sensitive',
  'the token is expired',
  `shape('github-token', 'ghp_')`,
  'the password must be changed every year',
  'the secret: be kind to everyone',
  'keyboard = "qwertz layout 105"',
  'author: "Jane Doe 1980"',
  'passwordField = "new-password-field"',
  '"LABEL_PASSWORD": "Senha"',
  `key = "${drawn(HEXADECIMAL, 8)}-${drawn(HEXADECIMAL, 4)}-${drawn(HEXADECIMAL, 4)}-${drawn(HEXADECIMAL, 4)}-${drawn(HEXADECIMAL, 12)}"`,
]

for (const text of LEFT_ALONE)
  test(`no credential is given in ${JSON.stringify(text.slice(0, 48))}`, () =>
    assert.deepEqual(credentialFindings(text), []))

test('names are split where people see words', () => {
  assert.deepEqual(wordsOf('oauth2ClientSecret'), ['oauth2', 'client', 'secret'])
  assert.deepEqual(wordsOf('AWS_SECRET_ACCESS-KEY'), ['aws', 'secret', 'access', 'key'])
  assert.deepEqual(wordsOf('XMLToken'), ['xml', 'token'])
})

test('a name says how much it takes, and nothing when it is about a credential', () => {
  assert.equal(kindOfName('dbPassword'), 'password')
  assert.equal(kindOfName('accessKey'), 'secret')
  assert.equal(kindOfName('cache_key'), undefined)
  assert.equal(kindOfName('key'), 'weak')
  assert.equal(kindOfName('passwordHash'), undefined)
  assert.equal(kindOfName('tokenizer'), undefined)
  assert.equal(kindOfName('monkey'), undefined)
})

test('words look like words and drawn letters do not', () => {
  for (const word of ['password', 'credentials', 'configuration', 'getUserName'])
    assert.ok(wordLikeness(word) > 5, word)
  for (const seed of [1, 2, 3, 4, 5, 6]) assert.ok(wordLikeness(drawn(LOWER_CASE, 14, seed)) < 5)
})
