import { writeFile } from 'node:fs/promises'
import { loadConfig } from '#config/load.ts'
import { regions } from '#planner/regions.ts'
import { type GatekeeperFacts, gatekeeperYaml } from '#policy/gatekeeper.ts'
import { type Given, WrongUsage } from './command.ts'
import { type PolicySetup, setUpPolicy } from './policy-setup.ts'

/** Hosts by which applications would reach models of the three clouds and of the large vendors by themselves. */
const MODEL_HOSTS = [
  'api.anthropic.com',
  'api.openai.com',
  'aiplatform.googleapis.com',
  'bedrock-runtime.',
  'generativelanguage.googleapis.com',
  'openai.azure.com',
  'services.ai.azure.com',
]

/** `thinplane policy export --gatekeeper`: constraints for the clusters of the other planes. */
export async function exportCommand(given: Given): Promise<number> {
  if (!given.flag('gatekeeper')) throw new WrongUsage('name the form, `--gatekeeper`')
  const loaded = await loadConfig(given.text('config') ?? 'thinplane.yaml')
  const setup = await setUpPolicy(loaded)
  const enforcement = given.text('enforce') ?? 'dryrun'
  if (enforcement !== 'dryrun' && enforcement !== 'warn' && enforcement !== 'deny')
    throw new WrongUsage('--enforce is one of dryrun, warn, deny')
  const jurisdictions = words(given.text('jurisdictions')) ?? boundBy(setup)
  const facts: GatekeeperFacts = {
    regions: regionsIn(jurisdictions),
    modelHosts: [...new Set([...MODEL_HOSTS, ...hostsOf(Object.values(loaded.config.targets))])].toSorted(),
    registries: words(given.text('registries')) ?? [],
    enforcement,
  }
  const yaml = gatekeeperYaml(facts)
  const out = given.text('out')
  if (out === undefined) process.stdout.write(yaml)
  else await writeFile(out, yaml)
  const left = [
    facts.regions.length > 0
      ? ''
      : 'no jurisdiction is bound by a policy or named with --jurisdictions: regions are left out',
    facts.registries.length > 0 ? '' : 'no registry is named with --registries: images are left out',
  ].filter((text) => text !== '')
  for (const text of left) process.stderr.write(`${text}\n`)
  return 0
}

/** Jurisdictions that policies oblige to, and that aliases carry. */
function boundBy({ engine, aliases }: PolicySetup): string[] {
  const obliged = [...engine.policies.values()].flatMap(({ jurisdictions }) => jurisdictions ?? [])
  const residencies = [...aliases.values()].map(({ residency }) => residency)
  return [...new Set([...obliged, ...residencies])].filter((name) => name !== '').toSorted()
}

function regionsIn(jurisdictions: readonly string[]): string[] {
  return [...regions().values()]
    .filter(({ jurisdiction, country }) => jurisdictions.includes(jurisdiction) || jurisdictions.includes(country))
    .map(({ region }) => region)
    .toSorted()
}

/** Hosts of targets in a cloud; those of this machine are nobody's endpoint. */
function hostsOf(targets: readonly { readonly endpoint: string }[]): string[] {
  return targets
    .map(({ endpoint }) => new URL(endpoint).hostname)
    .filter((host) => host !== 'localhost' && !/^[\d.]+$/.test(host) && !host.startsWith('['))
}

function words(text: string | undefined): string[] | undefined {
  return text
    ?.split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}
