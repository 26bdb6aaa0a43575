import { join } from 'node:path'
import type { AdminEvent, OnAdminEvent } from '#contract/admin-event.ts'
import { type DenyEntry, type DenyList, openDenyList, parseDenied, showDenied } from '#identity/deny.ts'
import { type KeyRecord, type KeyRing, openKeyRing } from '#identity/key.ts'
import { parseKeys, showKeys } from '#identity/key-file.ts'
import { asRecord, parseJson } from '#kit/json.ts'
import type { Log } from '#observe/log.ts'
import { changeFile, readIfThere } from './locked-change.ts'
import { writeDurably } from './state.ts'

export interface IdentityFiles {
  readonly keysFile: string
  readonly deniedFile: string
}

/** Keys and the deny list: files that people change, and what the gateway goes by in memory. */
export interface IdentityStores {
  readonly keys: KeyRing
  readonly denied: DenyList
  readonly files: () => IdentityFiles
  /** Why a file can not be used, so that what was read before stays; empty when all is well. */
  readonly trouble: () => string
  /** Reads the files again, or other ones. Never throws: what can not be read leaves what is in memory. */
  readonly reload: (files?: IdentityFiles) => Promise<void>
  /** @throws when the file can not be read or written; nothing has changed then. */
  readonly changeKeys: (actor: string, change: (keys: readonly KeyRecord[]) => readonly KeyRecord[]) => Promise<void>
  readonly changeDenied: (
    actor: string,
    change: (entries: readonly DenyEntry[]) => readonly DenyEntry[],
  ) => Promise<void>
  /** Writes down when keys were last used. Never throws. */
  readonly flush: () => Promise<void>
}

export interface StoreOptions {
  readonly dataFolder: string
  readonly files: IdentityFiles
  readonly log: Log
  readonly onAdminEvent: OnAdminEvent
}

/** Who changed a file that was not changed through the admin API. */
const FILE = 'file'

/** @throws when a file is there and can not be used: a gateway does not start with a deny list that it can not read. */
export async function openIdentityStores({
  dataFolder,
  files: first,
  log,
  onAdminEvent,
}: StoreOptions): Promise<IdentityStores> {
  let files = first
  let troubles: readonly string[] = []
  const keys = openKeyRing((await read(files.keysFile, parseKeys)) ?? [], Date.now)
  const denied = openDenyList((await read(files.deniedFile, parseDenied)) ?? [])
  const usedFile = join(dataFolder, 'keys-used.json')
  for (const [id, at] of await readUsed(usedFile)) keys.lastUsed.set(id, at)
  let flushed = newest(keys)

  const load = async (actor: string): Promise<void> => {
    const found = await Promise.all([
      attempt(files.keysFile, parseKeys, keys.records().length > 0),
      attempt(files.deniedFile, parseDenied, denied.entries.length > 0),
    ])
    const [readKeys, readDenied] = found
    for (const { trouble } of found) {
      if (trouble !== '' && !troubles.includes(trouble)) log.error('a file can not be used', { trouble })
    }
    troubles = found.flatMap(({ trouble }) => (trouble === '' ? [] : [trouble]))
    if (readKeys.value !== undefined) {
      const events = keyEvents(keys.records(), readKeys.value, actor)
      keys.replace(readKeys.value)
      events.forEach(onAdminEvent)
    }
    if (readDenied.value !== undefined) {
      const events = denyEvents(denied.entries, readDenied.value, actor)
      if (events.length > 0) denied.replace(readDenied.value)
      events.forEach(onAdminEvent)
    }
  }
  // One after the other: a change through the API is seen as the API's, not as one that appeared in the file.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const turn = last.then(work, work)
    last = turn.catch(() => undefined)
    return turn
  }
  return {
    keys,
    denied,
    files: () => files,
    trouble: () => troubles.join('; '),
    reload: (others) =>
      inTurn(async () => {
        files = others ?? files
        await load(FILE)
      }),
    changeKeys: (actor, change) =>
      inTurn(async () => {
        await changeFile(files.keysFile, (text) => showKeys(change(parseKeys(text ?? '{"keys":[]}'))))
        await load(actor)
      }),
    changeDenied: (actor, change) =>
      inTurn(async () => {
        await changeFile(files.deniedFile, (text) => showDenied(change(parseDenied(text ?? '{"denied":[]}'))))
        await load(actor)
      }),
    flush: async () => {
      const now = newest(keys)
      if (now === flushed) return
      try {
        const known = keys.records().flatMap(({ id }) => {
          const at = keys.lastUsed.get(id)
          return at === undefined ? [] : [[id, at] as const]
        })
        await writeDurably(usedFile, `${JSON.stringify(Object.fromEntries(known))}\n`)
        flushed = now
      } catch (error) {
        log.warn('when keys were last used can not be written down', {
          problem: error instanceof Error ? error.message : '',
        })
      }
    },
  }
}

