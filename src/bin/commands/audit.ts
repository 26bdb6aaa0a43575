import { type Command, type Given, WrongUsage } from '#bin/command.ts'
import { exportTrail } from '#bin/audit/export.ts'
import { rebuild, search, show } from '#bin/audit/find.ts'
import { placeOf, vkeyBeside } from '#bin/audit/place.ts'
import { forget } from '#bin/audit/forget.ts'
import { checkProofFile, prove } from '#bin/audit/prove.ts'
import { reconcile } from '#bin/audit/reconcile.ts'
import { verify } from '#bin/audit/verify.ts'

/** What is done, by its first word; the number is how many words follow. */
const ACTIONS: Readonly<Record<string, readonly [words: 0 | 1, run: (given: Given, word: string) => Promise<number>]>> =
  {
    verify: [0, verify],
    show: [1, show],
    search: [0, search],
    prove: [1, prove],
    'check-proof': [1, checkProofFile],
    export: [0, exportTrail],
    key: [0, key],
    rebuild: [0, rebuild],
    reconcile: [0, reconcile],
    forget: [1, forget],
  }

export const command: Command = {
  summary: 'verify, search, show, prove or export the audit trail, offline',
  usage: [
    'verify [--key VKEY | --policy FILE]        every hash, the tree and its signatures',
    '       thinplane audit show ID                              one entry',
    '       thinplane audit search [--subject S] [--alias A] [--outcome O] [--since T] [--until T] [--limit N]',
    '       thinplane audit prove ID|INDEX [--out FILE] [--entry FILE] [--form v1|spicy]',
    '       thinplane audit check-proof FILE --key VKEY|--policy FILE [--entry FILE]   the entry, or standard input',
    '       thinplane audit export [--tiles DIR]                 the entries as NDJSON, or a complete static log',
    "       thinplane audit key                                  the log's verifier key",
    '       thinplane audit rebuild                              makes the index of show and search again',
    '       thinplane audit reconcile [--from DIR | --new-log --reason TEXT]   a log that is not what was signed',
    "       thinplane audit forget TENANT                        destroys the key of a tenant's digests",
  ].join('\n'),
  takesWords: true,
  options: {
    data: { type: 'string', value: 'DIR', help: 'the data folder, default .thinplane' },
    json: { type: 'boolean', help: 'print JSON' },
    key: { type: 'string', value: 'VKEY', help: "the log's verifier key, from somewhere else than the log" },
    policy: { type: 'string', value: 'FILE', help: 'a C2SP policy: logs, witnesses and the quorum to believe' },
    out: { type: 'string', value: 'FILE', help: 'prove: the proof file, default standard output' },
    entry: { type: 'string', value: 'FILE', help: 'prove: where to write the entry; check-proof: where it is' },
    form: { type: 'string', value: 'FORM', help: 'prove: v1, or spicy for torchwood 0.9; default v1' },
    ndjson: { type: 'boolean', help: 'export: one entry a line, the default' },
    tiles: { type: 'string', value: 'DIR', help: 'export: folder for checkpoint, tiles and entry bundles' },
    subject: { type: 'string', value: 'S', help: 'search: who asked' },
    alias: { type: 'string', value: 'A', help: 'search: which model alias' },
    outcome: { type: 'string', value: 'O', help: 'search: how it ended, such as blocked' },
    since: { type: 'string', value: 'T', help: 'search: from this time on, such as 2026-11-25T10:00:00Z' },
    until: { type: 'string', value: 'T', help: 'search: before this time' },
    limit: { type: 'string', value: 'N', help: 'search: the newest so many, default 50' },
    from: { type: 'string', value: 'DIR', help: 'reconcile: another copy of the log' },
    'new-log': { type: 'boolean', help: 'reconcile: archive this log and begin the next' },
    reason: { type: 'string', value: 'TEXT', help: 'reconcile: why a new log begins' },
  },
  run: async (given) => {
    const [what = '', word = '', ...more] = given.words
    const action = Object.hasOwn(ACTIONS, what) ? ACTIONS[what] : undefined
    if (action === undefined) throw new WrongUsage(`write one of ${Object.keys(ACTIONS).join(', ')}`)
    const [words, run] = action
    if (more.length > 0 || (word === '') !== (words === 0))
      throw new WrongUsage(
        words === 0 ? `\`${what}\` takes no word behind it` : `write \`${what}\` and one word behind it`,
      )
    return run(given, word)
  },
}

async function key(given: Given): Promise<number> {
  const vkey = await vkeyBeside(await placeOf(given))
  if (vkey === undefined) throw new Error('there is no key beside the log')
  process.stdout.write(`${vkey}\n`)
  return 0
}
