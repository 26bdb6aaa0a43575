import type { Principal } from '#contract/principal.ts'
import { Lru } from '#kit/lru.ts'

const namesByPrincipal = new WeakMap<Principal, string>()
const namesByFacts = new Lru<string, string>(20_000)
let names = 0

/**
 * A short name for everything of the caller that a policy can read: equal for equal callers, so that decisions are
 * shared over tokens. Looked up by object first, since a credential that was seen gives the same object again.
 */
export function principalName(principal: Principal): string {
  const known = namesByPrincipal.get(principal)
  if (known !== undefined) return known
  const { tenant, subject, kind, via, client, roles, groups } = principal
  const facts = JSON.stringify([tenant, subject, kind, via, client, roles, groups, principal.agent !== undefined])
  let name = namesByFacts.get(facts)
  if (name === undefined) {
    names += 1
    name = String(names)
    namesByFacts.set(facts, name)
  }
  namesByPrincipal.set(principal, name)
  return name
}