async function read<Value>(path: string, parse: (text: string) => Value): Promise<Value | undefined> {
  const text = await readIfThere(path)
  if (text === undefined) return undefined
  try {
    return parse(text)
  } catch (error) {
    throw new Error(`${path} can not be used: ${oneLine(error)}`, { cause: error })
  }
}

/** A file that was there and is gone is a fault: nobody is turned away for it. */
async function attempt<Value>(
  path: string,
  parse: (text: string) => Value,
  mustExist: boolean,
): Promise<{ readonly value: Value | undefined; readonly trouble: string }> {
  try {
    const value = await read(path, parse)
    const isGone = value === undefined && mustExist
    return { value, trouble: isGone ? `${path} is gone, what it held stays in force` : '' }
  } catch (error) {
    return { value: undefined, trouble: `${oneLine(error)}, what it held before stays in force` }
  }
}

function oneLine(error: unknown): string {
  return error instanceof Error ? error.message.replaceAll(/\s+/g, ' ').slice(0, 300) : ''
}

/** When each key was last used, by id; a file that is not there or odd says nothing. */
export async function readUsed(path: string): Promise<ReadonlyMap<string, number>> {
  const text = await readIfThere(path).catch(() => undefined)
  const entries = Object.entries(asRecord(parseJson(text ?? '')) ?? {})
  return new Map(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'))
}

function newest(keys: KeyRing): number {
  return Math.max(0, ...keys.lastUsed.values())
}

function keyEvents(before: readonly KeyRecord[], after: readonly KeyRecord[], actor: string): AdminEvent[] {
  const old = new Map(before.map((record) => [record.id, record]))
  const events: AdminEvent[] = after.flatMap((record) => {
    const action = changeOf(old.get(record.id), record)
    const detail = { subject: record.subject, tenant: record.tenant, roles: record.roles.join(' ') }
    return action === undefined ? [] : [event('key', action, actor, record.id, detail)]
  })
  const kept = new Set(after.map(({ id }) => id))
  const removed = before.filter(({ id }) => !kept.has(id)).map(({ id }) => event('key', 'removed', actor, id, {}))
  return [...events, ...removed]
}

function changeOf(before: KeyRecord | undefined, after: KeyRecord): string | undefined {
  if (before === undefined) return 'created'
  if (before.revoked !== true && after.revoked === true) return 'revoked'
  if (before.hash !== after.hash) return 'rotated'
  return JSON.stringify(before) === JSON.stringify(after) ? undefined : 'changed'
}

function denyEvents(before: readonly DenyEntry[], after: readonly DenyEntry[], actor: string): AdminEvent[] {
  const form = (entry: DenyEntry): string => JSON.stringify(entry)
  const [old, now] = [new Set(before.map(form)), new Set(after.map(form))]
  return [
    ...after
      .filter((entry) => !old.has(form(entry)))
      .map((entry) => event('deny', 'added', actor, entry.id, denyDetail(entry))),
    ...before
      .filter((entry) => !now.has(form(entry)))
      .map((entry) => event('deny', 'removed', actor, entry.id, denyDetail(entry))),
  ]
}

function denyDetail({ uti, oid, tid, key }: DenyEntry): Record<string, string> {
  const named = Object.entries({ uti, oid, tid, key })
  return Object.fromEntries(named.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

function event(
  kind: AdminEvent['kind'],
  action: string,
  actor: string,
  subjectId: string,
  detail: Record<string, string>,
): AdminEvent {
  return { kind, action, actor, subjectId, outcome: 'done', atEpochMs: Date.now(), detail }
}
