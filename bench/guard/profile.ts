import type { Principal } from '#contract/principal.ts'
import type { GuardProfile } from '#guard/profile.ts'

/** Everything that is found is replaced. */
export const BENCH_PROFILE: GuardProfile = {
  name: 'bench',
  actions: { default: 'redact' },
  output: {},
  triage: { injection: 'off', toxicity: 'off' },
  minScore: 0,
  managed: 'off',
  riskFrom: 0.5,
  sample: 0,
  passages: true,
  protectedMaterial: 'off',
  shadow: false,
  severity: 4,
  onUnavailable: 'refuse',
}

export const BENCH_PRINCIPAL: Principal = {
  subject: 's',
  tenant: 't',
  kind: 'key',
  roles: [],
  groups: [],
  client: undefined,
  via: 'bench',
  credentialId: '',
}
