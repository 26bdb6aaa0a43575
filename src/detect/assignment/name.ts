import { HYPHEN, LOWER, UPPER, DIGIT, WORD, isOf, runEnd, runStart } from '#detect/charset.ts'

/** What a name says about the value behind it, from what takes almost any value to what needs a very random one. */
export type NameKind = 'password' | 'secret' | 'weak'

/** Literals that can stand in the name of a credential; found in one pass over the text, without regard to case. */
export const NAME_LITERALS: readonly string[] = [
  'pass',
  'pwd',
  'psw',
  'kennwort',
  'senha',
  'wachtwoord',
  'secret',
  'token',
  'key',
  'auth',
  'cred',
  'bearer',
  'signature',
  'identified by ',
]

const MAX_NAME_CHARS = 64
const NAME = WORD | HYPHEN

/** Where the name around a literal begins and ends. */
export interface NameSpan {
  readonly start: number
  readonly end: number
}

/** The whole name around the literal from `at` to `end`: letters, digits, `_` and `-`. */
export function nameAround(text: string, at: number, end: number): NameSpan {
  const start = runStart(text, at, NAME, MAX_NAME_CHARS)
  let last = runEnd(text, end, NAME, MAX_NAME_CHARS)
  while (last > end && isOf(text, last - 1, HYPHEN)) last -= 1
  return { start, end: last }
}

const PASSWORD = new Set(
  'password passwords passwd passphrase passcode pass pwd psw passwort kennwort senha wachtwoord userpass userpassword dbpass dbpassword rootpassword mypassword testpassword passwordconfirmation'.split(
    ' ',
  ),
)
const SECRET = new Set(
  'secret secrets token tokens apikey apitoken accesstoken authtoken accesskey secretkey clientsecret apisecret appsecret privatekey nkey authkey keyauth appkey signingkey'.split(
    ' ',
  ),
)
const WEAK = new Set(
  'key keys auth authorization oauth credential credentials creds cred authentication authenticator authcode'.split(
    ' ',
  ),
)
/** In front of `key`, these make it one that is kept secret; further below, services whose keys are called so. */
const KEY_QUALIFIERS = new Set(
  'api access secret private encryption auth account storage signing master shared license licence app application client service admin server write webhook integration consumer subscription account deploy session cookie jwt hmac aes crypto security merchant developer dev live prod insert ingest ingestion user'.split(
    ' ',
  ),
)
const SERVICES = new Set(
  'adafruit airtable algolia aws azure beamer bittrex buildkite circleci cloudflare cohere confluent contentful datadog deepseek digitalocean discord docker dropbox elastic etsy fastly finnhub firebase flutterwave freshbooks gemini github gitlab gitter gocardless google grafana groq heroku hubspot intercom jfrog kraken kucoin launchdarkly linear linkedin lob mailchimp mailgun mailjet mandrill mapbox maxmind meraki messagebird mistral mongodb netlify newrelic notion npm nytimes octopus okta openai openrouter openweather pagerduty paypal pinecone plaid postman postmark pusher rapidapi replicate rollbar sendbird sendgrid sentry shippo shodan slack snyk sonar splunk square stripe sumologic supabase tavily telegram tomtom travis trello twilio twitch twitter typeform vercel virustotal vonage wandb yandex youtube zendesk zoom'.split(
    ' ',
  ),
)
/** Behind the telling word, these say that it is about a credential rather than one. */
const ABOUT = new Set(
  'file files path paths dir url uri endpoint name names id ids type types field fields length len size count limit max min expiry expires expiration expire expired ttl timeout policy rule rules hint label title placeholder prompt input form reset manager store storage provider service generator validator valid validation regex pattern format header prefix suffix index column table ref reference version hash hashed algorithm alg algo method mode scheme strategy factory helper util utils class model schema event events handler callback listener error errors message required enabled disabled optional protected less free usage used info metadata page view screen dialog modal button link text encoder decoder parser reader writer source issuer server audience scope scopes status state count counter budget per window bucket ring chain pair pairs map mapping set list word words press code board down up frame stroke space vault secretsmanager kind selector order date time created changed updated at count expiration position ized izer ization'.split(
    ' ',
  ),
)
/** In front, these say that it is no secret. */
const HARMLESS = new Set(
  'public pub primary foreign csrf xsrf authenticity label title placeholder hint error err er non fake mock wrong bad dummy nonexistent encrypted next continuation page pagination cursor sort partition hash range object cache idempotency translation i18n max min num total used prompt completion input output stop eos bos pad unk sep cls mask special vocab route no without forgot missing invalid show hide toggle has is require needs bpe subword registry host ssh_known map dict group lookup unique composite'.split(
    ' ',
  ),
)

/** What a name says, or undefined when it does not speak of a credential. */
export function kindOfName(name: string): NameKind | undefined {
  const words = wordsOf(name)
  let kind: NameKind | undefined
  let at = -1
  for (const [index, word] of words.entries()) {
    const found = kindOfWord(word, words[index - 1])
    if (found === undefined) continue
    at = index
    if (kind === undefined || kind === 'weak' || found === 'password') kind = found
  }
  if (kind === undefined) return undefined
  for (const word of words.slice(at + 1)) if (ABOUT.has(word)) return undefined
  for (const word of words.slice(0, at)) if (HARMLESS.has(word)) return undefined
  return kind
}

function kindOfWord(word: string, before: string | undefined): NameKind | undefined {
  if (PASSWORD.has(word)) return 'password'
  if (SECRET.has(word)) return 'secret'
  if (word === 'bearer') return 'secret'
  if (word === 'signature') return before === 'oauth' ? 'weak' : undefined
  if (
    (word === 'key' || word === 'keys') &&
    before !== undefined &&
    (KEY_QUALIFIERS.has(before) || SERVICES.has(before))
  )
    return 'secret'
  if (WEAK.has(word)) return 'weak'
  if (word.endsWith('password') || word.endsWith('passwd')) return 'password'
  if (word.endsWith('secret') || word.endsWith('token') || word.endsWith('apikey')) return 'secret'
  return undefined
}

/** `oauth2ClientSecret`, `OAUTH2_CLIENT_SECRET`: oauth2, client, secret. */
export function wordsOf(name: string): string[] {
  const words: string[] = []
  let start = 0
  for (let at = 0; at <= name.length; at += 1) {
    const isPart = isOf(name, at, LOWER | UPPER | DIGIT)
    const isHump =
      isPart &&
      at > start &&
      isOf(name, at, UPPER) &&
      (isOf(name, at - 1, LOWER | DIGIT) || (isOf(name, at - 1, UPPER) && isOf(name, at + 1, LOWER)))
    if (isPart && !isHump) continue
    if (at > start) words.push(name.slice(start, at).toLowerCase())
    start = isHump ? at : at + 1
  }
  return words
}
