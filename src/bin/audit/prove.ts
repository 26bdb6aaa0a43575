import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toUtf8 } from '#tlog/bytes.ts'
import { checkProof } from '#tlog/check-proof.ts'
import { type OpenedCheckpoint, openCheckpoint } from '#tlog/checkpoint.ts'
import { parseVkey } from '#tlog/key.ts'
import { parsePolicy } from '#tlog/policy.ts'
import { type ProofForm, formatProofFile } from '#tlog/proof-file.ts'
import { inclusionProof } from '#tlog/tree.ts'
import { readEntry } from '#record/read-entries.ts'
import { readTree } from '#record/read-tree.ts'
import { readIfThere } from '#record/signed.ts'
import { type Given, WrongUsage } from '#bin/command.ts'
import { indexOfId } from './find.ts'
import { type Place, keyBeside, placeOf, policyOf } from './place.ts'

/** `audit prove`: a proof file for one entry, checked before it is given out. */
export async function prove(given: Given, idOrIndex: string): Promise<number> {
  const form = given.text('form') ?? 'v1'
  if (form !== 'v1' && form !== 'spicy') throw new WrongUsage('--form is v1 or spicy')
  const place = await placeOf(given)
  const index = /^\d{1,15}$/.test(idOrIndex) ? Number(idOrIndex) : await indexOfId(place, idOrIndex)
  const entry = index === undefined ? undefined : await readEntry(place.audit, index)
  if (index === undefined || entry === undefined) throw new Error(`there is no entry ${idOrIndex}`)
  const proof = await makeProof(place, index, entry.bytes, form)
  const out = given.text('out')
  if (out === undefined) process.stdout.write(proof)
  else await writeFile(out, proof)
  const entryFile = given.text('entry')
  if (entryFile !== undefined) await writeFile(entryFile, entry.bytes)
  return 0
}

async function makeProof(place: Place, index: number, entry: Uint8Array, form: ProofForm): Promise<string> {
  const { checkpoint, note } = await checkpointFor(place, index)
  const tree = await readTree(place.audit, checkpoint)
  const proof = inclusionProof(tree.reader, index, checkpoint.size)
  const text = formatProofFile({ index, proof, checkpoint: note }, form)
  const key = await keyBeside(place)
  if (key !== undefined) await checkProof(text, entry, policyOf(key))
  return text
}

/** The cosigned checkpoint where it covers the entry, for it proves more; else the last one. */
async function checkpointFor(
  place: Place,
  index: number,
): Promise<{ readonly checkpoint: OpenedCheckpoint; readonly note: string }> {
  const key = await keyBeside(place)
  if (key === undefined) throw new Error(`there is no key beside the log in ${place.audit}`)
  for (const name of ['checkpoint.cosigned', 'checkpoint']) {
    const note = await readIfThere(join(place.audit, name))
    if (note === undefined) continue
    const opened = await openCheckpoint(note, key)
    if (index < opened.size) return { checkpoint: opened, note }
  }
  throw new Error(`entry ${index} is not covered by a signed checkpoint yet: try again in a second`)
}

/** `audit check-proof`: needs the proof, the entry and a key; no log. */
export async function checkProofFile(given: Given, file: string): Promise<number> {
  const [vkey, policyFile, entryFile] = [given.text('key'), given.text('policy'), given.text('entry')]
  if ((vkey === undefined) === (policyFile === undefined))
    throw new WrongUsage('name whom to believe with --key VKEY or --policy FILE')
  const policy =
    vkey !== undefined ? policyOf(await parseVkey(vkey)) : await parsePolicy(await readFile(policyFile ?? '', 'utf8'))
  const proof = await readFile(file, 'utf8')
  const entry = entryFile === undefined ? await fromStandardInput() : await readFile(entryFile)
  try {
    const { index, checkpoint, cosigned } = await checkProof(proof, entry, policy)
    const by = [...cosigned].map(([name, timeS]) => `, cosigned by ${name} at ${new Date(timeS * 1000).toISOString()}`)
    process.stdout.write(
      `the proof is good: entry ${index} of ${checkpoint.origin}, which had ${checkpoint.size} entries then${by.join('')}\n`,
    )
    return 0
  } catch (error) {
    process.stdout.write(`the proof is NOT good: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

/** The entry's JSON; a line feed at its end is what `show --json` adds. */
async function fromStandardInput(): Promise<Uint8Array> {
  const parts: string[] = []
  for await (const part of process.stdin.setEncoding('utf8')) parts.push(String(part))
  return toUtf8(parts.join('').replace(/\n$/, ''))
}
