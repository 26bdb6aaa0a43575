/** Who is asking, as far as policy, passport and audit need to know. Frozen; one object per credential while cached. */
export interface Principal {
  /** Stable id inside the tenant: Entra `oid`, OIDC `sub`, or the key's id. */
  readonly subject: string
  /** Entra `tid`, the issuer's configured tenant name, or the key's tenant. */
  readonly tenant: string
  readonly kind: 'user' | 'app' | 'key'
  /** Application roles such as `developer`, sorted. */
  readonly roles: readonly string[]
  /** Group ids, sorted. */
  readonly groups: readonly string[]
  /** The client application (`azp`/`appid`), when the token names one. */
  readonly client: string | undefined
  /** How the caller proved it: `key` or the issuer's configured name. */
  readonly via: string
  /** Id of the credential itself: the token's `uti`/`jti`, or the key id. For attribution and deny lists. */
  readonly credentialId: string
  /** Present when an autonomous agent acts: what its token says about it, for attribution. */
  readonly agent?: Readonly<Record<string, unknown>> | undefined
}
