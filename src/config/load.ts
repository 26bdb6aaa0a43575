import { readFile } from 'node:fs/promises'
import { dirname, isAbsolute, resolve } from 'node:path'
import { LineCounter, isNode, parseDocument } from 'yaml'
import { SqlError, parseSql } from '#kit/sql-template.ts'
import { type Config, ConfigSchema, type WrittenConfig } from './schema.ts'
import { shardNames, withShards } from './shards.ts'

/** One thing that is wrong, where, and what to write instead. */
export interface Problem {
  /** Path in the file: `targets.vllm.endpoint`. */
  readonly path: string
  /** Line in the file from 1, or 0 when it stands nowhere. */
  readonly line: number
  readonly message: string
}

export interface LoadedConfig {
  readonly config: Config
  readonly file: string
  /** A path of the configuration as an absolute one. */
  readonly resolve: (path: string) => string
}

/** A configuration that can not be used, with everything that is wrong with it. */
export class ConfigProblems extends Error {
  readonly file: string
  readonly problems: readonly Problem[]

  constructor(file: string, problems: readonly Problem[]) {
    super(`${file} can not be used:\n${problems.map((problem) => `  ${showProblem(problem)}`).join('\n')}`)
    this.name = 'ConfigProblems'
    this.file = file
    this.problems = problems
  }
}

export function showProblem({ path, line, message }: Problem): string {
  return `${line === 0 ? '' : `line ${line}: `}${path === '' ? '' : `${path}: `}${message}`
}

/** @throws {ConfigProblems} with all problems at once. */
export async function loadConfig(file: string): Promise<LoadedConfig> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new ConfigProblems(file, [{ path: '', line: 0, message: `the file can not be read (${code})` }])
  }
  const config = parseConfig(text, file)
  const folder = dirname(resolve(file))
  return { config, file, resolve: (path) => (isAbsolute(path) ? path : resolve(folder, path)) }
}

/** @throws {ConfigProblems} */
export function parseConfig(text: string, file: string): Config {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  if (document.errors.length > 0) {
    throw new ConfigProblems(
      file,
      document.errors.map(({ message, pos }) => ({
        path: '',
        line: lines.linePos(pos[0]).line,
        message: `this is not YAML: ${message}`,
      })),
    )
  }
  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length > 0; length -= 1) {
      const node: unknown = document.getIn(path.slice(0, length), true)
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
    }
    return 0
  }
  let value: unknown
  try {
    value = document.toJS()
  } catch (error) {
    throw new ConfigProblems(file, [
      { path: '', line: 0, message: `this is not YAML: ${error instanceof Error ? error.message : ''}` },
    ])
  }
  const result = ConfigSchema.safeParse(value ?? {})
  const problems = result.success
    ? danglingNames(result.data, lineOf)
    : result.error.issues.flatMap((issue) => problemsOf(issue, lineOf))
  if (problems.length > 0 || !result.success) throw new ConfigProblems(file, problems)
  return withShards(result.data)
}

type Issue = NonNullable<ReturnType<typeof ConfigSchema.safeParse>['error']>['issues'][number]

function problemsOf(issue: Issue, lineOf: (path: readonly PropertyKey[]) => number): Problem[] {
  const path = issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: path === '' ? key : `${path}.${key}`,
      line: lineOf([...issue.path, key]),
      message: 'there is no such field here, remove it or mend its name',
    }))
  }
  const message = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message
  return [{ path, line: lineOf(issue.path), message }]
}

/** Names that point at something the file does not define. */
function danglingNames(config: WrittenConfig, lineOf: (path: readonly PropertyKey[]) => number): Problem[] {
  const problems: Problem[] = []
  const must = (exists: boolean, path: readonly PropertyKey[], message: string): void => {
    if (!exists) problems.push({ path: path.map(String).join('.'), line: lineOf(path), message })
  }
  const known = (names: object): string => {
    const list = Object.keys(names)
    return list.length === 0 ? 'none is defined' : `choose one of ${list.join(', ')}`
  }
  for (const [aliasName, alias] of Object.entries(config.aliases)) {
    for (const [at, target] of alias.targets.entries()) {
      must(
        Object.hasOwn(config.targets, target),
        ['aliases', aliasName, 'targets', at],
        `there is no target \`${target}\`, ${known(config.targets)}`,
      )
    }
    for (const [at, collection] of alias.collections.entries()) {
      const path = ['aliases', aliasName, 'collections', at]
      must(config.context !== undefined, path, 'collections need a data plane, add `context`')
      if (config.dataPlane === undefined) continue
      const collections = config.dataPlane.collections
      must(
        Object.hasOwn(collections, collection),
        path,
        `there is no collection \`${collection}\`, ${known(collections)}`,
      )
    }
    for (const [at, { name: query }] of alias.sql.entries()) {
      const path = ['aliases', aliasName, 'sql', at, 'name']
      must(config.context !== undefined, path, 'queries need a data plane, add `context`')
      if (config.dataPlane === undefined) continue
      const { queries } = config.dataPlane
      must(Object.hasOwn(queries, query), path, `there is no query \`${query}\`, ${known(queries)}`)
    }
  }
  checkQueries(config, must)
  checkShards(config, must)
  checkIdentity(config, must)
  checkLimits(config, must)
  must(Object.keys(config.aliases).length > 0, ['aliases'], 'no alias is defined, so no model can be asked: add one')
  must(
    Object.hasOwn(config.guard.profiles, config.guard.defaultProfile),
    ['guard', 'defaultProfile'],
    `there is no such profile, ${known(config.guard.profiles)}`,
  )
  const { contentSafety, language, bedrockChecks, bedrockGuardrail } = config.guard
  if ([contentSafety, language, bedrockChecks, bedrockGuardrail].every((service) => service === undefined)) {
    for (const [profileName, profile] of Object.entries(config.guard.profiles)) {
      must(
        profile.managed === 'off',
        ['guard', 'profiles', profileName],
        'it asks the managed check, but none is set: set `guard.contentSafety`, `guard.language`, `guard.bedrockChecks` or `guard.bedrockGuardrail`, or write `managed: off`',
      )
    }
  }
  for (const [profileName, profile] of Object.entries(config.guard.profiles)) {
    must(
      profile.protectedMaterial === 'off' || contentSafety !== undefined,
      ['guard', 'profiles', profileName, 'protectedMaterial'],
      'Azure AI Content Safety finds protected material, and it is not set: set `guard.contentSafety`, or write `protectedMaterial: off`',
    )
  }
  return problems
}

