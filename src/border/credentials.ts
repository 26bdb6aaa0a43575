import type { StaticCredential } from '#contract/crossing.ts'
import { amzDate, signV4 } from '#kit/sigv4.ts'

/** Headers that prove who we are, for one call. */
export function credentialHeaders(
  credential: StaticCredential,
  call: {
    readonly method: string
    readonly url: URL
    readonly headers: Readonly<Record<string, string>>
    readonly body: string | Uint8Array
    readonly nowEpochMs: number
  },
): Readonly<Record<string, string>> {
  switch (credential.kind) {
    case 'none':
      return {}
    case 'header':
      return { [credential.header.toLowerCase()]: credential.prefix + credential.secret.reveal() }
    case 'aws-sigv4':
      return signV4(
        { method: call.method, url: call.url, headers: amazonHeaders(call.headers), body: call.body },
        {
          service: credential.service,
          region: credential.region,
          accessKeyId: credential.accessKeyId.reveal(),
          secretAccessKey: credential.secretAccessKey.reveal(),
          amzDate: amzDate(call.nowEpochMs),
        },
      )
  }
}

/** Headers that a signature has to cover beside those that it adds. */
function amazonHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-amz-')))
}
