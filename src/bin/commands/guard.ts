import { createInterface } from 'node:readline'
import { z } from 'zod'
import type { GuardAction } from '#contract/screened.ts'
import { scan } from '#detect/scan.ts'
import { type GuardProfile, actionFor } from '#guard/profile.ts'
import { FindingTally, redact } from '#guard/redact.ts'
import { LazyVault, createVaults } from '#guard/vault.ts'
import type { Command } from '#bin/command.ts'

const Line = z.object({ id: z.union([z.string(), z.number()]), text: z.string() })

/** Profiles as shipped; the configuration of a gateway may change them. */
const PROFILES: Readonly<Record<string, Readonly<Record<string, GuardAction>>>> = {
  strict: { default: 'redact', SECRET: 'block' },
  balanced: { default: 'redact' },
}

export const command: Command = {
  summary: 'scan texts from standard input: JSON lines {"id","text"}',
  usage: '[--profile strict|balanced] < texts.jsonl',
  options: { profile: { type: 'string', value: 'NAME', help: 'strict or balanced, default balanced' } },
  run: async (given) => {
    const name = given.text('profile') ?? 'balanced'
    const actions = PROFILES[name]
    if (actions === undefined) throw new Error(`there is no profile \`${name}\`, choose strict or balanced`)
    const profile: GuardProfile = {
      name,
      actions,
      minScore: 0.5,
      managed: 'off',
      riskFrom: 0.5,
      sample: 0,
      passages: false,
      shadow: false,
      severity: 4,
      onUnavailable: 'refuse',
    }
    const vaults = createVaults(new Uint8Array(32))
    const principal = {
      subject: 'cli',
      tenant: 'cli',
      kind: 'key',
      roles: [],
      groups: [],
      client: undefined,
      via: 'cli',
      credentialId: '',
    } as const
    let [number, bad] = [0, 0]
    for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
      number += 1
      if (line.trim() === '') continue
      const parsed = Line.safeParse(jsonOf(line))
      if (!parsed.success) {
        bad += 1
        process.stderr.write(`line ${number} is not {"id","text"}\n`)
        continue
      }
      const { id, text } = parsed.data
      const found = scan(text)
      const redacted = redact(text, found, {
        profile,
        vault: new LazyVault(() => vaults.open(principal, String(id))),
        tally: new FindingTally(),
        where: 'prompt',
      })
      const findings = found.map(({ type, start, end, score, detector }) => ({
        type,
        start,
        end,
        score,
        action: score < profile.minScore ? 'allow' : actionFor(profile, type),
        detector,
      }))
      process.stdout.write(`${JSON.stringify({ id, findings, redacted })}\n`)
    }
    return bad === 0 ? 0 : 1
  },
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
