import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs'
import { POLICY_SCHEMA } from './schema.ts'

/** One policy of a folder. */
export interface LoadedPolicy {
  /** Its `@id` annotation, else `<file>#<n>`. */
  readonly id: string
  readonly text: string
  readonly file: string
  /** `@guard("strict")`: the guard profile that a permit obliges to; undefined when it names none. */
  readonly guard: string | undefined
  /** `@reason("...")`: what the caller is told when a forbid decides. */
  readonly reason: string | undefined
}

export interface LoadedPolicies {
  readonly policies: ReadonlyMap<string, LoadedPolicy>
}

/** A policy folder that can not be used: every problem with its file and line. */
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

/**
 * Reads every `*.cedar` file of a folder and validates it against the schema.
 * @throws {PolicyProblems} with all that is wrong; nothing is used then.
 */
export async function loadPolicies(folder: string): Promise<LoadedPolicies> {
  const names = (await listFolder(folder)).filter((name) => name.endsWith('.cedar')).toSorted()
  if (names.length === 0)
    throw new PolicyProblems([`${folder}: there is no \`.cedar\` file, so nothing would be permitted`])
  const policies = new Map<string, LoadedPolicy>()
  const problems: string[] = []
  for (const name of names) await loadFile(join(folder, name), name, policies, problems)
  if (problems.length === 0) problems.push(...(await validate(policies)))
  if (problems.length > 0) throw new PolicyProblems(problems)
  return { policies }
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
  for (const [index, policyText] of parts.policies.entries()) {
    const json = policyToJson(policyText)
    const annotations = json.type === 'success' ? (json.json.annotations ?? {}) : {}
    const id = annotations['id'] ?? `${file}#${index + 1}`
    const existing = policies.get(id)
    if (existing !== undefined) problems.push(`${file}: the id \`${id}\` is used in ${existing.file} too`)
    policies.set(id, { id, text: policyText, file, guard: annotations['guard'], reason: annotations['reason'] })
  }
}

async function validate(policies: ReadonlyMap<string, LoadedPolicy>): Promise<string[]> {
  const engine = await cedar()
  const answer = engine.validate({
    validationSettings: { mode: 'strict' },
    schema: POLICY_SCHEMA,
    policies: { staticPolicies: Object.fromEntries([...policies.values()].map(({ id, text }) => [id, text])) },
  })
  if (answer.type === 'failure') return answer.errors.map(({ message }) => message)
  return answer.validationErrors.map(({ policyId, error }) => {
    const policy = policies.get(policyId)
    return `${policy?.file ?? policyId}: policy \`${policyId}\`: ${error.message}${error.help === null ? '' : ` (${error.help})`}`
  })
}

/** Line number, from 1, of where an error points. Cedar counts in bytes. */
function lineOf(text: string, error: DetailedError): number {
  const start = error.sourceLocations?.[0]?.start ?? 0
  return Buffer.from(text).subarray(0, start).toString('utf8').split('\n').length
}
