import { join } from 'node:path'
import type { Entry } from '#contract/entry.ts'
import { entryOf } from '#record/ocsf.ts'
import { eachEntry } from '#record/read-entries.ts'

/** Every request of the trail in a data folder, in order. @throws when an entry does not match its hash. */
export async function eachRequest(data: string, see: (entry: Entry) => void): Promise<void> {
  const { bad } = await eachEntry(join(data, 'audit'), ({ bytes }) => {
    const entry = entryOf(bytes.toString('utf8'))
    if (entry !== undefined) see(entry)
  })
  if (bad !== undefined) throw new Error(`the trail in ${data} is broken, ${bad}: run \`thinplane audit verify\``)
}

/** @throws when the trail in this data folder has no such request. */
export async function findRequest(data: string, id: string): Promise<Entry> {
  let found: Entry | undefined
  await eachRequest(data, (entry) => {
    if (entry.id === id) found = entry
  })
  if (found === undefined)
    throw new Error(`the trail in ${data} has no request ${id}, name the data folder with --data`)
  return found
}
