import { readDecimal } from './bytes.ts'
import { type OpenedCheckpoint, openCheckpoint } from './checkpoint.ts'
import { cosignatureBy } from './cosignature.ts'
import { TlogError } from './error.ts'
import { COSIGNER_KEY, LOG_KEY, type VerifierKey, parseVkey } from './key.ts'
import { toHex } from './bytes.ts'

interface Group {
  readonly threshold: number
  readonly members: readonly string[]
}

/** Which logs are believed, and whose cosignatures a checkpoint needs (C2SP tlog-policy). */
export interface Policy {
  readonly logs: readonly VerifierKey[]
  readonly witnesses: ReadonlyMap<string, VerifierKey>
  readonly groups: ReadonlyMap<string, Group>
  /** Name of a witness or a group, or `none`. */
  readonly quorum: string
}

const NONE = 'none'

/** @throws {TlogError} with the number of the line at fault. */
export async function parsePolicy(text: string): Promise<Policy> {
  const reader = new PolicyReader()
  for (const [at, line] of text.split('\n').entries()) {
    const words = line.split(/[ \t]+/).filter((word) => word !== '')
    if (words.length === 0 || words[0]?.startsWith('#') === true) continue
    try {
      await reader.read(words)
    } catch (error) {
      throw new TlogError(`line ${at + 1}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return reader.end()
}

class PolicyReader {
  readonly #logs: VerifierKey[] = []
  readonly #witnesses = new Map<string, VerifierKey>()
  readonly #groups = new Map<string, Group>()
  readonly #members = new Set<string>()
  readonly #keys = new Set<string>()
  #quorum: string | undefined

  async read([what, ...rest]: readonly string[]): Promise<void> {
    if (what === 'log') return this.#log(rest)
    if (what === 'witness') return this.#witness(rest)
    if (what === 'group') return this.#group(rest)
    if (what === 'quorum') return this.#setQuorum(rest)
    throw new TlogError('a line begins with `log`, `witness`, `group` or `quorum`')
  }

  end(): Policy {
    if (this.#quorum === undefined) throw new TlogError('the policy has no quorum line')
    return { logs: this.#logs, witnesses: this.#witnesses, groups: this.#groups, quorum: this.#quorum }
  }

  async #log([vkey = '', ...more]: readonly string[]): Promise<void> {
    if (more.length > 1) throw new TlogError('a log line is `log <vkey> [<url>]`')
    this.#logs.push(await this.#key(vkey, LOG_KEY))
  }

  async #witness([name = '', vkey = '', ...more]: readonly string[]): Promise<void> {
    if (more.length > 1) throw new TlogError('a witness line is `witness <name> <vkey> [<url>]`')
    this.#assertNew(name)
    this.#witnesses.set(name, await this.#key(vkey, COSIGNER_KEY))
  }

  #group([name = '', threshold = '', ...members]: readonly string[]): void {
    this.#assertNew(name)
    for (const member of members) {
      if (!this.#isKnown(member)) throw new TlogError(`\`${member}\` is not defined above`)
      if (this.#members.has(member)) throw new TlogError(`\`${member}\` is a member twice`)
      this.#members.add(member)
    }
    const least =
      threshold === 'any' ? 1 : threshold === 'all' ? members.length : readDecimal(threshold, 'the threshold')
    if (least < 1 || least > members.length) throw new TlogError('the threshold is out of range')
    this.#groups.set(name, { threshold: least, members })
  }

  #setQuorum([name = '', ...more]: readonly string[]): void {
    if (this.#quorum !== undefined) throw new TlogError('there is a second quorum line')
    if (more.length > 0 || (name !== NONE && !this.#isKnown(name)))
      throw new TlogError(`the quorum \`${name}\` is not defined above`)
    this.#quorum = name
  }

  async #key(vkey: string, type: number): Promise<VerifierKey> {
    const key = await parseVkey(vkey)
    if (key.type !== type) throw new TlogError('the key is of the wrong type for this line')
    const bytes = toHex(key.publicKey)
    if (this.#keys.has(bytes)) throw new TlogError('this public key stands there twice')
    this.#keys.add(bytes)
    return key
  }

  #isKnown(name: string): boolean {
    return this.#witnesses.has(name) || this.#groups.has(name)
  }

  #assertNew(name: string): void {
    if (name === '' || name === NONE || this.#isKnown(name)) throw new TlogError(`the name \`${name}\` can not be used`)
  }
}

export interface PolicyVerdict {
  readonly checkpoint: OpenedCheckpoint
  /** Policy names of the witnesses that cosigned, with the time of each in seconds since 1970. */
  readonly cosigned: ReadonlyMap<string, number>
}

/**
 * Checks a signed checkpoint against a policy.
 * @throws {TlogError} when no log of it signed, a signature is bad, or the quorum is not reached.
 */
export async function checkPolicy(policy: Policy, text: string): Promise<PolicyVerdict> {
  const checkpoint = await openedByAny(policy.logs, text)
  const cosigned = new Map<string, number>()
  for (const [name, key] of policy.witnesses) {
    const cosignature = await cosignatureBy(checkpoint.note, key)
    if (cosignature !== undefined) cosigned.set(name, cosignature.timeS)
  }
  if (!isReached(policy, policy.quorum, cosigned))
    throw new TlogError(
      `the quorum \`${policy.quorum}\` is not reached: cosigned by ${[...cosigned.keys()].join(', ') || 'nobody'}`,
    )
  return { checkpoint, cosigned }
}

async function openedByAny(logs: readonly VerifierKey[], text: string): Promise<OpenedCheckpoint> {
  let last: unknown = new TlogError('the policy names no log')
  for (const key of logs) {
    try {
      return await openCheckpoint(text, key)
    } catch (error) {
      last = error
    }
  }
  throw last
}

function isReached(policy: Policy, name: string, cosigned: ReadonlyMap<string, number>): boolean {
  if (name === NONE) return true
  const group = policy.groups.get(name)
  if (group === undefined) return cosigned.has(name)
  return group.members.filter((member) => isReached(policy, member, cosigned)).length >= group.threshold
}
