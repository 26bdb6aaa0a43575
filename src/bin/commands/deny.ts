import { type DenyEntry, parseDenied, showDenied } from '#identity/deny.ts'
import { type Command, type Given, WrongUsage } from '#bin/command.ts'
import { filesOf } from '#bin/identity-files.ts'
import { CannotDo, NewDenial, allowed, newDenial, readInput } from '#bin/key-operations.ts'
import { changeFile, readIfThere } from '#bin/locked-change.ts'

export const command: Command = {
  summary: 'turn a person, an application, a token or a key away at once, or let them in again',
  usage:
    'add (--oid ID [--tid ID] | --uti ID | --key ID) [--reason TEXT] | remove ID | list [--data DIR | --config FILE] [--json]',
  takesWords: true,
  options: {
    oid: { type: 'string', value: 'ID', help: 'add: a person or application, by object id (or the subject)' },
    tid: { type: 'string', value: 'ID', help: 'add: only in this tenant' },
    uti: { type: 'string', value: 'ID', help: 'add: one token, by the credential id of its audit entries' },
    key: { type: 'string', value: 'ID', help: 'add: one key, by its id' },
    reason: { type: 'string', value: 'TEXT', help: 'add: why, for whoever reads the list' },
    data: { type: 'string', value: 'DIR', help: 'the data folder, default .thinplane' },
    config: { type: 'string', value: 'FILE', help: 'the configuration, whose data folder is used' },
    json: { type: 'boolean', help: 'print JSON' },
  },
  run: async (given) => {
    const [what, id, ...more] = given.words
    const { deniedFile } = await filesOf(given)
    try {
      if (what === 'add' && id === undefined) return await add(given, deniedFile)
      if (what === 'list' && id === undefined) return await list(given, deniedFile)
      if (what === 'remove' && id !== undefined && more.length === 0) {
        await changeFile(deniedFile, (text) => showDenied(allowed(entriesOf(text), id)))
        process.stdout.write(given.flag('json') ? `${JSON.stringify({ id })}\n` : `${id} is off the list\n`)
        return 0
      }
    } catch (error) {
      if (!(error instanceof CannotDo)) throw error
      process.stderr.write(`thinplane deny: ${error.message}\n`)
      return 1
    }
    throw new WrongUsage('write `add`, `remove ID` or `list`')
  },
}

async function add(given: Given, file: string): Promise<number> {
  const named = { oid: given.text('oid'), tid: given.text('tid'), uti: given.text('uti'), key: given.text('key') }
  if (Object.values(named).every((value) => value === undefined))
    throw new WrongUsage('`add` needs one of --oid, --uti and --key')
  const entry = newDenial(readInput(NewDenial, { ...named, reason: given.text('reason') }), Date.now())
  await changeFile(file, (text) => showDenied([...entriesOf(text), entry]))
  process.stdout.write(given.flag('json') ? `${JSON.stringify(entry)}\n` : `${entry.id}\n`)
  return 0
}

async function list(given: Given, file: string): Promise<number> {
  const denied = entriesOf(await readIfThere(file))
  if (given.flag('json')) process.stdout.write(`${JSON.stringify({ denied })}\n`)
  else if (denied.length === 0) process.stdout.write('nobody is denied\n')
  else process.stdout.write(denied.map((entry) => `${entry.id}  ${whom(entry)}\n`).join(''))
  return 0
}

function whom({ uti, oid, tid, key, reason, atEpochMs }: DenyEntry): string {
  const named = uti !== undefined ? `token ${uti}` : key !== undefined ? `key ${key}` : `object ${oid ?? ''}`
  const where = tid === undefined ? '' : ` of tenant ${tid}`
  return `${named}${where}, since ${new Date(atEpochMs).toISOString().slice(0, 16)}Z${reason === '' ? '' : `: ${reason}`}`
}

function entriesOf(text: string | undefined): DenyEntry[] {
  return parseDenied(text ?? '{"denied":[]}')
}
