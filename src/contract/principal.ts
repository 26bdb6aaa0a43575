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
  /** Facts of an agent identity, for attribution; absent for people and plain applications. */
  readonly agent?: Agent | undefined
  /** What the credential may be used for, on top of policy; absent: everything that policy permits. */
  readonly scope?: Scope | undefined
}

/**
 * What Entra says of an agent identity. Facets and relations are its numeric codes (`xms_act_fct` and its kin), sorted
 * by number; empty when the token has none.
 */
export interface Agent {
  /** Facets of who acts. */
  readonly actor: readonly string[]
  /** Facets of who is acted for. */
  readonly subject: readonly string[]
  /** Facets of the tenant. */
  readonly tenant: readonly string[]
  /** Client id of the blueprint that the agent was made from; empty when the token names none. */
  readonly blueprint: string
  /** How the identity relates to the tenant. */
  readonly relation: readonly string[]
}

/** An absent list permits all, an empty one none. */
export interface Scope {
  /** Model aliases. */
  readonly aliases?: readonly string[]
  /** Collections to ground on, also those that an alias brings along. */
  readonly collections?: readonly string[]
}
