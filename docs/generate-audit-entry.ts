import { readFile } from 'node:fs/promises'
import { code, pageHead, table } from './generate-markdown.ts'

/** The types that an entry is made of, with the file of contract/ that holds each. */
const TYPES: readonly (readonly [type: string, file: string])[] = [
  ['Entry', 'entry.ts'],
  ['EntryPrincipal', 'entry.ts'],
  ['EntryPolicy', 'entry.ts'],
  ['EntryDigests', 'entry.ts'],
  ['EntrySafety', 'entry.ts'],
  ['ImageTally', 'entry.ts'],
  ['LimitTally', 'limit.ts'],
  ['LimitAmounts', 'limit.ts'],
  ['Attempt', 'entry.ts'],
  ['StageTime', 'entry.ts'],
  ['FindingCount', 'screened.ts'],
  ['Usage', 'event.ts'],
  ['Crossing', 'crossing.ts'],
  ['Receipt', 'context.ts'],
]

/** Unions that are shown in full where they are used. */
const UNIONS: readonly (readonly [type: string, file: string])[] = [
  ['Outcome', 'entry.ts'],
  ['GuardAction', 'screened.ts'],
  ['Layer', 'crossing.ts'],
]

/** What a field means where its name and the code's own comment leave that open. */
const MEANINGS: Readonly<Record<string, string>> = {
  'Entry.id': 'The request id, as in `x-request-id`. It begins with the time, so ids sort by it.',
  'Entry.traceId': 'W3C trace id, 32 hex digits.',
  'Entry.atEpochMs': 'When the request arrived, epoch milliseconds.',
  'Entry.ms': 'From the arrival to the end, milliseconds.',
  'Entry.outcome':
    '`blocked` by the guard, `denied` by policy, `refused` for another reason of the request, `failed` for a reason of ours or of an upstream, `abandoned` by the caller.',
  'Entry.dialect': 'Wire format that the caller used.',
  'Entry.stream': 'Whether the caller asked for a stream.',
  'Entry.alias': 'Model alias that the caller named; empty when the body was not read.',
  'Entry.principal': 'Absent when the caller was not identified.',
  'Entry.policy': 'What policy was asked, and what it answered.',
  'Entry.model': 'Model of that target.',
  'Entry.digests': 'Keyed digests of what was said.',
  'EntryPolicy.guardProfile': 'Guard profile that applied.',
  'EntryPolicy.collections': 'Collections that the request was grounded on.',
  'EntryPolicy.purpose': 'What the caller said it is for, else what the alias is for.',
  'EntryPolicy.retentionDays': 'Days that databases keep what is known about it; absent: no bound.',
  'EntryPolicy.logging': '`pseudonymous`: subject, client, credential and address are keyed digests.',
  'Entry.findings': 'What the guard found in prompt, passages and answer.',
  'Entry.receipt': 'What the data plane read; absent when it was not asked.',
  'Entry.target': 'The target that answered; empty when none did.',
  'Entry.usage': 'Tokens.',
  'Entry.crossings': 'Calls that left for another cloud.',
  'Entry.stages': 'Stages of the journey as they ended.',
  'EntryPrincipal.groupCount': 'How many groups the caller is in.',
  'EntryPrincipal.subject': 'Stable id inside the tenant.',
  'EntryPrincipal.tenant': "Directory of the token, or the key's tenant.",
  'EntryPrincipal.kind': '`user`, `app` or `key`.',
  'EntryPrincipal.roles': 'Application roles, sorted.',
  'EntryPrincipal.via': "`key`, or the issuer's configured name.",
  'EntryPrincipal.client': 'Client application that the token names, or empty.',
  'EntryPrincipal.credentialId': 'Id of the token or key itself.',
  'ImageTally.bytesIn': 'Bytes of the images as they came.',
  'ImageTally.bytesOut': 'Bytes of the images as they left.',
  'ImageTally.count': 'Images of the prompt.',
  'ImageTally.shrunk': 'How many of them were made smaller.',
  'LimitAmounts.microUsd': 'Millionths of a USD: model, managed checks and egress.',
  'LimitAmounts.requests': '1, or 0 where no target was asked and nothing paid.',
  'LimitAmounts.tokens': 'Tokens, in and out.',
  'EntrySafety.mode': 'When the profile asks the managed services.',
  'EntrySafety.services': 'Services that were to be asked.',
  'EntrySafety.verdict': '`cached`: every text had passed before; `skipped`: the mode let it pass unasked.',
  'Attempt.target': 'Name of the target.',
  'Attempt.ms': 'Milliseconds until the first content or the error.',
  'StageTime.stage': 'Name of the stage.',
  'StageTime.place': 'Where its time went, such as `azure:eastus`.',
  'StageTime.ms': 'Milliseconds that it took.',
  'FindingCount.type': 'Entity type, such as `EMAIL_ADDRESS` or `SECRET`.',
  'FindingCount.action': 'What was done with it.',
  'FindingCount.count': 'How many were found.',
  'Usage.input': 'Input tokens that no cache held.',
  'Usage.cachedRead': 'Input tokens read from a cache.',
  'Usage.cachedWrite': 'Input tokens written to a cache.',
  'Usage.output': 'Output tokens without reasoning.',
  'Usage.reasoning': 'Reasoning tokens.',
  'Crossing.layer': 'Which layer was called.',
  'Crossing.from': 'Place of the caller.',
  'Crossing.to': 'Place that was called.',
  'Crossing.host': 'Host and port.',
  'Crossing.bytesIn': "The answer's status line, headers and body, counted likewise.",
  'Crossing.error': 'What went wrong, such as `timeout-idle` or `reset`; empty when nothing did.',
  'Receipt.agent': "The data plane's name.",
  'Receipt.requestId': 'Id of the request.',
  'Receipt.subject': 'For whom it read.',
  'Receipt.tenant': 'Tenant of that subject.',
  'Receipt.reads':
    'Passages, rows and items that were given out, each with its SHA-256; keys and parameters as digests.',
  'Receipt.missing': 'What was asked for and could not be given, in words without values.',
  'Receipt.atEpochMs': "When, by the data plane's clock.",
}

