import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  BASE64_URL,
  DIGITS,
  HEXADECIMAL,
  LETTERS_AND_DIGITS,
  LOWER_CASE,
  UPPER_CASE,
  drawn,
} from '#detect/test-values.ts'
import { credentialFindings } from './credentials.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const hex = (length: number): string => drawn(HEXADECIMAL, length)
const word = (length: number): string => drawn(LETTERS_AND_DIGITS, length)
const url = (length: number): string => `${drawn(BASE64_URL, length - 1)}x`

/** What it begins with, and what is drawn by chance. */
const SHAPES: readonly (readonly [detector: string, prefix: string, body: string])[] = [
  ['github-token', 'ghp_', `${word(36)}`],
  ['github-fine-grained-token', 'github_pat_', `${word(82)}`],
  ['gitlab-token', 'glpat-', `${url(20)}`],
  ['gitlab-trigger-token', 'glptt-', `${hex(40)}`],
  ['atlassian-token', 'ATATT3', `${url(180)}`],
  ['npm-token', 'npm_', `${word(36)}`],
  ['pypi-token', 'pypi-AgEIcHlwaS5vcmc', `${url(120)}`],
  ['docker-swarm-token', 'SWMTKN-1-', `${drawn(LOWER_CASE + DIGITS, 50)}-${drawn(LOWER_CASE + DIGITS, 25)}`],
  ['postman-key', 'PMAK-', `${hex(24)}-${hex(34)}`],
  ['openai-key', 'sk-proj-', `${url(100)}`],
  ['openai-key', 'sk-', `${word(48)}`],
  ['anthropic-key', 'sk-ant-api03-', `${url(93)}AA`],
  ['huggingface-token', 'hf_', `${drawn(UPPER_CASE + LOWER_CASE, 34)}`],
  ['databricks-token', 'dapi', `${hex(32)}`],
  ['aws-access-key-id', 'AKIA', `${drawn(UPPER_CASE + DIGITS, 16)}`],
  ['google-api-key', 'AIza', `${url(35)}`],
  ['azure-client-secret', 'abC8Q~', `${url(34)}`],
  ['digitalocean-token', 'dop_v1_', `${hex(64)}`],
  ['vault-token', 'hvs.', `${url(90)}`],
  ['tailscale-key', 'tskey-auth-', `${word(16)}-${word(32)}`],
  ['stripe-key', 'sk_live_', `${word(24)}`],
  ['shopify-token', 'shpat_', `${hex(32)}`],
  ['sendgrid-key', 'SG.', `${url(22)}.${url(43)}`],
  ['mailchimp-key', '', `${hex(32)}-us12`],
  ['grafana-token', 'glsa_', `${word(32)}_${hex(8)}`],
  ['sentry-token', 'sntryu_', `${hex(64)}`],
  ['notion-token', 'ntn_', `${drawn(DIGITS, 11)}a${word(34)}`],
  [
    '1password-secret-key',
    'A3-',
    `${drawn(UPPER_CASE, 6)}-${drawn(UPPER_CASE, 6)}-${['5', '6', '7', '8'].map((seed) => drawn(UPPER_CASE, 5, Number(seed))).join('-')}`,
  ],
  ['slack-token', 'xoxb-', `${drawn(DIGITS, 12)}-${word(24)}`],
  ['slack-webhook', 'hooks.slack.com/services/T', `${drawn(UPPER_CASE, 9)}/B${drawn(UPPER_CASE, 9)}/${word(24)}`],
  ['discord-webhook', 'discord.com/api/webhooks/', `${drawn(DIGITS, 18)}/${url(68)}`],
  ['telegram-bot-token', '', `${drawn(DIGITS, 9)}:AA${url(33)}`],
  ['twilio-id', 'SK', `${hex(32)}`],
  ['nkey-seed', 'SU', `${drawn(`${UPPER_CASE}234567`, 56)}`],
  ['age-secret-key', 'AGE-SECRET-KEY-1', `${drawn(UPPER_CASE + DIGITS, 58)}`],
  ['thinplane-key', 'tp-', `${word(43)}`],
]

