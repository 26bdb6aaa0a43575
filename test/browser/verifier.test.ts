import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { asRecord, parseJson } from '#kit/json.ts'
import { signCheckpoint } from '#tlog/checkpoint.ts'
import { cosign } from '#tlog/cosignature.ts'
import { COSIGNER_KEY, LOG_KEY, formatVkey } from '#tlog/key.ts'
import { formatNote } from '#tlog/note.ts'
import { formatProofFile } from '#tlog/proof-file.ts'
import { createPrivateKey, openSigner } from '#tlog/signer.ts'
import { leavesOf, treeOf } from '#tlog/tree.suite.ts'
import { consistencyProof, inclusionProof, rootOf } from '#tlog/tree.ts'
import { toBase64 } from '#tlog/bytes.ts'
import { ROOT } from '../plane.ts'
import { run } from '../audit/cli.ts'

/* src/tlog as it stands, its types taken off, in Chromium: what a console's "verify" runs. */
const CHROMIUM = 'chromium'
const skip = await run(CHROMIUM, ['--version']).then(
  () => false as const,
  () => `${CHROMIUM} is not installed`,
)

const log = await openSigner('log.example/browser', LOG_KEY, await createPrivateKey())
const witness = await openSigner('witness.example/browser', COSIGNER_KEY, await createPrivateKey())
const tree = treeOf(leavesOf(1000))

async function facts() {
  const note = await signCheckpoint({ origin: log.key.name, size: 1000, root: rootOf(tree, 1000) }, log)
  const line = await cosign(note.text, 1_790_000_000, witness)
  const checkpoint = formatNote({ ...note, signatures: [...note.signatures, line] })
  return {
    proof: formatProofFile({ index: 617, proof: inclusionProof(tree, 617, 1000), checkpoint }),
    policy: `log ${formatVkey(log.key)}\nwitness w ${formatVkey(witness.key)}\nquorum w\n`,
    consistency: consistencyProof(tree, 300, 1000).map(toBase64),
    roots: [rootOf(tree, 300), rootOf(tree, 1000)].map(toBase64),
  }
}

const PAGE = `<!doctype html><meta charset="utf-8"><script type="module">
  const tell = (result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) })
  try {
    const { checkProof } = await import('/tlog/check-proof.ts')
    const { parsePolicy } = await import('/tlog/policy.ts')
    const { fromBase64 } = await import('/tlog/bytes.ts')
    const { webSha256 } = await import('/tlog/hash.ts')
    const { verifyConsistency } = await import('/tlog/verify-proof.ts')
    const { proof, policy: lines, consistency, roots } = await (await fetch('/facts')).json()
    const policy = await parsePolicy(lines)
    const entry = (n) => new TextEncoder().encode('entry ' + n)
    const refusal = (promise) => promise.then(() => 'accepted', (error) => error.name + ': ' + error.message)
    const { index, checkpoint, cosigned } = await checkProof(proof, entry(617), policy)
    const claim = { oldSize: 300, oldRoot: fromBase64(roots[0]), size: 1000, root: fromBase64(roots[1]) }
    await tell({
      index, size: checkpoint.size, cosigned: [...cosigned],
      otherEntry: await refusal(checkProof(proof, entry(618), policy)),
      changedRoot: await refusal(checkProof(proof.replace('\\n1000\\n', '\\n1001\\n'), entry(617), policy)),
      consistent: await refusal(verifyConsistency(webSha256, { ...claim, proof: consistency.map(fromBase64) })),
      inconsistent: await refusal(verifyConsistency(webSha256, { ...claim, oldSize: 301, proof: consistency.map(fromBase64) })),
    })
  } catch (error) {
    await tell({ failed: String(error) })
  }
</script>`

async function answer(request: IncomingMessage, response: ServerResponse, told: (body: string) => void): Promise<void> {
  const path = request.url ?? ''
  const module = /^\/tlog\/([a-z0-9-]+\.ts)$/.exec(path)?.[1]
  const send = (type: string, body: string): void => void response.setHeader('content-type', type).end(body)
  if (path === '/') send('text/html', PAGE)
  else if (path === '/facts') send('application/json', JSON.stringify(await facts()))
  else if (path === '/result') {
    told(await text(request))
    send('text/plain', '')
  } else if (module !== undefined)
    send('text/javascript', stripTypeScriptTypes(await readFile(join(ROOT, 'src/tlog', module), 'utf8')))
  else response.writeHead(404).end()
}

test('the verifier runs in Chromium: a good proof is good, and each changed thing is found', { skip }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-browser-'))
  const result = Promise.withResolvers<string>()
  const server = createServer((request, response) => void answer(request, response, result.resolve))
  let browser: ChildProcess | undefined
  try {
    browser = openBrowser(await listen(server), folder)
    browser.once('exit', () => result.reject(new Error('the browser ended without a word')))
    assert.deepEqual(asRecord(parseJson(await result.promise)), {
      index: 617,
      size: 1000,
      cosigned: [['w', 1_790_000_000]],
      otherEntry: 'TlogError: the proof does not lead to the root',
      changedRoot: 'TlogError: a signature of log.example/browser is not good',
      consistent: 'accepted',
      inconsistent: 'TlogError: the proof has 9 hashes, 11 are needed',
    })
  } finally {
    if (browser !== undefined) {
      const ended = new Promise((resolve) => browser?.once('close', resolve))
      browser.kill()
      await ended
    }
    server.closeAllConnections()
    server.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
})

function openBrowser(url: string, profile: string): ChildProcess {
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run']
  return spawn(CHROMIUM, [...flags, `--user-data-dir=${profile}`, '--remote-debugging-port=0', url], {
    stdio: 'ignore',
  })
}

function listen(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(`http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`)
    })
  })
}
