import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, after, test } from 'node:test'
import { type Server, createServer } from 'node:tls'
import type { ServiceName } from '#simclouds/service.ts'
import { type SimClouds, startSimClouds } from '#simclouds/start.ts'

const FOLDER = mkdtempSync(join(tmpdir(), 'doctor-'))
after(() => rmSync(FOLDER, { recursive: true }))

const ACCOUNT = 'thinplane@simulated.iam.gserviceaccount.com'

interface Run {
  readonly status: number
  readonly text: string
}

function doctor(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Run> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...environment }
    execFile(process.execPath, ['src/bin/thinplane.ts', 'doctor', ...args], { env }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ status, text: stdout + stderr })
    })
  })
}

type Urls = Readonly<Record<ServiceName, string>>

/** Bedrock over AWS STS, and Cloud Run over Google's token services, all by the managed identity. */
function writeConfig(name: string, urls: Urls, clouds: SimClouds): string {
  const identity = (resource: string): string => `identity: {kind: entra-managed-identity, scope: ${resource}/.default}`
  const file = join(FOLDER, name)
  writeFileSync(
    file,
    `
guard: {profiles: {balanced: {managed: off}}}
targets:
  nova:
    provider: bedrock
    place: {cloud: aws, region: us-east-1}
    endpoint: ${urls.bedrock}
    model: amazon.nova-lite-v1:0
    credential:
      kind: aws-web-identity
      roleArn: arn:aws:iam::123456789012:role/thinplane
      region: us-east-1
      endpoint: ${urls.sts}
      ${identity('api://aws-federation')}
  llama:
    provider: openai-compatible
    place: {cloud: gcp, region: us-east4}
    endpoint: ${urls['cloud-run']}
    model: simulated-llama
    credential:
      kind: google-id-token
      audience: ${clouds.urls['cloud-run']}
      provider: projects/1234567890/locations/global/workloadIdentityPools/azure/providers/entra
      serviceAccount: ${ACCOUNT}
      stsEndpoint: ${urls['google-tokens']}
      iamEndpoint: ${urls['google-tokens']}
      ${identity('api://google-federation')}
aliases: {chat: {targets: [nova, llama]}}
`,
  )
  return file
}

async function withClouds(
  body: (clouds: SimClouds, environment: Record<string, string>) => Promise<void>,
): Promise<void> {
  const clouds = await startSimClouds({ latencyScale: 0, cloudRun: { idToken: { invokers: [ACCOUNT] } } })
  try {
    // As the platform does it for App Service and Container Apps.
    await body(clouds, {
      IDENTITY_ENDPOINT: `${clouds.urls['managed-identity']}/msi/token`,
      IDENTITY_HEADER: clouds.settings.managedIdentity.header,
    })
  } finally {
    await clouds.close()
  }
}

test('doctor ends with 0 when all is fine, 1 when a step fails or the file is wrong, 2 for wrong usage', () =>
  withClouds(async (clouds, environment) => {
    const file = writeConfig('plain.yaml', clouds.urls, clouds)
    const fine = await doctor([file], environment)
    assert.equal(fine.status, 0, fine.text)
    assert.match(fine.text, /2 chains, all fine\n$/)
    const outside = await doctor([file, '--json', '--target', 'nova'], {
      ...environment,
      IDENTITY_HEADER: 'another',
    })
    assert.equal(outside.status, 1)
    const { ok, chains } = JSON.parse(outside.text) as { readonly ok: boolean; readonly chains: readonly unknown[] }
    assert.deepEqual([ok, chains.length], [false, 1])
    assert.equal((await doctor(['nowhere.yaml'])).status, 1)
    const unknown = await doctor([file, '--target', 'nobody'])
    assert.equal(unknown.status, 2)
    assert.match(unknown.text, /there is no target `nobody`, choose one of nova, llama/)
    assert.equal((await doctor([file, 'another.yaml'])).status, 2)
    assert.doesNotMatch(fine.text + outside.text, /eyJ|ya29|ASIA/)
  }))

/** A certificate authority and a certificate of it for `localhost`; undefined without the openssl program. */
function makeCertificates(context: TestContext): { key: string; cert: string; ca: string } | undefined {
  const openssl = (...args: readonly string[]) => spawnSync('openssl', args, { cwd: FOLDER, encoding: 'utf8' })
  if (openssl('version').status !== 0) {
    context.skip('the openssl program is not installed, it makes the certificates')
    return undefined
  }
  writeFileSync(join(FOLDER, 'san.txt'), 'subjectAltName=DNS:localhost\n')
  const key = ['-newkey', 'rsa:2048', '-nodes', '-days', '2']
  const runs = [
    openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test authority'),
    openssl('req', ...key.slice(0, 3), '-keyout', 'host.key', '-out', 'host.csr', '-subj', '/CN=localhost'),
    openssl(
      'x509',
      '-req',
      '-in',
      'host.csr',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'san.txt',
      '-out',
      'host.pem',
    ),
  ]
  for (const { status, stderr } of runs) assert.equal(status, 0, stderr)
  return { key: join(FOLDER, 'host.key'), cert: join(FOLDER, 'host.pem'), ca: join(FOLDER, 'ca.pem') }
}

/** Ends TLS in front of a simulated service. */
async function behindTls(url: string, files: { key: string; cert: string }, servers: Server[]): Promise<string> {
  const port = Number(new URL(url).port)
  const server = createServer({ key: readFileSync(files.key), cert: readFileSync(files.cert) }, (socket) => {
    const inner = connect(port, '127.0.0.1')
    socket.pipe(inner).pipe(socket)
    for (const each of [socket, inner]) each.on('error', () => undefined)
  })
  servers.push(server)
  server.listen(0, 'localhost')
  await once(server, 'listening')
  return `https://localhost:${(server.address() as AddressInfo).port}`
}

test('every exchange goes over TLS, with an authority that is trusted, and not without', async (context) => {
  const files = makeCertificates(context)
  if (files === undefined) return
  await withClouds(async (clouds, environment) => {
    const servers: Server[] = []
    const names = ['bedrock', 'sts', 'cloud-run', 'google-tokens'] as const
    const secure = await Promise.all(
      names.map(async (name) => [name, await behindTls(clouds.urls[name], files, servers)] as const),
    )
    try {
      const file = writeConfig('tls.yaml', { ...clouds.urls, ...Object.fromEntries(secure) }, clouds)
      const trusted = await doctor([file], { ...environment, NODE_EXTRA_CA_CERTS: files.ca })
      assert.equal(trusted.status, 0, trusted.text)
      assert.equal(trusted.text.match(/ok +connect +TLS, /g)?.length, 2)
      const { NODE_EXTRA_CA_CERTS: _, ...bare } = process.env
      const untrusted = await doctor([file], {
        ...(bare as Record<string, string>),
        ...environment,
        NODE_EXTRA_CA_CERTS: '',
      })
      assert.equal(untrusted.status, 1)
      assert.match(
        untrusted.text,
        /failed +connect .*\n +mend: its certificate is not trusted here.*NODE_EXTRA_CA_CERTS/,
      )
      assert.match(untrusted.text, /failed +aws session +AWS STS no connection to localhost:\d+ \(/)
      assert.match(untrusted.text, /failed +google exchange +Google STS no connection to localhost:\d+ \(/)
    } finally {
      for (const server of servers) server.close()
    }
  })
})