/** SQL that only reads, and whose parameters are those that are described. */
function checkQueries({ dataPlane }: WrittenConfig, must: Must): void {
  for (const [queryName, { sql, params }] of Object.entries(dataPlane?.queries ?? {})) {
    const path = ['dataPlane', 'queries', queryName]
    try {
      const used = parseSql(sql).params
      for (const param of used)
        must(Object.hasOwn(params, param), [...path, 'sql'], `there is no parameter \`${param}\``)
      for (const param of Object.keys(params)) {
        must(used.includes(param), [...path, 'params', param], `the SQL does not say \`:${param}\``)
      }
    } catch (error) {
      if (!(error instanceof SqlError)) throw error
      must(false, [...path, 'sql'], error.message)
    }
  }
}

/** Rules by name, and what they point at. */
function checkLimits({ limits: { rules }, aliases, teams }: WrittenConfig, must: Must): void {
  const names = rules.map(({ name }) => name)
  for (const [at, rule] of rules.entries()) {
    const path = ['limits', 'rules', at]
    must(names.indexOf(rule.name) === at, [...path, 'name'], `rule \`${rule.name}\` stands there twice`)
    for (const [field, defined] of [
      ['aliases', aliases],
      ['teams', teams],
    ] as const) {
      const list = Object.keys(defined)
      const known = list.length === 0 ? 'none is defined' : `choose one of ${list.join(', ')}`
      for (const [place, named] of (rule[field] ?? []).entries())
        must(
          list.includes(named),
          [...path, field, place],
          `there is no ${field === 'teams' ? 'team' : 'alias'} \`${named}\`, ${known}`,
        )
    }
    must(
      rule.per !== 'team' || Object.keys(teams).length > 0,
      [...path, 'per'],
      'no team is defined, so it counts nobody: add `teams`',
    )
  }
}

type Must = (exists: boolean, path: readonly PropertyKey[], message: string) => void

/** A pool's shards get names, which no other target may have. */
function checkShards({ targets }: WrittenConfig, must: Must): void {
  for (const [name, target] of Object.entries(targets)) {
    if (target.shards === undefined) continue
    const taken = shardNames(name, target).find((shard) => Object.hasOwn(targets, shard))
    must(
      taken === undefined,
      ['targets', name, 'shards'],
      `a shard of it is called \`${taken ?? ''}\`, as another target is: rename that one`,
    )
  }
}

/** Names of issuers, and the credentials that point at them. */
function checkIdentity(config: WrittenConfig, must: Must): void {
  const { issuers } = config.identity
  const names = issuers.map(({ name }) => name)
  for (const [at, name] of names.entries())
    must(names.indexOf(name) === at, ['identity', 'issuers', at, 'name'], `issuer \`${name}\` stands there twice`)
  const entra = issuers.filter(({ kind }) => kind === 'entra').map(({ name }) => name)
  const known = entra.length === 0 ? 'none is defined' : `choose one of ${entra.join(', ')}`
  const credentials: readonly (readonly [path: readonly PropertyKey[], credential: CredentialKind | undefined])[] = [
    ...Object.entries(config.targets).map(
      ([name, target]) => [['targets', name, 'credential'], target.credential] as const,
    ),
    [['context', 'credential'], config.context?.credential],
    [['guard', 'contentSafety', 'credential'], config.guard.contentSafety?.credential],
    [['guard', 'language', 'credential'], config.guard.language?.credential],
    [['guard', 'bedrockChecks', 'credential'], config.guard.bedrockChecks?.credential],
    [['guard', 'bedrockGuardrail', 'credential'], config.guard.bedrockGuardrail?.credential],
    [['audit', 'timestamp', 'credential'], config.audit.timestamp?.credential],
    [['audit', 'ship', 'azureMonitor', 'credential'], config.audit.ship.azureMonitor?.credential],
    [['audit', 'ship', 's3', 'credential'], config.audit.ship.s3?.credential],
    [['observe', 'otlp', 'credential'], config.observe.otlp?.credential],
  ]
  for (const [path, credential] of credentials) {
    const where = credential?.identity === undefined ? path : [...path, 'identity']
    const issuer = credential?.identity?.issuer ?? credential?.issuer
    if (issuer !== undefined)
      must(entra.includes(issuer), [...where, 'issuer'], `there is no Entra issuer \`${issuer}\`, ${known}`)
    if (credential === undefined) continue
    must(
      credential.kind !== 'google-id-token' || credential.audience !== undefined || path[0] === 'targets',
      [...path, 'audience'],
      'only a target has an endpoint to take the audience from, write the URL of the Cloud Run service',
    )
    must(
      credential.kind !== 'entra-obo' || path[0] === 'targets',
      [...path, 'kind'],
      'only a target can be called on behalf of the caller, use `entra-client` here',
    )
  }
}

interface CredentialKind {
  readonly kind: string
  readonly issuer?: string
  readonly audience?: string | undefined
  readonly identity?: { readonly kind: string; readonly issuer?: string }
}
