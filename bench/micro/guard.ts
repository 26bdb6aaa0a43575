import { scan } from '#detect/scan.ts'
import { FindingTally, redact } from '#guard/redact.ts'
import { LazyVault, createVaults } from '#guard/vault.ts'
import { type MicroResult, measure } from './measure.ts'

const KB = 1024
const PROTECTS = 'local guard: a few hundredths of a millisecond for a KB of prompt'

/** Samples of ordinary texts, by kind. */
export const TEXTS: Readonly<Record<string, string>> = {
  prose:
    'The supplier asked whether the second part of the order can be paid together with the first, because both were delivered in the same week. We count the goods, compare the papers and pay; that takes three working days at most. ',
  code: "export function total(lines: readonly Line[]): number {\n  let sum = 0\n  for (const { price, count } of lines) sum += price * count // 2.5 % discount above 100\n  return Math.round(sum * 100) / 100\n}\nconst API = 'https://example.com/v1/items?page=2'\n",
  JSON: '{"id":"4f0c9a7e","at":"2026-11-24T09:15:00Z","lines":[{"sku":"A-1009","count":12,"price":19.9},{"sku":"B-2210","count":3,"price":240}],"note":null,"open":true},\n',
  'personal data':
    'Anna Berg, anna.berg@example.com, +1 202-555-0143, card 4111 1111 1111 1111, IBAN DE89370400440532013000, SSN 219-09-9999, host 192.0.2.44. ',
}

/** The in-process detectors, by the kind of text, and the replacing of what they find. */
export function benchGuard(): MicroResult[] {
  const results = Object.entries(TEXTS).map(([kind, sample]) => {
    const texts = oneKb(sample)
    return measure({
      name: `scan, ${kind}`,
      unit: 'KB',
      protects: PROTECTS,
      operations: 20_000,
      run: (index) => scan(texts[index % texts.length] ?? ''),
    })
  })
  return [...results, redacting()]
}

function redacting(): MicroResult {
  const text = oneKb(TEXTS['personal data'] ?? '')[0] ?? ''
  const findings = scan(text)
  const profile = {
    name: 'bench',
    actions: {},
    output: {},
    triage: { injection: 'off', toxicity: 'off' },
    minScore: 0.5,
    managed: 'off',
    riskFrom: 0.5,
    sample: 0.1,
    passages: true,
    protectedMaterial: 'off',
    shadow: false,
    severity: 4,
    onUnavailable: 'refuse',
  } as const
  const vaults = createVaults(new Uint8Array(32))
  const principal = {
    subject: 's',
    tenant: 't',
    kind: 'key',
    roles: [],
    groups: [],
    client: undefined,
    via: 'bench',
    credentialId: '',
  } as const
  return measure({
    name: `redact ${findings.length} findings, a new conversation each time`,
    unit: 'KB',
    protects: PROTECTS,
    operations: 5000,
    run: (index) =>
      redact(text, findings, {
        profile,
        vault: new LazyVault(() => vaults.open(principal, String(index))),
        tally: new FindingTally(),
        where: 'prompt',
      }),
  })
}

/** Eight texts of a KB that begin at different places: one text over and over would be learned by heart. */
function oneKb(sample: string): string[] {
  const long = sample.repeat(Math.ceil((2 * KB) / sample.length) + 1)
  return Array.from({ length: 8 }, (_, index) => long.slice(index * 7, index * 7 + KB))
}
