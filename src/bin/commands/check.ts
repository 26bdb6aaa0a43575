import { ConfigProblems, loadConfig, showProblem } from '#config/load.ts'
import { type TokenSources, resolveCredential, resolveSecret } from '#config/secrets.ts'
import type { Problem } from '#config/load.ts'
import { PolicyProblems, loadPolicies } from '#policy/load.ts'
import type { Command } from '#bin/command.ts'
import { subjectsOf } from '#bin/doctor/walk.ts'
import { policyFolders } from '#bin/policy-setup.ts'

export const command: Command = {
  summary: 'validate a configuration and its policies, offline',
  usage: '[FILE] [--json]',
  takesWords: true,
  options: {
    config: { type: 'string', value: 'FILE', help: 'the configuration, default thinplane.yaml' },
    json: { type: 'boolean', help: 'print the problems as JSON' },
  },
  run: async (given) => {
    const file = given.words[0] ?? given.text('config') ?? 'thinplane.yaml'
    const problems = await problemsOf(file)
    if (given.flag('json')) process.stdout.write(`${JSON.stringify({ file, ok: problems.length === 0, problems })}\n`)
    else if (problems.length === 0) process.stdout.write(`${file} is fine\n`)
    else
      process.stdout.write(
        `${file}: ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}\n${problems.map((problem) => `  ${showProblem(problem)}\n`).join('')}`,
      )
    return problems.length === 0 ? 0 : 1
  },
}

/** Offline, nobody is asked for a token. */
const NO_TOKENS: TokenSources = {
  bearer: (_credential, { secret }) => ({ token: () => secret }),
  session: (_credential, { secret }) => ({
    session: () => ({ accessKeyId: secret, secretAccessKey: secret, sessionToken: secret }),
  }),
}

/** Everything that is wrong, whether it is the file, a secret that is missing, or a policy. */
async function problemsOf(file: string): Promise<Problem[]> {
  let loaded
  try {
    loaded = await loadConfig(file)
  } catch (error) {
    if (error instanceof ConfigProblems) return [...error.problems]
    throw error
  }
  const problems: Problem[] = []
  const secrets = { environment: process.env, resolve: loaded.resolve, problems }
  const lookUp = { ...secrets, tokenSources: NO_TOKENS }
  const { issuers, signIn } = loaded.config.identity
  for (const [at, issuer] of issuers.entries()) {
    if (issuer.kind === 'entra' && issuer.graph !== undefined)
      resolveSecret(issuer.graph.secret, `identity.issuers.${at}.graph.secret`, secrets)
  }
  if (signIn?.secret !== undefined) resolveSecret(signIn.secret, 'identity.signIn.secret', secrets)
  for (const { name, credential } of subjectsOf(loaded.config))
    resolveCredential(credential, `${name}.credential`, lookUp)
  try {
    const { policies } = await loadPolicies(policyFolders(loaded))
    for (const { id, guard, file: policyFile } of policies.values()) {
      if (guard === undefined || Object.hasOwn(loaded.config.guard.profiles, guard)) continue
      problems.push({
        path: 'guard.profiles',
        line: 0,
        message: `policy \`${id}\` in ${policyFile} names profile \`${guard}\`, define it`,
      })
    }
  } catch (error) {
    if (!(error instanceof PolicyProblems)) throw error
    problems.push(...error.problems.map((message) => ({ path: 'policies', line: 0, message })))
  }
  return problems
}
