import { Refusal } from '#contract/refusal.ts'
import type { Finding, FindingCount, GuardAction } from '#contract/screened.ts'
import { type GuardProfile, actionFor } from './profile.ts'
import type { LazyVault } from './vault.ts'

/** Counts what was found and done, by type and place. Never holds a value. */
export class FindingTally {
  readonly #counts = new Map<string, { -readonly [Key in keyof FindingCount]: FindingCount[Key] }>()

  /** `isShadow`: the action is what would have been done. */
  add(type: string, action: GuardAction, where: FindingCount['where'], isShadow = false): void {
    const key = `${type} ${action} ${where}`
    const known = this.#counts.get(key)
    if (known !== undefined) known.count += 1
    else if (isShadow) this.#counts.set(key, { action: 'flag', count: 1, type, where, would: action })
    else this.#counts.set(key, { action, count: 1, type, where })
  }

  list(): FindingCount[] {
    return [...this.#counts.values()].toSorted((a, b) => (a.type < b.type ? -1 : 1))
  }
}

export interface Redaction {
  readonly profile: GuardProfile
  readonly vault: LazyVault
  readonly tally: FindingTally
  readonly where: FindingCount['where']
  /** True where nothing comes back that a value could be put into: an embedding. Then the type alone stands for it. */
  readonly oneWay?: boolean
  /** False for texts whose values the caller may not learn: a system prompt's. Default true. */
  readonly restorable?: boolean
}

/** The text with every finding treated as the profile says; `block` findings are replaced too, the caller decides. */
export function redact(
  text: string,
  findings: readonly Finding[],
  { profile, vault, tally, where, oneWay = false, restorable = true }: Redaction,
): string {
  let clean = ''
  let from = 0
  for (const finding of findings) {
    if (finding.score < profile.minScore) continue
    const given = actionFor(profile, finding.type)
    const action = oneWay && given === 'redact' ? 'mask' : given
    if (action === 'allow') continue
    tally.add(finding.type, action, where, profile.shadow)
    if (action === 'flag' || profile.shadow) continue
    clean +=
      text.slice(from, finding.start) +
      replacement(action, finding, text.slice(finding.start, finding.end), { vault, restorable })
    from = finding.end
  }
  return from === 0 ? text : clean + text.slice(from)
}

function replacement(
  action: GuardAction,
  finding: Finding,
  value: string,
  { vault, restorable }: { readonly vault: LazyVault; readonly restorable: boolean },
): string {
  if (action === 'mask') return `[${finding.type}]`
  const own = vault.opened()
  if (own.isFull) {
    throw new Refusal(
      'GUARD_BLOCKED',
      'the conversation holds more personal data than can be replaced, begin a new one',
    )
  }
  return own.placeholder(finding.type, value, restorable && finding.type !== 'SECRET')
}
