import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'

/**
 * Holds a credential to its own scope, on top of what policy permits its owner.
 * @throws {Refusal} POLICY_DENIED naming what is outside of it.
 */
export function withinScope({ scope }: Principal, alias: string, collections: readonly string[]): void {
  if (scope === undefined) return
  const { aliases, collections: readable } = scope
  if (aliases?.includes(alias) === false) {
    throw new Refusal(
      'POLICY_DENIED',
      `model \`${alias}\` is outside of the scope of your key, which holds ${listed(aliases)}`,
    )
  }
  const outside = collections.find((collection) => readable?.includes(collection) === false)
  if (outside !== undefined && readable !== undefined) {
    throw new Refusal(
      'POLICY_DENIED',
      `collection \`${outside}\` is outside of the scope of your key, which holds ${listed(readable)}`,
    )
  }
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.map((name) => `\`${name}\``).join(', ')
}
