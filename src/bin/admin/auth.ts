import type { OnAdminEvent } from '#contract/admin-event.ts'
import type { Trip } from '#contract/crossing.ts'
import { Refusal, asRefusal } from '#contract/refusal.ts'
import type { IdentityDeps } from '#identity/identify.ts'
import type { Sessions } from '#identity/session.ts'
import { PENDING_MS, type Person, type SignIn, safePath } from '#identity/sign-in.ts'
import { identifyToken } from '#identity/token.ts'
import type { PageAnswer, PageRequest } from '#wire/serve.ts'
import { json } from './answers.ts'
import { actorOf } from './api.ts'
import { SESSION_COOKIE, checkFromPage, cookieOf, sessionOf } from './asker.ts'
import { signInProblemPage } from './problem-page.ts'

/** Sign-in as it is configured now. */
export interface SignInSetup {
  readonly signIn: SignIn
  readonly sessionMs: number
  /** Where browsers reach this server, without a slash at the end. */
  readonly publicUrl: string
}

export interface AuthDeps {
  /** Undefined when sign-in is not configured. */
  readonly setup: () => SignInSetup | undefined
  readonly sessions: Sessions
  readonly identity: () => IdentityDeps
  readonly onAdminEvent: OnAdminEvent
  /** What stands behind a refusal that is shown on a page. */
  readonly onFault: (requestId: string, cause: unknown) => void
}

const PENDING_COOKIE = 'tp_login'

/** `/auth/...`: sign-in of people with their browser. @returns undefined for other paths. @throws {Refusal} */
export async function answerAuth(deps: AuthDeps, request: PageRequest): Promise<PageAnswer | undefined> {
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  switch (request.path) {
    case '/auth/me':
      return isRead ? me(deps, request) : undefined
    case '/auth/logout':
      return request.method === 'POST' ? logout(deps, request) : undefined
    case '/auth/login':
      return isRead ? onPage(deps, request, login) : undefined
    case '/auth/callback':
      return isRead ? onPage(deps, request, callback) : undefined
    default:
      return undefined
  }
}

function me({ setup, sessions, identity }: AuthDeps, request: PageRequest): PageAnswer {
  const session = setup() === undefined ? undefined : sessionOf(sessions, identity(), request)
  if (session === undefined) return json({ canSignIn: setup() !== undefined, signedIn: false })
  const { principal, name, csrf, expiresAtEpochMs } = session
  return json({ canSignIn: true, signedIn: true, name, roles: principal.roles, csrf, expiresAtEpochMs })
}

function logout({ setup, sessions, identity, onAdminEvent }: AuthDeps, request: PageRequest): PageAnswer {
  const session = sessionOf(sessions, identity(), request)
  if (session === undefined) throw new Refusal('IDENTITY_EXPIRED', 'nobody is signed in here')
  checkFromPage(session, request)
  sessions.close(cookieOf(request, SESSION_COOKIE) ?? '')
  const { principal } = session
  onAdminEvent({
    kind: 'sign-in',
    action: 'signed-out',
    actor: actorOf(principal),
    subjectId: principal.credentialId,
    outcome: 'done',
    atEpochMs: Date.now(),
    detail: {},
  })
  return withCookies(json({ signedIn: false }), [cookie(setup(), SESSION_COOKIE, '', 0)])
}

async function login(setup: SignInSetup, _deps: AuthDeps, request: PageRequest): Promise<PageAnswer> {
  const returnTo = safePath(request.query.get('return_to') ?? '/')
  // The cookie has to be of the host that the issuer sends the browser back to: 127.0.0.1 is not localhost.
  if (request.header('host') !== new URL(setup.publicUrl).host && !request.query.has('here')) {
    return redirect(`${setup.publicUrl}/auth/login?here=1&return_to=${encodeURIComponent(returnTo)}`)
  }
  const { location, pending } = await setup.signIn.begin({ redirectUri: callbackOf(setup), returnTo }, request.trip)
  return withCookies(redirect(location), [cookie(setup, PENDING_COOKIE, pending, PENDING_MS)])
}

