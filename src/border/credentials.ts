import type { StaticCredential } from '#contract/crossing.ts'
import { amzDate, signV4 } from '#kit/sigv4.ts'

interface Call {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
  readonly nowEpochMs: number
}

/** Headers that prove who we are, for one call. */
export function credentialHeaders(credential: StaticCredential, call: Call): Readonly<Record<string, string>> {
  switch (credential.kind) {
    case 'none':
      return {}
    case 'header':
      return { [credential.header.toLowerCase()]: credential.prefix + credential.secret.reveal() }
    case 'aws-sigv4':
      return signed(credential, call)
  }
}

function signed(
  credential: Extract<StaticCredential, { kind: 'aws-sigv4' }>,
  { method, url, headers, body, nowEpochMs }: Call,
): Record<string, string> {
  const { service, region, accessKeyId, secretAccessKey, sessionToken } = credential
  const session: Record<string, string> =
    sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken.reveal() }
  const added = signV4(
    { method, url, headers: { ...amazonHeaders(headers), ...session }, body },
    {
      service,
      region,
      accessKeyId: accessKeyId.reveal(),
      secretAccessKey: secretAccessKey.reveal(),
      amzDate: amzDate(nowEpochMs),
    },
  )
  return { ...session, ...added }
}

/** Headers that a signature has to cover beside those that it adds. */
function amazonHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-amz-')))
}
