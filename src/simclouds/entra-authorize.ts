import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Directory } from './entra-tokens.ts'
import type { EntraUser } from './options.ts'
import type { BodyReply, SimRequest } from './service.ts'

/** What an authorization code stands for. */
export interface CodeGrant {
  readonly clientId: string
  readonly redirectUri: string
  readonly challenge: string
  readonly nonce: string | undefined
  readonly scope: string
  readonly user: EntraUser
  readonly untilEpochMs: number
}

/** Authorization codes that wait to be redeemed, each once. */
export class Codes {
  readonly #grants = new Map<string, CodeGrant>()

  add(grant: CodeGrant): string {
    const code = `1.${randomBytes(32).toString('base64url')}`
    this.#grants.set(code, grant)
    return code
  }

  /** Takes a code out: a second try finds nothing. */
  take(code: string): CodeGrant | undefined {
    const grant = this.#grants.get(code)
    this.#grants.delete(code)
    return grant !== undefined && grant.untilEpochMs > Date.now() ? grant : undefined
  }
}

/** Codes of the real service live ten minutes at most. */
const CODE_MS = 600_000
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

/** The sign-in page: a list of the people of this directory instead of passwords, or the redirect once one is chosen. */
export function authorize(request: SimRequest, directory: Directory, codes: Codes): BodyReply {
  const { query } = request
  const clientId = query.get('client_id') ?? ''
  const redirectUri = query.get('redirect_uri') ?? ''
  if (!directory.options.clients.some((client) => client.clientId === clientId))
    return page('Sign in', `<p>AADSTS700016: application ${escaped(clientId)} is not in this directory.</p>`, 400)
  // The real service has a list for each application and takes any port on this machine; this one takes the latter.
  if (!isLoopback(redirectUri))
    return page('Sign in', '<p>AADSTS50011: this redirect URI is not registered for the application.</p>', 400)
  const state = query.get('state')
  const back = (answer: Readonly<Record<string, string>>): BodyReply => redirect(redirectUri, answer, state)
  if (query.get('response_type') !== 'code') {
    return back({ error: 'unsupported_response_type', error_description: 'AADSTS70000: only code is simulated' })
  }
  if (query.get('code_challenge_method') !== 'S256' || query.get('code_challenge') === null) {
    return back({ error: 'invalid_request', error_description: 'AADSTS50148: PKCE with S256 is asked for' })
  }
  if (!(query.get('scope') ?? '').split(' ').includes('openid')) {
    return back({ error: 'invalid_scope', error_description: 'AADSTS70011: the scope has no openid' })
  }
  const chosen = query.get('person')
  if (chosen === null) return choice(request, directory)
  if (chosen === '') return back({ error: 'access_denied', error_description: 'AADSTS65004: the user declined' })
  const user = directory.options.users.find(({ oid }) => oid === chosen)
  if (user === undefined) return choice(request, directory)
  const code = codes.add({
    clientId,
    redirectUri,
    challenge: query.get('code_challenge') ?? '',
    nonce: query.get('nonce') ?? undefined,
    scope: query.get('scope') ?? '',
    user,
    untilEpochMs: Date.now() + CODE_MS,
  })
  return back({ code, session_state: randomBytes(16).toString('hex') })
}

/** RFC 7636: the verifier that was hashed into the challenge. */
export function isVerifierOf(challenge: string, verifier: string): boolean {
  const given = createHash('sha256').update(verifier).digest()
  const wanted = Buffer.from(challenge, 'base64url')
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

function isLoopback(uri: string): boolean {
  return URL.canParse(uri) && LOOPBACK.has(new URL(uri).hostname)
}

function redirect(uri: string, answer: Readonly<Record<string, string>>, state: string | null): BodyReply {
  const url = new URL(uri)
  for (const [name, value] of Object.entries(answer)) url.searchParams.set(name, value)
  if (state !== null) url.searchParams.set('state', state)
  return { status: 302, headers: { location: url.href, 'cache-control': 'no-store' }, body: '' }
}

function choice({ path, query }: SimRequest, { options }: Directory): BodyReply {
  const kept = [...query].filter(([name]) => name !== 'person')
  const fields = kept.map(([name, value]) => `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`)
  const people = options.users.map(
    ({ name, preferredUsername, oid, roles }) =>
      `<button name="person" value="${escaped(oid)}"><b>${escaped(name)}</b><span>${escaped(preferredUsername)}</span><span>${escaped(roles.join(', ') || 'no role')}</span></button>`,
  )
  return page(
    'Who are you?',
    `<form method="get" action="${escaped(path)}">${fields.join('')}${people.join('')}<button name="person" value="" class="none">Do not sign in</button></form>`,
    200,
  )
}

function page(title: string, content: string, status: number): BodyReply {
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    },
    body: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Simulated Entra sign-in</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:8vh auto;padding:0 1rem}
.simulated{border:2px dashed #b45309;border-radius:.5rem;padding:.6rem .9rem}
form{display:grid;gap:.6rem}
button{font:inherit;text-align:left;display:grid;padding:.7rem .9rem;border:1px solid #8888;border-radius:.5rem;background:transparent;color:inherit;cursor:pointer}
button:hover,button:focus-visible{border-color:#2563eb;outline:2px solid #2563eb33}
button span{font-size:.85em;opacity:.75}
.none{text-align:center;border-style:dotted}
</style>
</head>
<body>
<p class="simulated"><b>Simulated Entra.</b> This is a stand-in on this machine: there is no password, and these people do not exist.</p>
<h1>${title}</h1>
${content}
</body>
</html>
`,
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}
