import { z } from 'zod'
import type { Principal } from '#contract/principal.ts'

/** One line of the deny list: who or what is turned away, however good the credential. */
export interface DenyEntry {
  /** Names the entry, for taking it off again. */
  readonly id: string
  /** One token, by its id. */
  readonly uti?: string | undefined
  /** One person or application, by object id (or OIDC subject, or a key's subject), in any tenant unless `tid` is given. */
  readonly oid?: string | undefined
  readonly tid?: string | undefined
  /** One key, by its id. */
  readonly key?: string | undefined
  /** For whoever reads the list. */
  readonly reason: string
  readonly atEpochMs: number
}

/** The list in memory. `version` grows with every change, so that a cached token is looked up once for each. */
export interface DenyList {
  readonly version: number
  readonly entries: readonly DenyEntry[]
  readonly denies: (principal: Principal) => boolean
  readonly replace: (entries: readonly DenyEntry[]) => void
}

export function openDenyList(first: readonly DenyEntry[]): DenyList {
  let version = 0
  let entries = first
  let names = namesOf(first)
  return {
    get version() {
      return version
    },
    get entries() {
      return entries
    },
    denies: ({ kind, subject, tenant, credentialId }) =>
      names.size > 0 &&
      (names.has(`${kind === 'key' ? 'key' : 'uti'} ${credentialId}`) ||
        names.has(objectName(subject)) ||
        names.has(objectName(subject, tenant))),
    replace: (next) => {
      entries = next
      names = namesOf(next)
      version += 1
    },
  }
}

function namesOf(entries: readonly DenyEntry[]): ReadonlySet<string> {
  return new Set(
    entries.map(({ uti, oid, tid, key }) => {
      if (uti !== undefined) return `uti ${uti}`
      if (key !== undefined) return `key ${key}`
      return objectName(oid ?? '', tid)
    }),
  )
}

/** Ids of directories are the same in either case, and people copy both. */
function objectName(oid: string, tid?: string): string {
  return `oid ${oid.toLowerCase()}${tid === undefined ? '' : ` ${tid.toLowerCase()}`}`
}

const id = z.string().min(1).max(200)
const DenyFile = z.strictObject({
  denied: z.array(
    z
      .strictObject({
        id: z.string().regex(/^[0-9a-f]{12}$/),
        uti: id.optional(),
        oid: id.optional(),
        tid: id.optional(),
        key: id.optional(),
        reason: z.string().max(500).default(''),
        atEpochMs: z.number().default(0),
      })
      .refine(
        ({ uti, oid, tid, key }) =>
          [uti, oid, key].filter((name) => name !== undefined).length === 1 && (tid === undefined || oid !== undefined),
        'name one of `uti`, `oid` (with or without `tid`) and `key`',
      ),
  ),
})

/** The entries of `denied.json`. @throws when the text is not such a file. */
export function parseDenied(text: string): DenyEntry[] {
  return DenyFile.parse(JSON.parse(text)).denied
}

export function showDenied(denied: readonly DenyEntry[]): string {
  return `${JSON.stringify({ denied }, undefined, 2)}\n`
}
