import type { Credential, Cross } from '#contract/crossing.ts'
import type { Permit } from '#contract/permit.ts'
import type { Config } from '#config/schema.ts'
import { bedrockChecks } from '#guard/managed/bedrock-checks.ts'
import { bedrockGuardrail } from '#guard/managed/bedrock-guardrail.ts'
import { contentSafety } from '#guard/managed/content-safety.ts'
import { language } from '#guard/managed/language.ts'
import { protectedMaterial } from '#guard/managed/protected-material.ts'
import type { AnswerService, ManagedService } from '#guard/managed/service.ts'
import type { GuardProfile } from '#guard/profile.ts'
import type { PolicyOptions } from '#policy/permit.ts'

/** Looks up a credential of the configuration; the path is for problems. */
type LookUp = (credential: Config['targets'][string]['credential'], path: string) => Credential

/** The managed checks that a configuration names, in the order in which they are listed there. */
export function managedServices({ guard }: Config, cross: Cross, lookUp: LookUp): ManagedService[] {
  const services: ManagedService[] = []
  if (guard.contentSafety !== undefined) {
    const credential = lookUp(guard.contentSafety.credential, 'guard.contentSafety.credential')
    services.push(contentSafety({ ...guard.contentSafety, credential }, cross))
  }
  if (guard.language !== undefined) {
    const credential = lookUp(guard.language.credential, 'guard.language.credential')
    services.push(language({ ...guard.language, credential }, cross))
  }
  if (guard.bedrockChecks !== undefined) {
    const credential = lookUp(guard.bedrockChecks.credential, 'guard.bedrockChecks.credential')
    services.push(bedrockChecks({ ...guard.bedrockChecks, credential }, cross))
  }
  if (guard.bedrockGuardrail !== undefined) {
    const credential = lookUp(guard.bedrockGuardrail.credential, 'guard.bedrockGuardrail.credential')
    services.push(bedrockGuardrail({ ...guard.bedrockGuardrail, credential }, cross))
  }
  return services
}

/** What answers are asked about, where a profile wants it. */
export function answerService({ guard }: Config, cross: Cross, lookUp: LookUp): AnswerService | undefined {
  if (guard.contentSafety === undefined) return undefined
  const credential = lookUp(guard.contentSafety.credential, 'guard.contentSafety.credential')
  return protectedMaterial({ ...guard.contentSafety, credential }, cross)
}

/** The planes beside the models that see a request's text: an obligation to stay in a jurisdiction binds them too. */
export function planesOf(config: Config, profiles: ReadonlyMap<string, GuardProfile>): PolicyOptions['planes'] {
  const { contentSafety: safety, language: names, bedrockChecks: checks, bedrockGuardrail: rail } = config.guard
  const asks = ({ guardProfile }: Permit): boolean => profiles.get(guardProfile)?.managed !== 'off'
  const asksAfter = ({ guardProfile }: Permit): boolean => profiles.get(guardProfile)?.protectedMaterial !== 'off'
  const data = config.context && {
    name: 'data plane',
    place: config.context.place,
    sees: ({ collections }: Permit) => collections.length > 0,
  }
  return [
    safety && {
      name: 'managed safety check',
      place: safety.place,
      sees: (permit: Permit) => asks(permit) || asksAfter(permit),
    },
    names && { name: 'managed check for personal data', place: names.place, sees: asks },
    checks && { name: 'managed check of Bedrock', place: checks.place, sees: asks },
    rail && { name: 'guardrail of Bedrock', place: rail.place, sees: asks },
    data,
  ].filter((plane) => plane !== undefined)
}
