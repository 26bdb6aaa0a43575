import { decodeJwt, errors, importJWK, jwtVerify, type JWK, type JWTPayload } from 'jose'
import { aadError } from './entra-error.ts'
import type { EntraClient } from './options.ts'
import type { BodyReply } from './service.ts'

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const AUDIENCE = 'api://AzureADTokenExchange'

/** A token of another issuer instead of a secret: the application's federated credential says whose. */
export async function checkAssertion(form: URLSearchParams, client: EntraClient): Promise<BodyReply | undefined> {
  if (form.get('client_assertion_type') !== ASSERTION_TYPE)
    return aadError(400, 'invalid_request', 900144, "the request body has no 'client_assertion_type'")
  const assertion = form.get('client_assertion') ?? ''
  let claims: JWTPayload
  try {
    claims = decodeJwt(assertion)
  } catch {
    return wrong(50027, 'the JWT token is invalid')
  }
  const { federated } = client
  if (federated === undefined)
    return wrong(70021, 'no matching federated identity record found for the presented assertion')
  if (claims.iss !== federated.issuer) return wrong(700211, 'no matching record for the assertion issuer')
  if (claims.sub !== federated.subject) return wrong(700213, 'no matching record for the assertion subject')
  if (claims.aud !== AUDIENCE) return wrong(700212, 'no matching record for the assertion audience')
  return checkKeys(assertion, federated.keys)
}

async function checkKeys(assertion: string, keys: readonly JWK[]): Promise<BodyReply | undefined> {
  for (const key of keys) {
    try {
      await jwtVerify(assertion, await importJWK(key, 'RS256'), { algorithms: ['RS256'] })
      return undefined
    } catch (error) {
      if (error instanceof errors.JWTExpired) return wrong(700024, 'the assertion is not within its valid time range')
    }
  }
  return wrong(700027, 'the signature of the assertion is not valid')
}

function wrong(code: number, message: string): BodyReply {
  return aadError(401, 'invalid_client', code, message)
}
