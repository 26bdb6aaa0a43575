import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ValidatedSets } from '#policy/load.ts'

/**
 * The set of policies that was validated last, by digest, in a file of the data folder. A file that can not be read or
 * written costs a validation, nothing else: the engine checks each request against the schema either way.
 */
export function validatedSets(dataFolder: string): ValidatedSets {
  const file = join(dataFolder, 'policies.validated')
  return {
    has: (digest) => {
      try {
        return readFileSync(file, 'utf8') === digest
      } catch {
        return false
      }
    },
    add: (digest) => {
      try {
        writeFileSync(file, digest, { mode: 0o600 })
      } catch {
        // The next start validates again.
      }
    },
  }
}
