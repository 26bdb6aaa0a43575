import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type CaseFileResult, runCases } from '#policy/cases.ts'
import { packFolder } from '#policy/packs.ts'
import { regionOf } from '#planner/regions.ts'
import { POLICY_PACKS } from '#contract/policy-pack.ts'
import { type Command, type Given, WrongUsage } from '#bin/command.ts'
import { exportCommand } from '#bin/policy-export.ts'
import { explainCommand } from '#bin/policy-explain.ts'
import { replayCommand } from '#bin/policy-replay.ts'

export const command: Command = {
  summary: 'test, explain, replay and export policies, offline',
  usage:
    'test [FOLDER|FILE...] | explain [--request ID | --alias NAME ...] | replay [--policies DIR | --add DIR] | export --gatekeeper',
  takesWords: true,
  options: {
    config: { type: 'string', value: 'FILE', help: 'the configuration, default thinplane.yaml' },
    data: { type: 'string', value: 'DIR', help: 'the data folder with the trail, default as configured' },
    policies: { type: 'string', value: 'DIR', help: 'replay: policies to try instead of the configured folder' },
    add: { type: 'string', value: 'DIR', help: 'replay: policies to try beside the configured ones' },
    since: { type: 'string', value: 'TIME', help: 'replay: from this time on (ISO 8601), default 24 h ago' },
    until: { type: 'string', value: 'TIME', help: 'replay: up to this time, default now' },
    request: { type: 'string', value: 'ID', help: 'explain: a request of the trail' },
    alias: { type: 'string', value: 'NAME', help: 'explain: the model that is asked for' },
    roles: { type: 'string', value: 'A,B', help: "explain: the caller's roles" },
    groups: { type: 'string', value: 'A,B', help: "explain: the caller's groups" },
    tenant: { type: 'string', value: 'ID', help: "explain: the caller's tenant" },
    subject: { type: 'string', value: 'ID', help: "explain: the caller's id" },
    kind: { type: 'string', value: 'KIND', help: 'explain: user, app or key, default user' },
    agent: { type: 'boolean', help: 'explain: an agent acts' },
    purpose: { type: 'string', value: 'WORD', help: 'explain: what it is for' },
    collections: { type: 'string', value: 'A,B', help: 'explain: collections beside those of the alias' },
    found: {
      type: 'string',
      value: 'TYPE[=ACTION],...',
      help: 'explain: what the guard found, such as EMAIL_ADDRESS=redact',
    },
    at: { type: 'string', value: 'TIME', help: 'explain: when (ISO 8601), default now' },
    budget: { type: 'string', value: 'STATE', help: 'explain: none, under, near or over' },
    gatekeeper: { type: 'boolean', help: 'export: constraints for Kubernetes clusters' },
    jurisdictions: { type: 'string', value: 'A,B', help: 'export: where pods may run, default what policies bind to' },
    registries: { type: 'string', value: 'A,B', help: 'export: image name prefixes of the planes' },
    enforce: { type: 'string', value: 'ACTION', help: 'export: dryrun, warn or deny, default dryrun' },
    out: { type: 'string', value: 'FILE', help: 'export: write here instead of the terminal' },
    json: { type: 'boolean', help: 'print JSON' },
  },
  run: (given) => {
    const [what, ...words] = given.words
    if (what === 'test') return test(words, given)
    if (what === 'explain' && words.length === 0) return explainCommand(given)
    if (what === 'replay' && words.length === 0) return replayCommand(given)
    if (what === 'export' && words.length === 0) return exportCommand(given)
    throw new WrongUsage('write `test [FOLDER...]`, `explain`, `replay` or `export`')
  },
}

/** Runs the cases of the folders, by default those of `policies` and of every shipped pack. */
async function test(words: readonly string[], given: Given): Promise<number> {
  const places = words.length > 0 ? words : ['policies', ...POLICY_PACKS.map(packFolder)]
  const files = (await Promise.all(places.map(caseFiles))).flat()
  const results: CaseFileResult[] = []
  for (const file of files) results.push(await runCases(file, (place) => regionOf(place)?.jurisdiction ?? ''))
  const failed = results.flatMap(({ results: cases }) => cases.filter(({ differences }) => differences.length > 0))
  if (given.flag('json')) process.stdout.write(`${JSON.stringify(results)}\n`)
  else {
    process.stdout.write(results.map(shown).join('\n'))
    const count = results.reduce((sum, { results: cases }) => sum + cases.length, 0)
    process.stdout.write(
      `\n${count} cases in ${files.length} files, ${failed.length === 0 ? 'all as expected' : `${failed.length} NOT as expected`}\n`,
    )
  }
  return failed.length === 0 ? 0 : 1
}

async function caseFiles(place: string): Promise<string[]> {
  const isFolder = await stat(place).then(
    (found) => found.isDirectory(),
    () => {
      throw new Error(`there is no file or folder ${place}`)
    },
  )
  if (!isFolder) return [place]
  const names = (await readdir(place)).filter((name) => name.endsWith('.cases.yaml')).toSorted()
  if (names.length === 0) throw new Error(`there is no *.cases.yaml in ${place}`)
  return names.map((name) => join(place, name))
}

function shown({ file, results, untested }: CaseFileResult): string {
  const lines = results.map(({ name, differences }) =>
    differences.length === 0 ? `  ✔ ${name}` : `  ✖ ${name}\n${differences.map((text) => `      ${text}`).join('\n')}`,
  )
  const rest = untested.length === 0 ? '' : `  no case is decided by: ${untested.join(', ')}\n`
  return `${file}\n${lines.join('\n')}\n${rest}`
}
