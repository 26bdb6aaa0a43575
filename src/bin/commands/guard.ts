import { readFile, readdir, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import type { GuardAction } from '#contract/screened.ts'
import { LONG_CHARS, scanLong } from '#detect/scan-long.ts'
import { scan } from '#detect/scan.ts'
import { type GuardProfile, actionFor } from '#guard/profile.ts'
import { FindingTally, redact } from '#guard/redact.ts'
import { LazyVault, createVaults } from '#guard/vault.ts'
import { type Command, WrongUsage } from '#bin/command.ts'

const Line = z.object({ id: z.union([z.string(), z.number()]), text: z.string() })

/** Profiles as shipped; the configuration of a gateway may change them. */
const PROFILES: Readonly<Record<string, Readonly<Record<string, GuardAction>>>> = {
  strict: { default: 'redact', SECRET: 'block' },
  balanced: { default: 'redact' },
}

/** Files beyond this are told and passed over: a guard is for texts. */
const MAX_FILE_BYTES = 10_000_000
/** Not the work of whoever asks: other people's code, and the history of one's own. */
const PASSED_OVER = new Set(['node_modules', '.git'])
/** A file with a NUL among its first bytes is not text. */
const PROBE_BYTES = 8192

export const command: Command = {
  summary: 'scan texts: JSON lines {"id","text"} from standard input, or the files of folders',
  usage: '[FOLDER…] [--profile strict|balanced] [< texts.jsonl]',
  takesWords: true,
  options: { profile: { type: 'string', value: 'NAME', help: 'strict or balanced, default balanced' } },
  run: async (given) => {
    const name = given.text('profile') ?? 'balanced'
    const actions = Object.hasOwn(PROFILES, name) ? PROFILES[name] : undefined
    if (actions === undefined) throw new WrongUsage(`there is no profile \`${name}\`, choose strict or balanced`)
    const look = lookerFor(name, actions)
    return given.words.length === 0 ? scanLines(look) : scanFolders(given.words, look)
  },
}

type Look = (id: string | number, text: string) => Promise<number>

/** Scans one text and writes one line; resolves to the number of findings. */
function lookerFor(name: string, actions: Readonly<Record<string, GuardAction>>): Look {
  const profile: GuardProfile = {
    name,
    actions,
    output: {},
    triage: { injection: 'off', toxicity: 'off' },
    minScore: 0.5,
    managed: 'off',
    riskFrom: 0.5,
    sample: 0,
    passages: false,
    protectedMaterial: 'off',
    shadow: false,
    severity: 4,
    onUnavailable: 'refuse',
  }
  const vaults = createVaults(new Uint8Array(32))
  const principal = {
    subject: 'cli',
    tenant: 'cli',
    kind: 'key',
    roles: [],
    groups: [],
    client: undefined,
    via: 'cli',
    credentialId: '',
  } as const
  return async (id, text) => {
    const found = text.length > LONG_CHARS ? await scanLong(text) : scan(text)
    const redacted = redact(text, found, {
      profile,
      vault: new LazyVault(() => vaults.open(principal, String(id))),
      tally: new FindingTally(),
      where: 'prompt',
    })
    const findings = found.map(({ type, start, end, score, detector }) => ({
      type,
      start,
      end,
      score,
      action: score < profile.minScore ? 'allow' : actionFor(profile, type),
      detector,
    }))
    process.stdout.write(`${JSON.stringify({ id, findings, redacted })}\n`)
    return findings.length
  }
}

async function scanLines(look: Look): Promise<number> {
  let [number, bad] = [0, 0]
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1
    if (line.trim() === '') continue
    const parsed = Line.safeParse(jsonOf(line))
    if (parsed.success) await look(parsed.data.id, parsed.data.text)
    else {
      bad += 1
      process.stderr.write(`line ${number} is not {"id","text"}\n`)
    }
  }
  return bad === 0 ? 0 : 1
}

/** One line a text file, with its path as id; how far it is goes to standard error when that is a terminal. */
async function scanFolders(folders: readonly string[], look: Look): Promise<number> {
  let [done, findings, unread] = [0, 0, 0]
  for (const folder of folders) {
    for (const file of await filesIn(folder)) {
      const text = await textOf(file)
      if (text === undefined) unread += 1
      else findings += await look(relative('.', file), text)
      done += 1
      if (process.stderr.isTTY && done % 20 === 0) process.stderr.write(`\r${done} files, ${findings} findings`)
    }
  }
  process.stderr.write(
    `${process.stderr.isTTY ? '\r' : ''}${done} files, ${findings} findings, ${unread} passed over (not text, or over ${MAX_FILE_BYTES / 1e6} MB)\n`,
  )
  return 0
}

/** Files below a folder in the order of their names, links not followed; a file is itself. */
async function filesIn(place: string): Promise<string[]> {
  const facts = await stat(place).catch(() => undefined)
  if (facts === undefined) throw new WrongUsage(`there is no folder or file \`${place}\``)
  if (facts.isFile()) return [place]
  const files: string[] = []
  for (const entry of (await readdir(place, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(place, entry.name)
    if (entry.isFile()) files.push(path)
    else if (entry.isDirectory() && !PASSED_OVER.has(entry.name)) files.push(...(await filesIn(path)))
  }
  return files
}

/** Undefined when the file is too long, is not text, or can not be read. */
async function textOf(file: string): Promise<string | undefined> {
  const facts = await stat(file).catch(() => undefined)
  if (facts === undefined || facts.size > MAX_FILE_BYTES) return undefined
  const bytes = await readFile(file).catch(() => undefined)
  return bytes === undefined || bytes.subarray(0, PROBE_BYTES).includes(0) ? undefined : bytes.toString('utf8')
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
