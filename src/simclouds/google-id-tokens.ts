import { errors, jwtVerify, SignJWT } from 'jose'
import { makeKey, type SigningKey } from './entra-keys.ts'
import type { BodyReply, Service, SimRequest } from './service.ts'

const ISSUER = 'https://accounts.google.com'
const LIFETIME_S = 3600

let shared: Promise<SigningKey> | undefined

/** One key for the process, made when it is wanted first: making one takes a tenth of a second. */
function googleKey(): Promise<SigningKey> {
  shared ??= makeKey()
  return shared
}

/** An ID token of a service account, signed as Google does. `lifetimeS` is Google's hour unless it says otherwise. */
export async function mintGoogleIdToken(
  audience: string,
  email: string,
  lifetimeS: number = LIFETIME_S,
): Promise<string> {
  const key = await googleKey()
  const iat = Math.floor(Date.now() / 1000)
  const sub = '100000000000000000001'
  return new SignJWT({
    aud: audience,
    azp: sub,
    email,
    email_verified: true,
    iat,
    exp: iat + lifetimeS,
    iss: ISSUER,
    sub,
  })
    .setProtectedHeader({ alg: 'RS256', kid: key.kid, typ: 'JWT' })
    .sign(key.privateKey)
}

export interface Invokers {
  /** What the token has to be for: the service's URL. */
  readonly audience: string
  /** E-mail addresses of the service accounts with `roles/run.invoker`. */
  readonly invokers: readonly string[]
}

/** Puts Cloud Run's own check of ID tokens before a service. */
export function behindIam(service: Service, invokers: Invokers): Service {
  return {
    ...service,
    reply: async (request) => (await denied(service, request, invokers)) ?? service.reply(request),
  }
}

/** No token at all and a token of somebody without the role are 403, a token that is not good is 401. */
async function denied(
  service: Service,
  request: SimRequest,
  { audience, invokers }: Invokers,
): Promise<BodyReply | undefined> {
  const sent = request.headers['x-serverless-authorization'] ?? request.headers['authorization']
  if (sent === undefined) return service.fail(403)
  const token = /^Bearer (\S+)$/i.exec(sent)?.[1] ?? ''
  try {
    const { payload } = await jwtVerify(token, (await googleKey()).publicKey, {
      algorithms: ['RS256'],
      issuer: ISSUER,
      audience,
    })
    return invokers.includes(String(payload['email'])) ? undefined : service.fail(403)
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error
    const page = service.fail(401)
    const says = 'Bearer error="invalid_token" error_description="The access token could not be verified"'
    return { ...page, headers: { ...page.headers, 'www-authenticate': says } }
  }
}
