import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '#config/schema.ts'
import { type SecretLookUp, resolveSecret } from '#config/secrets.ts'
import { randomHex } from '#kit/random-hex.ts'
import { OutputLengths } from '#limits/estimate.ts'
import type { LedgerStore } from '#limits/exchange.ts'
import { Keeper } from '#limits/keeper.ts'
import { Limiter } from '#limits/limiter.ts'
import type { LimitDeps } from '#limits/reserve.ts'
import type { LimitRule, Team } from '#limits/rule.ts'
import { writeDurably } from './state.ts'

/** Counters of limits and what keeps them: they outlive a reload. */
export interface LimitsWorld {
  readonly limiter: Limiter
  readonly keeper: Keeper
  readonly lengths: OutputLengths
}

export interface LimitsOptions extends SecretLookUp {
  readonly last: LimitsWorld | undefined
  readonly onTrouble: (problem: string | undefined) => void
}

/**
 * What counts for this configuration; undefined when it has no rule and never had one: then nothing is loaded. The
 * store is that of the first configuration with rules. A start waits a few seconds at most, and goes on without it.
 */
export async function limitsOf(config: Config, options: LimitsOptions): Promise<LimitsWorld | undefined> {
  const { rules, store } = config.limits
  const secret = store.kind === 'postgres' ? resolveSecret(store.url, 'limits.store.url', options) : undefined
  if (options.last !== undefined || rules.length === 0 || options.problems.length > 0) return options.last
  const dataFolder = options.resolve(config.data)
  const limiter: Limiter = new Limiter({
    replica: await replicaId(join(dataFolder, 'replica.id')),
    nowEpochMs: Date.now,
    onLow: () => keeper.soon(),
  })
  const ledger: LedgerStore =
    store.kind === 'postgres'
      ? new (await import('#limits/postgres-store.ts')).PostgresStore(secret?.reveal() ?? '')
      : new (await import('#limits/file-store.ts')).FileStore(
          store.file === undefined ? join(dataFolder, 'limits.sqlite') : options.resolve(store.file),
        )
  const keeper = new Keeper({ limiter, store: ledger, onTrouble: options.onTrouble })
  await keeper.start()
  return { limiter, keeper, lengths: new OutputLengths() }
}

/** What the journey needs of it; undefined when the configuration has no rule. */
export function limitDeps(config: Config, world: LimitsWorld | undefined): LimitDeps | undefined {
  if (world === undefined || config.limits.rules.length === 0) return undefined
  const rules = config.limits.rules.map(limitRule)
  const teams = Object.entries(config.teams).map(([name, team]): Team => ({ name, ...team }))
  world.limiter.useRules(rules)
  return { limiter: world.limiter, lengths: world.lengths, rules, teams }
}

function limitRule({ requests, tokens, usd, ...rule }: Config['limits']['rules'][number]): LimitRule {
  return {
    ...rule,
    amounts: {
      ...(requests !== undefined && { requests }),
      ...(tokens !== undefined && { tokens }),
      ...(usd !== undefined && { microUsd: Math.floor(usd * 1e6) }),
    },
  }
}

/** By this the ledger knows a gateway again after a restart. */
async function replicaId(path: string): Promise<string> {
  const known = await readFile(path, 'utf8').catch(() => '')
  if (/^[0-9a-f]{16}$/.test(known)) return known
  const made = randomHex(8)
  await writeDurably(path, made)
  return made
}