/** Every field of an entry of the audit trail. */
export async function auditEntryPage(): Promise<string> {
  const unions = new Map<string, string>()
  for (const [type, file] of UNIONS) unions.set(type, unionOf(await contract(file), type))
  const unused = new Set(Object.keys(MEANINGS))
  const sections: string[] = []
  for (const [type, file] of TYPES) {
    const rows = fieldsOf(await contract(file), type).map(({ name, text, comment }) => {
      const key = `${type}.${name}`
      const meaning = MEANINGS[key] ?? comment
      if (meaning === '') throw new Error(`${key} has neither a comment in src/contract/${file} nor a meaning here`)
      unused.delete(key)
      return [code(name), shownType(text, unions), meaning]
    })
    sections.push(`## ${type}\n\n${table(['Field', 'Type', 'What'], rows)}`)
  }
  if (unused.size > 0) throw new Error(`there is no field ${[...unused].join(', ')}`)
  const lead = [
    'One entry a request, however it ends. Types, counts and digests; never text of a prompt, a passage or an answer.',
    'On disk a line of the trail is `HASH JSON`: the JSON in canonical form (RFC 8785: sorted keys, no blanks), the hash SHA-256 of a NUL byte and that JSON, in hex: the leaf hash of RFC 6962. The place of an entry is its place in the files; signed checkpoints over the tree of all leaf hashes prove it ([audit.md](../audit.md)). `thinplane audit verify` checks all of it from the files alone.',
  ].join('\n\n')
  return `${pageHead('Audit entry', 'src/contract/entry.ts', lead)}\n${sections.join('\n')}`
}

function contract(file: string): Promise<string> {
  return readFile(new URL(`../src/contract/${file}`, import.meta.url), 'utf8')
}

interface Field {
  readonly name: string
  readonly text: string
  readonly comment: string
}

/** Members of an interface: a comment, a name and a type that may span lines. Formatting is the formatter's, so lines can be trusted. */
function fieldsOf(source: string, type: string): Field[] {
  const body = new RegExp(`^export interface ${type} \\{\\n([\\s\\S]*?)^\\}`, 'm').exec(source)?.[1]
  if (body === undefined) throw new Error(`src/contract has no interface ${type}`)
  const fields: Field[] = []
  const member =
    /^ {2}(?:\/\*\*([\s\S]*?)\*\/\s+)?(?:readonly )?([a-zA-Z]+)\??: ([\s\S]*?)(?=\n {2}(?:\/\*\*|readonly |[a-zA-Z])|\n*$(?![\s\S]))/gm
  for (const [, comment = '', name = '', text = ''] of body.matchAll(member)) {
    fields.push({
      name,
      text: text.trim(),
      comment: comment
        .replaceAll(/^\s*\*/gm, '')
        .replaceAll(/\s+/g, ' ')
        .trim(),
    })
  }
  if (fields.length === 0) throw new Error(`interface ${type} has no fields that can be read`)
  return fields
}

function unionOf(source: string, type: string): string {
  const text = new RegExp(`^export type ${type} =\\s*([^\\n]+(?:\\n {2}\\|[^\\n]+)*)`, 'm').exec(source)?.[1]
  if (text === undefined) throw new Error(`src/contract has no type ${type}`)
  return text.replaceAll(/\s+/g, ' ')
}

/** Types that have a section are links; the rest is code. */
function shownType(text: string, unions: ReadonlyMap<string, string>): string {
  const plain = text
    .replaceAll(/\/\*\*[\s\S]*?\*\//g, '')
    .replaceAll('readonly ', '')
    .replaceAll(/\{\s+/g, '{ ')
    .replaceAll(/\s+\}/g, ' }')
    .replaceAll(/\s*\n\s*/g, '; ')
  const named = /^([A-Z][a-zA-Z]+)(\[\]| \| undefined)?$/.exec(plain)
  const [, name = '', suffix = ''] = named ?? []
  const union = unions.get(name)
  if (union !== undefined) return code(union)
  if (!TYPES.some(([type]) => type === name)) return code(plain)
  const link = `[${name}](#${name.toLowerCase()})`
  if (suffix === '[]') return `list of ${link}`
  return suffix === '' ? link : `${link}, may be absent`
}
