import type { Principal } from '#contract/principal.ts'
import { scan } from '#detect/scan.ts'
import type { GuardProfile } from '#guard/profile.ts'
import { FindingTally, redact } from '#guard/redact.ts'
import { LazyVault, createVaults } from '#guard/vault.ts'
import { Restorer, jsonEscape } from '#restore/restorer.ts'

/*
 * Restore after screen is the identity, whatever the text and however it is cut: `node bench/restore.ts [CASES]`,
 * default 100,000. Each case is a text of personal data, prose, markup and things that look like placeholders, screened,
 * cut at random, and put back; every third one as the arguments of a tool call, in JSON.
 */
const cases = Number(process.argv[2] ?? 100_000)
const PROFILE: GuardProfile = {
  name: 'all',
  actions: { default: 'redact' },
  output: {},
  triage: { injection: 'off', toxicity: 'off' },
  minScore: 0.5,
  managed: 'off',
  riskFrom: 0.5,
  sample: 0,
  passages: false,
  protectedMaterial: 'off',
  shadow: false,
  severity: 4,
  onUnavailable: 'refuse',
}
const PRINCIPAL: Principal = {
  subject: 'bench',
  tenant: 'bench',
  kind: 'key',
  roles: [],
  groups: [],
  client: undefined,
  via: 'bench',
  credentialId: '',
}

let state = 20_261_125
function random(below: number): number {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
  return Math.floor((state / 0x80000000) * below)
}

const LOOSE = [
  '<',
  '>',
  '&lt;',
  '\\',
  '"',
  '\n',
  ' < ',
  '<EMAIL',
  '<EMAIL_ADDRESS_1>',
  '&amp;',
  '😀',
  'é',
  '<b>',
  '\\u003c',
]
const WORDS = ['the', 'report', 'of', 'Monday', 'says', 'that', 'nothing', 'is', 'new', 'in', 'Åre']

function piece(): string {
  switch (random(5)) {
    case 0:
      return `${WORDS[random(WORDS.length)] ?? ''}.${random(1000)}@example.com`
    case 1:
      return `+1 (555) 010-${String(1000 + random(9000))}`
    case 2:
      return `203.0.113.${random(256)}`
    case 3:
      return LOOSE[random(LOOSE.length)] ?? ''
    default:
      return WORDS[random(WORDS.length)] ?? ''
  }
}

const vaults = createVaults(new Uint8Array(32))
let [wrong, replaced, longest, deltas, micros] = [0, 0, 0, 0, 0]
for (let number = 0; number < cases; number += 1) {
  const text = Array.from({ length: 1 + random(14) }, piece).join(' ')
  const vault = new LazyVault(() => vaults.open(PRINCIPAL, String(number)))
  const tally = new FindingTally()
  const clean = redact(text, scan(text), { profile: PROFILE, vault, tally, where: 'prompt' })
  replaced += tally.list().reduce((sum, { count }) => sum + count, 0)
  const isJson = number % 3 === 0
  const sent = isJson ? JSON.stringify({ text: clean }) : clean
  const restorer = new Restorer(vault, isJson ? jsonEscape : undefined)
  let [out, at] = ['', 0]
  const started = performance.now()
  while (at < sent.length) {
    const size = 1 + random(12)
    out += restorer.push(sent.slice(at, at + size))
    at += size
    deltas += 1
    longest = Math.max(longest, restorer.waiting)
  }
  out += restorer.end()
  micros += (performance.now() - started) * 1000
  const back = isJson ? (JSON.parse(out) as { readonly text: string }).text : out
  if (back !== text) {
    wrong += 1
    if (wrong <= 3) process.stdout.write(`case ${number} came back otherwise\n`)
  }
}

process.stdout.write(
  `restore: ${cases} cases, ${replaced} values replaced, ${wrong} came back otherwise, ${deltas} pieces, ` +
    `${(micros / deltas).toFixed(2)} µs a piece, at most ${longest} characters held\n`,
)
process.exitCode = wrong === 0 ? 0 : 1
