import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import { type IdentityDeps, identify } from '#identity/identify.ts'
import { type Session, type Sessions, isFromPage } from '#identity/session.ts'
import type { PageRequest } from '#wire/serve.ts'

export const SESSION_COOKIE = 'tp_session'
const CSRF_HEADER = 'x-thinplane-csrf'

/** The value of a cookie, or undefined. */
export function cookieOf(request: PageRequest, name: string): string | undefined {
  for (const pair of (request.header('cookie') ?? '').split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return undefined
}

/** The session that a request came with, if it is still one and its person is not denied. */
export function sessionOf(sessions: Sessions, identity: IdentityDeps, request: PageRequest): Session | undefined {
  const id = cookieOf(request, SESSION_COOKIE)
  const session = id === undefined ? undefined : sessions.find(id)
  return session !== undefined && identity.denied.denies(session.principal) ? undefined : session
}

/**
 * Who asks the admin API: a token or a key in a header, else the session of a browser. A browser sends its cookie along
 * with whatever any page makes it ask, so a change needs the session's own token in a header, which only ours can set.
 * @throws {Refusal} IDENTITY_MISSING, IDENTITY_INVALID, IDENTITY_EXPIRED, IDENTITY_UNAVAILABLE, POLICY_DENIED
 */
export async function askerOf(sessions: Sessions, identity: IdentityDeps, request: PageRequest): Promise<Principal> {
  const hasHeader = request.authorization !== undefined || request.apiKey !== undefined
  if (hasHeader || cookieOf(request, SESSION_COOKIE) === undefined) return identify(identity, request, request.trip)
  const session = sessionOf(sessions, identity, request)
  if (session === undefined) throw new Refusal('IDENTITY_EXPIRED', 'the session is over, sign in again')
  checkFromPage(session, request)
  return session.principal
}

/** @throws {Refusal} POLICY_DENIED for a change that no page of ours asked for. */
export function checkFromPage(session: Session, request: PageRequest): void {
  if (request.method === 'GET' || request.method === 'HEAD' || isFromPage(session, request.header(CSRF_HEADER))) return
  throw new Refusal('POLICY_DENIED', `a change by cookie needs the header \`${CSRF_HEADER}\` that GET /auth/me gives`)
}
