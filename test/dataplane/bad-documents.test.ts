import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeZip } from '#dataplane/parse/test-files.ts'
import { skipWithoutIndex } from '#dataplane/test-agent.ts'
import { asList, asRecord, asText, parseJson } from '#kit/json.ts'
import { ROOT } from '../plane.ts'

const skip =
  skipWithoutIndex ||
  (await import('@lat.md/embed').then(
    () => false as const,
    () => 'the embedding model is not installed',
  ))

/** Each with what becomes of it. */
async function fill(folder: string): Promise<Readonly<Record<string, string>>> {
  const files: Readonly<Record<string, readonly [string, string | Uint8Array]>> = {
    'good.md': ['', '# Wind\n\nThe anemometer measures the wind.'],
    'corrupt.pdf': ['corrupt', '%PDF-1.7\nno more'],
    'corrupt.docx': ['corrupt', Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(200, 7)])],
    'empty.txt': ['empty', ''],
    'blank.md': ['empty', ' \n\n\t'],
    'program.exe': ['unsupported', Buffer.concat([Buffer.from('MZ'), Buffer.alloc(500, 1)])],
    'picture.txt': ['unsupported', Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1')],
    'locked.pdf': ['encrypted', lockedPdf()],
    'bomb.docx': [
      'too-large',
      makeZip({ '[Content_Types].xml': '<Types/>', 'word/document.xml': Buffer.alloc(200 * 1024 * 1024, 0x20) }),
    ],
    'entities.docx': [
      'corrupt',
      makeZip({
        '[Content_Types].xml': '<Types/>',
        'word/document.xml': '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><w:document>&b;</w:document>',
      }),
    ],
  }
  for (const [name, [, contents]] of Object.entries(files)) await writeFile(join(folder, name), contents)
  await writeFile(join(folder, 'huge.pdf'), '%PDF-1.7\n')
  await truncate(join(folder, 'huge.pdf'), 500 * 1024 * 1024)
  await symlink('/etc/hostname', join(folder, 'outside.txt'))
  await mkdir(join(folder, 'folder.pdf'))
  return { ...Object.fromEntries(Object.entries(files).map(([name, [fate]]) => [name, fate])), 'huge.pdf': 'too-large' }
}

/** The least that says it needs a password. */
function lockedPdf(): string {
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [] /Count 0 >>',
    `<< /Filter /Standard /V 1 /R 2 /O <${'41'.repeat(32)}> /U <${'42'.repeat(32)}> /P -4 >>`,
  ]
  let text = '%PDF-1.4\n'
  const places = objects.map((object, at) => {
    const place = text.length
    text += `${at + 1} 0 obj\n${object}\nendobj\n`
    return `${String(place).padStart(10, '0')} 00000 n \n`
  })
  const start = text.length
  return `${text}xref\n0 4\n0000000000 65535 f \n${places.join('')}trailer\n<< /Size 4 /Root 1 0 R /Encrypt 3 0 R /ID [<00><00>] >>\nstartxref\n${start}\n%%EOF\n`
}

async function thinplane(...given: readonly string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [join(ROOT, 'thinplane.mjs'), ...given], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.on('data', (piece: Buffer) => (out += piece.toString()))
  child.stderr.on('data', (piece: Buffer) => (err += piece.toString()))
  await once(child, 'exit')
  return { code: child.exitCode, out, err }
}

test(
  'each document has a fate that is recorded and listed, and one bad file never stops the rest',
  { skip, timeout: 120_000 },
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'thinplane-bad-'))
    t.after(async () => await rm(folder, { recursive: true, force: true }))
    await mkdir(join(folder, 'docs'))
    const fates = await fill(join(folder, 'docs'))
    const config = join(folder, 'thinplane.yaml')
    await writeFile(
      config,
      `guard: {profiles: {balanced: {managed: off}}}
targets: {vllm: {provider: openai-compatible, place: {cloud: local, region: local}, endpoint: http://127.0.0.1:9, model: m}}
aliases: {chat: {targets: [vllm]}}
dataPlane: {jwksUrl: http://127.0.0.1:9/jwks, data: state, collections: {docs: {folder: docs}}}
`,
    )
    const ingested = await thinplane('ingest', '--config', config, '--json')
    assert.equal(ingested.code, 0, ingested.err)
    const [report] = asList(parseJson(ingested.out))
    assert.equal(asRecord(report)?.['documents'], 1)
    const listed = await thinplane('ingest', '--config', config, '--failed', '--json')
    assert.equal(listed.code, 0, listed.err)
    const failed = asList(asRecord(asList(parseJson(listed.out))[0])?.['failed']).map((each) => asRecord(each))
    const found = new Map(failed.map((each) => [asText(each?.['document']), asText(each?.['fate'])]))
    assert.deepEqual(found, new Map(Object.entries(fates).filter(([, fate]) => fate !== '')))
    assert.ok(failed.every((each) => (asText(each?.['note']) ?? '') !== ''))
    const shown = await thinplane('ingest', '--config', config, '--failed')
    assert.match(shown.out, /^docs: 10 documents are not in the index\n(?: {2}\S+: [a-z-]+, .+\n){10}$/)
    const unknown = await thinplane('ingest', '--config', config, '--collection', 'dosc')
    assert.deepEqual([unknown.code, unknown.out], [1, ''])
    assert.match(unknown.err, /there is no collection `dosc`, choose one of docs/)
  },
)
