import { join } from 'node:path'
import type { Entry } from '#contract/entry.ts'
import { entryOf } from '#record/ocsf.ts'
import { verifyTrail } from '#record/verify.ts'

/** Every request of the trail in a data folder, in order, as far as the trail can be trusted. */
export async function eachEntry(data: string, see: (entry: Entry) => void): Promise<void> {
  await verifyTrail(join(data, 'audit'), (text) => {
    const entry = entryOf(text)
    if (entry !== undefined) see(entry)
  })
}

/** @throws when the trail in this data folder has no such request. */
export async function findEntry(data: string, id: string): Promise<Entry> {
  let found: Entry | undefined
  await eachEntry(data, (entry) => {
    if (entry.id === id) found = entry
  })
  if (found === undefined)
    throw new Error(`the trail in ${data} has no request ${id}, name the data folder with --data`)
  return found
}
