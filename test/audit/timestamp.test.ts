import assert from 'node:assert/strict'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { type Server, createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { chat, eventually, post, withPlane } from '../plane.ts'
import { missing, run } from './cli.ts'

/* openssl as the time-stamp authority behind HTTP, and as the one who checks the stamp. */
const skip = await missing('openssl', 'version')

const CONFIGURATION = `
[req]
distinguished_name = dn
x509_extensions = v3
prompt = no
[dn]
CN = A time-stamp authority for tests
[v3]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
[tsa]
default_tsa = one
[one]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
`

async function openssl(folder: string, ...args: readonly string[]): Promise<string> {
  const { status, out } = await run('openssl', args, '', folder)
  assert.equal(status, 0, out)
  return out
}

async function startAuthority(folder: string): Promise<Server> {
  await writeFile(join(folder, 'tsa.cnf'), CONFIGURATION)
  await writeFile(join(folder, 'serial'), '01\n')
  const made = ['-newkey', 'rsa:2048', '-nodes', '-keyout', 'tsa.key', '-out', 'tsa.crt', '-config', 'tsa.cnf']
  await openssl(folder, 'req', '-x509', '-days', '2', ...made)
  const server = createServer((request, response) => {
    const reply = async (): Promise<void> => {
      assert.equal(request.headers['content-type'], 'application/timestamp-query')
      await writeFile(join(folder, 'query'), await buffer(request))
      const by = ['-config', 'tsa.cnf', '-section', 'one', '-signer', 'tsa.crt', '-inkey', 'tsa.key']
      await openssl(folder, 'ts', '-reply', '-queryfile', 'query', '-out', 'reply', ...by)
      response.setHeader('content-type', 'application/timestamp-reply').end(await readFile(join(folder, 'reply')))
    }
    reply().catch(() => response.writeHead(500).end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function signedAtLeast(url: string, size: number): Promise<void> {
  await eventually(async () => {
    const text = await (await fetch(`${url}/metrics`)).text()
    return Number(/^thinplane_audit_signed_entries (\d+)$/m.exec(text)?.[1]) >= size ? true : undefined
  }, `${size} signed entries`)
}

function stampedBy(port: number): object {
  return { timestamp: { url: `http://127.0.0.1:${port}/tsa` } }
}

test(
  'a checkpoint gets a stamp that openssl verifies, once a day, and not for another checkpoint',
  { skip },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'thinplane-tsa-'))
    const server = await startAuthority(folder)
    try {
      await withPlane({ change: (draft) => (draft['audit'] = stampedBy(portOf(server))) }, async (plane) => {
        const stamps = join(plane.folder, 'audit', 'timestamps')
        await post(plane.url, '/v1/chat/completions', plane.key, chat('hello'))
        await eventually(
          async () => (await readdir(stamps).catch(() => [])).find((name) => name === '1.tsr'),
          'the stamp',
        )
        const verify = ['ts', '-verify', '-data', join(stamps, '1.checkpoint'), '-in', join(stamps, '1.tsr')]
        const trusted = ['-CAfile', 'tsa.crt']
        assert.match(await openssl(folder, ...verify, ...trusted), /Verification: OK/)
        assert.equal(
          await readFile(join(stamps, '1.checkpoint'), 'utf8'),
          await readFile(join(plane.folder, 'audit', 'checkpoint'), 'utf8'),
        )
        await post(plane.url, '/v1/chat/completions', plane.key, chat('hello'))
        await signedAtLeast(plane.url, 2)
        assert.deepEqual((await readdir(stamps)).toSorted(), ['1.checkpoint', '1.tsr'])
        await writeFile(join(stamps, '1.checkpoint'), await readFile(join(plane.folder, 'audit', 'checkpoint')))
        const { status } = await run('openssl', [...verify, ...trusted], '', folder)
        assert.notEqual(status, 0)
      })
    } finally {
      server.close()
      await rm(folder, { recursive: true })
    }
  },
)

test('an authority that is away costs a line in the log, and nothing else', async () => {
  await withPlane({ change: (draft) => (draft['audit'] = stampedBy(9)) }, async (plane) => {
    const { status } = await post(plane.url, '/v1/chat/completions', plane.key, chat('hello'))
    assert.equal(status, 200)
    await eventually(() => plane.logged.find((line) => line.includes('no time stamp: ')), 'the line')
    await post(plane.url, '/v1/chat/completions', plane.key, chat('hello'))
    await signedAtLeast(plane.url, 2)
    assert.equal(plane.logged.filter((line) => line.includes('no time stamp: ')).length, 1)
    assert.equal((await fetch(`${plane.url}/readyz`)).status, 200)
  })
})
