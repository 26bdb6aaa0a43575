import { z } from 'zod'
import type { KeyRecord } from './key.ts'

const names = z.array(z.string())

const KeysFile = z.strictObject({
  keys: z.array(
    z.strictObject({
      id: z.string().regex(/^[0-9a-f]{12}$/),
      hash: z.string().regex(/^[0-9a-f]{64}$/),
      tenant: z.string(),
      subject: z.string(),
      roles: names,
      name: z.string().optional(),
      owner: z.string().optional(),
      note: z.string().optional(),
      scope: z.strictObject({ aliases: names.optional(), collections: names.optional() }).optional(),
      createdAtEpochMs: z.number().optional(),
      expiresAtEpochMs: z.number().optional(),
      previous: z.strictObject({ hash: z.string().regex(/^[0-9a-f]{64}$/), untilEpochMs: z.number() }).optional(),
      revoked: z.boolean().optional(),
    }),
  ),
})

/** The records of `keys.json`. @throws when the text is not such a file, or names an id twice. */
export function parseKeys(text: string): KeyRecord[] {
  const { keys } = KeysFile.parse(JSON.parse(text))
  if (new Set(keys.map(({ id }) => id)).size < keys.length) throw new Error('an id stands there twice')
  // Absent and undefined mean the same in a file.
  return keys as KeyRecord[]
}

export function showKeys(keys: readonly KeyRecord[]): string {
  return `${JSON.stringify({ keys }, undefined, 2)}\n`
}
