import { type Server, createServer } from 'node:http'
import { SignJWT, exportJWK, generateKeyPair } from 'jose'

/** Stands in for the control plane where only its passports are needed. */
export interface PassportOffice {
  readonly jwksUrl: string
  /** A passport that has not been used. */
  mint(claims: { readonly collections: readonly string[]; readonly roles: readonly string[] }): Promise<string>
  close(): Promise<void>
}

export interface PassportOfficeOptions {
  readonly issuer: string
  /** Name of the agent. */
  readonly audience: string
}

const LIFETIME_S = 60
const KEY_ID = 'bench'

/** Makes a key, serves its public half on this machine, and signs with it. */
export async function openPassportOffice({ issuer, audience }: PassportOfficeOptions): Promise<PassportOffice> {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true })
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: KEY_ID, alg: 'EdDSA', use: 'sig' }] })
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(keys)
  })
  let serial = 0
  return {
    jwksUrl: `http://127.0.0.1:${await portOf(server)}/jwks.json`,
    async mint({ collections, roles }) {
      serial += 1
      const iat = Math.floor(Date.now() / 1000)
      const claims = {
        iss: issuer,
        aud: audience,
        sub: 'bench',
        tenant: 'bench',
        roles,
        groups: [],
        collections,
        purpose: 'chat',
        residency: 'us',
        jti: `bench-${serial}`,
        iat,
        exp: iat + LIFETIME_S,
      }
      return await new SignJWT(claims)
        .setProtectedHeader({ alg: 'EdDSA', typ: 'passport+jwt', kid: KEY_ID })
        .sign(privateKey)
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function portOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}
