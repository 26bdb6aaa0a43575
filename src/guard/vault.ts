import { hash } from 'node:crypto'
import type { Principal } from '#contract/principal.ts'
import type { Vault } from '#contract/screened.ts'
import { Lru } from '#kit/lru.ts'

/**
 * Placeholders of one conversation. A value gets the same placeholder in every turn, whatever stands before it:
 * the number is drawn from a keyed hash of the value, not counted. Another tenant, caller or conversation gets others.
 */
export class ConversationVault implements Vault {
  readonly types = new Set<string>()
  readonly #key: string
  readonly #byValue = new Map<string, string>()
  readonly #byPlaceholder = new Map<string, string | undefined>()

  constructor(key: string) {
    this.#key = key
  }

  get size(): number {
    return this.#byPlaceholder.size
  }

  original(placeholder: string): string | undefined {
    return this.#byPlaceholder.get(placeholder)
  }

  /** `<EMAIL_ADDRESS_4821>` for a value. `restorable: false` keeps no original: a secret is never put back. */
  placeholder(type: string, value: string, restorable: boolean): string {
    const id = `${type}\n${value}`
    const known = this.#byValue.get(id)
    if (known !== undefined) return known
    const number = hash('sha256', `${this.#key}\n${id}`, 'buffer').readUInt32BE(0)
    for (let step = 0; ; step += 1) {
      const placeholder = `<${type}_${FIRST_NUMBER + ((number + step) % NUMBERS)}>`
      if (this.#byPlaceholder.has(placeholder)) continue
      this.types.add(type)
      this.#byValue.set(id, placeholder)
      this.#byPlaceholder.set(placeholder, restorable ? value : undefined)
      return placeholder
    }
  }

  /** Whether no more values fit: then the text is refused rather than one placeholder meaning two values. */
  get isFull(): boolean {
    return this.#byPlaceholder.size >= MAX_VALUES
  }
}

/** Four to five digits: short for the model, and always of the same length within a conversation. */
const FIRST_NUMBER = 10_000
const NUMBERS = 90_000
/** Values one conversation may hold; at this number probing still finds a free placeholder at once. */
const MAX_VALUES = 20_000

export interface Vaults {
  /** The vault of this caller's conversation; a new one when it is not known or no longer kept. */
  open(principal: Principal, conversation: string): ConversationVault
}

/**
 * The vault of a request, opened when something is replaced or a placeholder comes back in the prompt: most prompts
 * hold neither, and pay nothing.
 */
export class LazyVault implements Vault {
  readonly #open: () => ConversationVault
  #vault: ConversationVault | undefined

  constructor(open: () => ConversationVault) {
    this.#open = open
  }

  opened(): ConversationVault {
    this.#vault ??= this.#open()
    return this.#vault
  }

  get size(): number {
    return this.#vault?.size ?? 0
  }

  get types(): ReadonlySet<string> {
    return this.#vault?.types ?? NO_TYPES
  }

  original(placeholder: string): string | undefined {
    return this.#vault?.original(placeholder)
  }
}

const NO_TYPES: ReadonlySet<string> = new Set()

/** Conversations kept at once, so that placeholders that come back in a history can be restored. */
const CONVERSATIONS = 10_000

/**
 * Keyed by a secret prefix rather than HMAC: what leaves is 17 bits of a hash, and it costs a third.
 * `key` is the process's own: placeholders stay the same over restarts as long as it does. In memory only.
 */
export function createVaults(key: Uint8Array): Vaults {
  const vaults = new Lru<string, ConversationVault>(CONVERSATIONS)
  const secret = Buffer.from(key).toString('base64')
  return {
    open(principal, conversation) {
      const id = hash(
        'sha256',
        `${secret}\n${principal.tenant}\n${principal.subject}\n${principal.via}\n${conversation}`,
        'base64',
      )
      let vault = vaults.get(id)
      if (vault === undefined) {
        vault = new ConversationVault(id)
        vaults.set(id, vault)
      }
      return vault
    },
  }
}