async function callback(setup: SignInSetup, deps: AuthDeps, request: PageRequest): Promise<PageAnswer> {
  const { sessions, onAdminEvent, identity } = deps
  const pending = cookieOf(request, PENDING_COOKIE) ?? ''
  const answer = { query: request.query, pending, redirectUri: callbackOf(setup) }
  const person = await withRoles(identity(), await setup.signIn.finish(answer, request.trip), request.trip)
  if (identity().denied.denies(person.principal))
    throw new Refusal('IDENTITY_FORBIDDEN', 'you are on the deny list of this control plane, ask its administrator')
  // Whatever session the browser had before is over: nobody can plant one.
  sessions.close(cookieOf(request, SESSION_COOKIE) ?? '')
  const { id, session } = sessions.open(person, setup.sessionMs)
  onAdminEvent({
    kind: 'sign-in',
    action: 'signed-in',
    actor: actorOf(session.principal),
    subjectId: session.principal.credentialId,
    outcome: 'done',
    atEpochMs: Date.now(),
    detail: { roles: session.principal.roles.join(' ') },
  })
  return withCookies(redirect(person.returnTo), [
    cookie(setup, SESSION_COOKIE, id, setup.sessionMs),
    cookie(setup, PENDING_COOKIE, '', 0),
  ])
}

/** Roles of the access token that came along, when the ID token carries none and it is one for this API. */
async function withRoles(identity: IdentityDeps, person: Person, trip: Trip): Promise<Person> {
  const { accessToken, principal } = person
  if (accessToken === undefined || principal.roles.length > 0) return person
  try {
    const { subject, tenant, roles } = await identifyToken(identity, accessToken, trip)
    return subject === principal.subject && tenant === principal.tenant
      ? { ...person, principal: Object.freeze({ ...principal, roles }) }
      : person
  } catch {
    // A token for another API is none of our business: the person is known, and has no role here.
    return person
  }
}

/** A browser is told on a page what went wrong, with a way to begin again. */
async function onPage(
  deps: AuthDeps,
  request: PageRequest,
  work: (setup: SignInSetup, deps: AuthDeps, request: PageRequest) => Promise<PageAnswer>,
): Promise<PageAnswer> {
  const setup = deps.setup()
  if (setup === undefined)
    throw new Refusal('WIRE_NOT_FOUND', 'sign-in is not configured here, set `identity.signIn`, or use a key')
  try {
    return await work(setup, deps, request)
  } catch (error) {
    const refusal = asRefusal(error)
    if (refusal.status >= 500) deps.onFault(request.trip.requestId, refusal.cause)
    // Anybody can ask for this path: only a sign-in that was begun here can fill the trail.
    if (setup.signIn.knows(cookieOf(request, PENDING_COOKIE) ?? '')) {
      deps.onAdminEvent({
        kind: 'sign-in',
        action: 'tried',
        actor: 'unknown',
        subjectId: request.trip.requestId,
        outcome: refusal.status >= 500 ? 'failed' : 'refused',
        atEpochMs: Date.now(),
        detail: { code: refusal.code },
      })
    }
    return withCookies(signInProblemPage(refusal, request.trip.requestId), [cookie(setup, PENDING_COOKIE, '', 0)])
  }
}

function callbackOf({ publicUrl }: SignInSetup): string {
  return `${publicUrl}/auth/callback`
}

function redirect(location: string): PageAnswer {
  return { status: 303, headers: { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }, body: '' }
}

function withCookies(answer: PageAnswer, cookies: readonly string[]): PageAnswer {
  return { ...answer, headers: { ...answer.headers, 'set-cookie': cookies } }
}

/** Scripts can not read it, other sites can not send it with a change, and it goes over https where there is some. */
function cookie(setup: SignInSetup | undefined, name: string, value: string, ageMs: number): string {
  const secure = setup?.publicUrl.startsWith('https:') === true ? '; Secure' : ''
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${Math.floor(ageMs / 1000)}${secure}`
}
