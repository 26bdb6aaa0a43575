import { Refusal } from '#contract/refusal.ts'
import type { Ask } from '#contract/ask.ts'
import { screen } from '#guard/screen.ts'
import { LazyVault, createVaults } from '#guard/vault.ts'
import { decode as decodeAnthropic } from '#wire/anthropic/decode.ts'
import { decode as decodeOpenai } from '#wire/openai/decode.ts'
import { decode as decodeEmbeddings } from '#wire/openai-embeddings/decode.ts'
import { decode as decodeResponses } from '#wire/openai-responses/decode.ts'
import { readRows } from './data.ts'
import { BENCH_PRINCIPAL, BENCH_PROFILE } from './profile.ts'
import { type Outcome, outcome } from './outcome.ts'

interface Surface {
  readonly id: string
  readonly api: string
  readonly surface: string
  readonly value: string
  readonly body: unknown
}

const DECODERS: Readonly<Record<string, (body: string) => Ask>> = {
  'openai-chat': decodeOpenai,
  'anthropic-messages': decodeAnthropic,
  'openai-responses': decodeResponses,
  embeddings: decodeEmbeddings,
}

type Fate = 'replaced' | `refused (${string})` | 'not carried' | 'LEAKED'

/** Each place in a body where text can hide: does the value that stands there leave? */
export function judgeSurfaces(folder: string): Outcome[] {
  const fates = new Map<string, Set<Fate>>()
  for (const row of readRows<Surface>(folder, 'surfaces')) {
    const name = `${row.api}: ${row.surface}`
    const seen = fates.get(name) ?? new Set()
    fates.set(name, seen.add(fateOf(row)))
  }
  const leaked = [...fates].filter(([, seen]) => seen.has('LEAKED'))
  const refused = [...fates].filter(([, seen]) => [...seen].some((fate) => fate.startsWith('refused')))
  const covered = fates.size - leaked.length
  return [
    outcome('surfaces: positions covered or refused', `${covered} of ${fates.size}`, {
      floor: `${fates.size}`,
      target: `${fates.size}`,
      isMet: leaked.length === 0,
      misses: leaked.map(([name]) => name).join('; ') || 'none',
    }),
    outcome('surfaces: refused or not served', `${refused.length} of ${fates.size}`, {
      misses: refused.map(([name, seen]) => `${name} ${[...seen].join(', ')}`).join('; '),
    }),
  ]
}

function fateOf({ api, body, value }: Surface): Fate {
  const decode = DECODERS[api]
  if (decode === undefined) return 'refused (no such endpoint)'
  const vault = new LazyVault(() => createVaults(new Uint8Array(32)).open(BENCH_PRINCIPAL, 'surfaces'))
  try {
    const { ask } = screen(decode(JSON.stringify(body)), BENCH_PROFILE, vault)
    const text = JSON.stringify(ask)
    if (holds(text, value)) return 'LEAKED'
    return /<[A-Z_]+_\d{5}>|\[[A-Z_]+\]/.test(text) ? 'replaced' : 'not carried'
  } catch (error) {
    if (error instanceof Refusal) return `refused (${error.code})`
    throw error
  }
}

/** Also in the encodings in which a value may travel. */
function holds(text: string, value: string): boolean {
  const base64 = Buffer.from(value).toString('base64').slice(4, -4)
  return text.includes(value) || text.includes(encodeURIComponent(value)) || text.includes(base64)
}
