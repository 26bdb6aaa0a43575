import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { verifyTrail } from '#record/verify.ts'
import { entryOf } from '#record/ocsf.ts'
import { type Command, type Given, WrongUsage } from '#bin/command.ts'
import { showEntry } from '#bin/show-entry.ts'

export const command: Command = {
  summary: 'verify, show or export the audit trail, offline',
  usage: 'verify | show ID | export [--data DIR] [--json]',
  takesWords: true,
  options: {
    data: { type: 'string', value: 'DIR', help: 'the data folder, default .thinplane' },
    json: { type: 'boolean', help: 'print JSON' },
  },
  run: async (given) => {
    const [what, id, ...more] = given.words
    const folder = () => trailFolder(given.text('data') ?? '.thinplane')
    if (what === 'verify' && id === undefined) return verify(await folder(), given)
    if (what === 'show' && id !== undefined && more.length === 0) return show(await folder(), id, given)
    if (what === 'export' && id === undefined) return exportTrail(await folder())
    throw new WrongUsage('write `verify`, `show ID` or `export`')
  },
}

/** The trail inside a data folder; the folder of the trail itself is taken too. */
async function trailFolder(data: string): Promise<string> {
  for (const folder of [join(data, 'audit'), data]) {
    const isThere = await stat(join(folder, '00000000.log')).then(
      () => true,
      () => false,
    )
    if (isThere) return folder
  }
  throw new Error(`there is no audit trail in ${data}, name the data folder with --data`)
}

async function verify(folder: string, given: Given): Promise<number> {
  const verdict = await verifyTrail(folder)
  if (given.flag('json')) process.stdout.write(`${JSON.stringify({ folder, ...verdict })}\n`)
  else if (verdict.ok) process.stdout.write(`the trail is whole: ${verdict.entries} entries, head ${verdict.head}\n`)
  else process.stdout.write(`the trail is BROKEN after ${verdict.entries} good entries: ${verdict.reason}\n`)
  return verdict.ok ? 0 : 1
}

async function show(folder: string, id: string, given: Given): Promise<number> {
  let found: string | undefined
  const verdict = await verifyTrail(folder, (text) => {
    // A look at the text spares parsing every entry.
    if (text.includes(JSON.stringify(id)) && entryOf(text)?.id === id) found = text
  })
  if (found === undefined) {
    process.stderr.write(
      `there is no entry ${id}${verdict.ok ? '' : ` in the part that can be trusted (${verdict.reason})`}\n`,
    )
    return 1
  }
  const entry = given.flag('json') ? undefined : entryOf(found)
  process.stdout.write(entry === undefined ? `${found}\n` : showEntry(entry))
  return 0
}

async function exportTrail(folder: string): Promise<number> {
  const verdict = await verifyTrail(folder, (text) => void process.stdout.write(`${text}\n`))
  if (!verdict.ok) process.stderr.write(`the trail is broken after ${verdict.entries} entries: ${verdict.reason}\n`)
  return verdict.ok ? 0 : 1
}
