import { CrossFault } from '#contract/crossing.ts'

/** Who issues something on the way to a credential. */
export type IssuerName = 'entra' | 'managed-identity' | 'aws-sts' | 'google-sts' | 'google-iam'

/**
 * What the issuer would have us change, as far as its answer tells: `audience` and `issuer` of the token, the `provider`
 * that it knows, the `trust` in this subject, a `binding` of the service account, a `token` that is not current or not
 * genuine, the `request` itself, the `identity` that asks; `none` when it gave no verdict.
 */
export type Reason =
  | 'audience'
  | 'issuer'
  | 'provider'
  | 'trust'
  | 'binding'
  | 'token'
  | 'request'
  | 'identity'
  | 'none'

const NAMES: Readonly<Record<IssuerName, string>> = {
  entra: 'Entra',
  'managed-identity': 'the managed identity endpoint',
  'aws-sts': 'AWS STS',
  'google-sts': 'Google STS',
  'google-iam': 'Google IAM Credentials',
}

/** No credential for the call. The message says who refused and what to change, and never what was sent. */
export class CredentialFault extends CrossFault {
  readonly issuer: IssuerName
  readonly reason: Reason

  constructor(
    issuer: IssuerName,
    what: string,
    { reason = 'none', cause }: { readonly reason?: Reason; readonly cause?: unknown } = {},
  ) {
    super('credential', `no token for the call: ${NAMES[issuer]} ${what}`, cause)
    this.issuer = issuer
    this.reason = reason
  }
}
