import type { KeyRecord } from '#identity/key.ts'
import { parseKeys, showKeys } from '#identity/key-file.ts'
import { type Command, type Given, WrongUsage } from '#bin/command.ts'
import { readUsed } from '#bin/identity-stores.ts'
import { filesOf } from '#bin/identity-files.ts'
import {
  CannotDo,
  GRACE_HOURS,
  MAX_GRACE_HOURS,
  NewKey,
  newKey,
  readInput,
  revoked,
  rotated,
  shownKey,
} from '#bin/key-operations.ts'
import { changeFile, readIfThere } from '#bin/locked-change.ts'

export const command: Command = {
  summary: 'create, list, rotate or revoke keys of applications',
  usage:
    'create --name NAME [...] | list | rotate ID [--grace HOURS] | revoke ID [--data DIR | --config FILE] [--json]',
  takesWords: true,
  options: {
    name: { type: 'string', value: 'NAME', help: 'create: what people call the key' },
    owner: { type: 'string', value: 'NAME', help: 'create: who answers for it' },
    roles: { type: 'string', value: 'A,B', help: 'create: its roles, default developer' },
    tenant: { type: 'string', value: 'NAME', help: 'create: tenant of its caller, default local' },
    subject: { type: 'string', value: 'ID', help: 'create: whom policy and trail see, default the name' },
    aliases: { type: 'string', value: 'A,B', help: 'create: model aliases that it may use, default all' },
    collections: { type: 'string', value: 'A,B', help: 'create: collections that it may ground on, default all' },
    days: { type: 'string', value: 'N', help: 'create: days until it expires, default never' },
    note: { type: 'string', value: 'TEXT', help: 'create: anything to remember' },
    grace: {
      type: 'string',
      value: 'HOURS',
      help: `rotate: how long the old secret stays good, default ${GRACE_HOURS}`,
    },
    data: { type: 'string', value: 'DIR', help: 'the data folder, default .thinplane' },
    config: { type: 'string', value: 'FILE', help: 'the configuration, whose data folder is used' },
    json: { type: 'boolean', help: 'print JSON' },
  },
  run: async (given) => {
    const [what, id, ...more] = given.words
    const files = await filesOf(given)
    const now = Date.now()
    try {
      if (what === 'create' && id === undefined) return await create(given, files.keysFile, now)
      if (what === 'list' && id === undefined) return await list(given, files, now)
      if (what === 'rotate' && id !== undefined && more.length === 0) return await rotate(given, files.keysFile, id)
      if (what === 'revoke' && id !== undefined && more.length === 0) {
        await change(files.keysFile, (keys) => revoked(keys, id))
        process.stdout.write(
          given.flag('json') ? `${JSON.stringify({ id, state: 'revoked' })}\n` : `${id} is revoked\n`,
        )
        return 0
      }
    } catch (error) {
      if (!(error instanceof CannotDo)) throw error
      process.stderr.write(`thinplane keys: ${error.message}\n`)
      return 1
    }
    throw new WrongUsage('write `create`, `list`, `rotate ID` or `revoke ID`')
  },
}

async function create(given: Given, file: string, now: number): Promise<number> {
  const days = given.number('days', 1, 3650)
  if (given.text('name') === undefined) throw new WrongUsage('`create` needs --name')
  const roles = listOf(given, 'roles')
  const wanted = {
    name: given.text('name'),
    owner: given.text('owner'),
    tenant: given.text('tenant'),
    subject: given.text('subject'),
    note: given.text('note'),
    aliases: listOf(given, 'aliases'),
    collections: listOf(given, 'collections'),
    expiresInDays: days,
    roles,
  }
  const { key, record } = newKey(readInput(NewKey, wanted), now)
  await change(file, (keys) => [...keys, record])
  say(given, { key, ...shownKey(record, undefined, now) }, key)
  return 0
}

async function rotate(given: Given, file: string, id: string): Promise<number> {
  const graceHours = given.number('grace', 0, MAX_GRACE_HOURS) ?? GRACE_HOURS
  let key = ''
  await change(file, (keys) => {
    const made = rotated(keys, id, { graceHours, nowEpochMs: Date.now() })
    key = made.key
    return made.keys
  })
  say(given, { id, key, graceHours }, key)
  return 0
}

/** The secret alone on standard output, so that it can go into a file; what to know about it beside. */
function say(given: Given, facts: object, key: string): void {
  if (given.flag('json')) {
    process.stdout.write(`${JSON.stringify(facts)}\n`)
    return
  }
  process.stderr.write('this is shown once and kept nowhere:\n')
  process.stdout.write(`${key}\n`)
}

async function list(
  given: Given,
  { keysFile, usedFile }: { readonly keysFile: string; readonly usedFile: string },
  now: number,
): Promise<number> {
  const records = parseKeys((await readIfThere(keysFile)) ?? '{"keys":[]}')
  const used = await readUsed(usedFile)
  const keys = records.map((record) => shownKey(record, used.get(record.id), now))
  if (given.flag('json')) {
    process.stdout.write(`${JSON.stringify({ keys })}\n`)
    return 0
  }
  for (const key of keys) {
    const scope = key.scope && [
      ...(key.scope.aliases === undefined ? [] : [`aliases ${key.scope.aliases.join(',') || 'none'}`]),
      ...(key.scope.collections === undefined ? [] : [`collections ${key.scope.collections.join(',') || 'none'}`]),
    ]
    const facts = [
      key.state,
      `${key.tenant}/${key.subject}`,
      `roles ${key.roles.join(',') || 'none'}`,
      ...(scope ?? []),
      key.owner === '' ? '' : `owner ${key.owner}`,
      when('expires', key.expiresAtEpochMs),
      when('old secret until', key.oldSecretUntilEpochMs),
      when('last used', key.lastUsedEpochMs),
    ]
    process.stdout.write(`${key.id}  ${key.name.padEnd(20)} ${facts.filter((fact) => fact !== '').join(', ')}\n`)
  }
  if (keys.length === 0) process.stdout.write('there are no keys\n')
  return 0
}

function when(what: string, atEpochMs: number | undefined): string {
  return atEpochMs === undefined ? '' : `${what} ${new Date(atEpochMs).toISOString().slice(0, 16)}Z`
}

function listOf(given: Given, name: string): readonly string[] | undefined {
  const names = given
    .text(name)
    ?.split(',')
    .map((part) => part.trim())
  return names?.filter((part) => part !== '')
}

async function change(file: string, work: (keys: readonly KeyRecord[]) => readonly KeyRecord[]): Promise<void> {
  await changeFile(file, (text) => showKeys(work(parseKeys(text ?? '{"keys":[]}'))))
}