for (const [detector, prefix, body] of SHAPES) {
  const credential = prefix + body
  test(`${detector} ${prefix} is found whole, in text and in code`, () => {
    for (const text of [`use ${credential} now`, `x("${credential}")`, credential]) {
      const start = text.indexOf(credential)
      const at = credentialFindings(text).find((finding) => finding.detector === detector)
      assert.deepEqual([at?.start, at?.end], [start, start + credential.length], text.slice(0, 12))
    }
  })

  test(`${detector} ${prefix} cut off, alone or masked is nothing`, () => {
    const isFound = (text: string): boolean => credentialFindings(text).some((finding) => finding.detector === detector)
    assert.equal(isFound(prefix), false, 'alone')
    assert.equal(isFound(prefix + body.slice(0, 6)), false, 'cut off')
    if (detector !== 'age-secret-key') assert.equal(isFound(prefix + 'x'.repeat(body.length)), false, 'masked')
  })
}

const pem = (label: string): string => `-----BEGIN ${label}-----\n${word(64)}\n${word(64)}\n-----END ${label}-----`
const JWT = `${base64('{"alg":"HS256","typ":"JWT"}').replaceAll('=', '')}.${base64('{"sub":"someone"}').replaceAll('=', '')}.${url(43)}`

const STRUCTURED: readonly (readonly [detector: string, text: string, credential: string])[] = [
  ['private-key', `a ${pem('RSA PRIVATE KEY')} b`, pem('RSA PRIVATE KEY')],
  [
    'private-key',
    pem('OPENSSH PRIVATE KEY').replaceAll('\n', '\\n'),
    pem('OPENSSH PRIVATE KEY').replaceAll('\n', '\\n'),
  ],
  ['private-key', `k: ${base64(pem('PRIVATE KEY'))}`, base64(pem('PRIVATE KEY'))],
  ['jwt', `Authorization: Bearer ${JWT}`, JWT],
  ['url-password', `postgres://bob:${word(12)}@db.internal/x`, word(12)],
  ['url-password', `redis://:${word(12)}@cache`, word(12)],
  ['basic-authorization', `Authorization: Basic ${base64('bob:s3cret!')}`, base64('bob:s3cret!')],
  ['curl-user', `curl --user "bob@example.com:${word(9)}" https://example.com`, word(9)],
  ['curl-user', `curl https://example.com -u ${word(20)}:`, word(20)],
  ['terraform-token', `x ${word(14)}.atlasv1.${url(64)}`, `${word(14)}.atlasv1.${url(64)}`],
  ['bundler-credential', 'BUNDLE_GEMS__EXAMPLE__COM: cafe12:beef34', 'cafe12:beef34'],
  ['curl-user', `curl -s -u bob:${word(9)} https://example.com`, word(9)],
  ['azure-shared-key', `DefaultEndpointsProtocol=https;AccountKey=${word(86)}==;`, `${word(86)}==`],
]

for (const [detector, text, credential] of STRUCTURED) {
  test(`${detector} is found in ${JSON.stringify(text.slice(0, 24))}`, () => {
    const [finding] = credentialFindings(text).filter((one) => one.detector === detector)
    assert.equal(text.slice(finding?.start, finding?.end), credential)
  })
}

const NOTHING = [
  '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----',
  'a file that begins with `-----BEGIN PRIVATE KEY-----` is a key',
  `-----BEGIN PUBLIC KEY-----\n${word(64)}\n-----END PUBLIC KEY-----`,
  'https://user:password@example.com',
  'https://${USER}:${PASSWORD}@example.com',
  'http://localhost:8080/@scope/package',
  'basic information about the course',
  'docker run -u 1000:1000 image',
  'eyJ is how a token begins, eyJhbGciOi is not one yet',
  'sig=abc',
]

for (const text of NOTHING)
  test(`nothing is found in ${JSON.stringify(text.slice(0, 40))}`, () => assert.deepEqual(credentialFindings(text), []))
