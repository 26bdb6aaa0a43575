import { hash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { DetailedError, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { type PolicyObligations, readObligations } from './obligations.ts'
import { type Reads, readsOf } from './reads.ts'
import { POLICY_SCHEMA } from './schema.ts'

/** One policy of a folder. */
export interface LoadedPolicy extends PolicyObligations {
  /** Its `@id` annotation, else `<file>#<n>`. */
  readonly id: string
  readonly text: string
  readonly json: PolicyJson
  /** Path below the folder's parent, for messages: `policies/developers.cedar`. */
  readonly file: string
  /** Line, from 1, where it begins. */
  readonly line: number
}

export interface LoadedPolicies {
  readonly policies: ReadonlyMap<string, LoadedPolicy>
  readonly reads: Reads
}

/** Policy folders that can not be used: every problem with its file and line. */
export class PolicyProblems extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`the policies can not be used:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.name = 'PolicyProblems'
    this.problems = problems
  }
}

/** Loaded on first use: the engine is 4 MB of WebAssembly. */
export function cedar() {
  return import('@cedar-policy/cedar-wasm/nodejs')
}

/** Sets that were validated before, by digest: validating one again costs a start some 200 ms. */
export interface ValidatedSets {
  has(digest: string): boolean
  add(digest: string): void
}

/**
 * Reads every `*.cedar` file of the folders and validates all of them together against the schema.
 * @throws {PolicyProblems} with all that is wrong; nothing is used then.
 */
export async function loadPolicies(folders: readonly string[], validated?: ValidatedSets): Promise<LoadedPolicies> {
  const policies = new Map<string, LoadedPolicy>()
  const problems: string[] = []
  for (const folder of folders) {
    const names = (await listFolder(folder)).filter((name) => name.endsWith('.cedar')).toSorted()
    if (names.length === 0) problems.push(`${folder}: there is no \`.cedar\` file, so nothing would be decided by it`)
    for (const name of names) await loadFile(join(folder, name), name, policies, problems)
  }
  if (problems.length === 0) {
    const digest = await digestOf(policies)
    if (validated?.has(digest) !== true) problems.push(...(await validate(policies)))
    if (problems.length === 0) validated?.add(digest)
  }
  if (problems.length > 0) throw new PolicyProblems(problems)
  return { policies, reads: readsOf([...policies.values()].map(({ json }) => json)) }
}

async function listFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch {
    throw new PolicyProblems([`${folder}: the folder can not be read`])
  }
}

async function loadFile(
  path: string,
  file: string,
  policies: Map<string, LoadedPolicy>,
  problems: string[],
): Promise<void> {
  const text = await readFile(path, 'utf8')
  const { policySetTextToParts, policyToJson } = await cedar()
  const parts = policySetTextToParts(text)
  if (parts.type === 'failure') {
    for (const error of parts.errors)
      problems.push(`${file}:${lineOf(text, error)}: ${error.message}${error.help === null ? '' : ` (${error.help})`}`)
    return
  }
  if (parts.policy_templates.length > 0)
    problems.push(`${file}: templates (\`?principal\`, \`?resource\`) are not used here, write the policy out`)
  let from = 0
  for (const [index, policyText] of parts.policies.entries()) {
    const at = text.indexOf(policyText, from)
    if (at !== -1) from = at
    const line = text.slice(0, from).split('\n').length
    const json = policyToJson(policyText)
    if (json.type === 'failure') {
      problems.push(...json.errors.map(({ message }) => `${file}:${line}: ${message}`))
      continue
    }
    const annotations = json.json.annotations ?? {}
    const id = annotations['id'] ?? `${file}#${index + 1}`
    const existing = policies.get(id)
    if (existing !== undefined)
      problems.push(`${file}:${line}: the id \`${id}\` is used in ${existing.file}:${existing.line} too`)
    const obligations = readObligations(annotations, (message) =>
      problems.push(`${file}:${line}: policy \`${id}\`: ${message}`),
    )
    policies.set(id, { id, text: policyText, json: json.json, file, line, ...obligations })
    from += policyText.length
  }
}

/** Of everything that validation depends on: the engine, the schema and the texts. */
async function digestOf(policies: ReadonlyMap<string, LoadedPolicy>): Promise<string> {
  const { getCedarVersion } = await cedar()
  return hash('sha256', JSON.stringify([getCedarVersion(), POLICY_SCHEMA, staticPolicies(policies)]), 'hex')
}

async function validate(policies: ReadonlyMap<string, LoadedPolicy>): Promise<string[]> {
  const engine = await cedar()
  const answer = engine.validate({
    validationSettings: { mode: 'strict' },
    schema: POLICY_SCHEMA,
    policies: { staticPolicies: staticPolicies(policies) },
  })
  if (answer.type === 'failure') return answer.errors.map(({ message }) => message)
  return answer.validationErrors.map(({ policyId, error }) => {
    const policy = policies.get(policyId)
    const line = policy === undefined ? 0 : policy.line + lineOf(policy.text, error) - 1
    return `${policy?.file ?? policyId}:${line}: policy \`${policyId}\`: ${withoutId(error.message, policyId)}${error.help === null ? '' : ` (${error.help})`}`
  })
}

/** Texts by id, as the engine takes them. */
export function staticPolicies(policies: ReadonlyMap<string, LoadedPolicy>): Record<string, string> {
  return Object.fromEntries([...policies.values()].map(({ id, text }) => [id, text]))
}

/** Cedar begins its messages with the id; ours says it already. */
function withoutId(message: string, id: string): string {
  const lead = `for policy \`${id}\`, `
  return message.startsWith(lead) ? message.slice(lead.length) : message
}

/** Line number, from 1, of where an error points. Cedar counts in bytes. */
function lineOf(text: string, error: DetailedError): number {
  const start = error.sourceLocations?.[0]?.start ?? 0
  return Buffer.from(text).subarray(0, start).toString('utf8').split('\n').length
}
