import { openBorder } from '#border/cross.ts'
import { DEFAULT_RULES } from '#border/rules.ts'
import { loadConfig } from '#config/load.ts'
import type { SecretLookUp } from '#config/secrets.ts'
import { egressMicroUsd } from '#planner/egress.ts'
import { WrongUsage } from '#bin/command.ts'
import { tokenSourcesOf } from '#bin/token-sources.ts'
import { type Chain, subjectsOf, walk } from './walk.ts'

/**
 * Walks the chains of a configuration side by side: all of them, or that of one target.
 * @throws {ConfigProblems} when the file can not be used.
 * @throws {WrongUsage} when there is no such target.
 */
export async function examine(
  file: string,
  wanted: string | undefined,
  environment: SecretLookUp['environment'],
): Promise<Chain[]> {
  const { config, resolve } = await loadConfig(file)
  if (wanted !== undefined && !Object.hasOwn(config.targets, wanted))
    throw new WrongUsage(`there is no target \`${wanted}\`, choose one of ${Object.keys(config.targets).join(', ')}`)
  const subjects = subjectsOf(config).filter(({ target }) => wanted === undefined || target?.name === wanted)
  const border = openBorder({ from: config.place, rules: DEFAULT_RULES, egressMicroUsd })
  const lookUp: SecretLookUp = { environment, resolve, problems: [] }
  const tokenSources = tokenSourcesOf(config, { ...lookUp, cross: border.cross })
  try {
    return await Promise.all(subjects.map((subject) => walk(subject, { cross: border.cross, lookUp, tokenSources })))
  } finally {
    await border.close(100)
  }
}
