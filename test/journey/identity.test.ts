import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { parse, stringify } from 'yaml'
import { parseKeys } from '#identity/key-file.ts'
import { createKey } from '#identity/key.ts'
import { asList, asRecord, asText, parseJson } from '#kit/json.ts'
import { type ConfigDraft, type Plane, type Raw, ROOT, chat, errorOf, eventually, post, withPlane } from '../plane.ts'

const SCOPE = 'https://cognitiveservices.azure.com/.default'
const ENTRA = {
  issuer: 'simulated-entra',
  scope: SCOPE,
  clientId: 'bbbbbbbb-0000-4000-8000-000000000002',
  secret: { env: 'THINPLANE_SIM_ENTRA_SECRET' },
}

async function ask(plane: Plane, credential: string, more: object = {}): Promise<Raw> {
  return post(plane.url, '/v1/chat/completions', credential, chat('tell me about rivers', more))
}

async function call(
  plane: Plane,
  method: string,
  path: string,
  init: RequestInit & { key?: string } = {},
): Promise<Raw> {
  const { key, headers, ...more } = init
  const answer = await fetch(plane.url + path, {
    method,
    redirect: 'manual',
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(headers as Record<string, string>),
    },
    ...more,
  })
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}

/** Adds a key of a role to a plane, in force when this resolves. */
async function keyOf(plane: Plane, role: string): Promise<string> {
  const made = createKey({ tenant: 'test', subject: `${role}-caller`, roles: [role] })
  await plane.addKey(made)
  await eventually(async () => ((await ask(plane, made.key)).status === 401 ? undefined : true), 'the key')
  return made.key
}

/** Runs a command as a process of its own. */
async function thinplane(...args: readonly string[]): Promise<{ status: number | null; out: string }> {
  const child = spawn(process.execPath, [join(ROOT, 'thinplane.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (out += piece))
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { status, out: out.trim() }
}

test('a refusal by identity has a proper www-authenticate header in both dialects', () =>
  withPlane({}, async (plane) => {
    const token = await plane.clouds.mintToken({ audience: 'api://other' })
    for (const path of ['/v1/chat/completions', '/v1/messages']) {
      const answer = await post(plane.url, path, token, '{}')
      assert.equal(answer.status, 401)
      assert.match(
        answer.headers.get('www-authenticate') ?? '',
        /^Bearer realm="thinplane", error="invalid_token", error_description="the token is for audience `api:\/\/other`, request one for `[0-9a-f-]+`"$/,
      )
      const missing = await post(plane.url, path, undefined, '{}')
      assert.equal(missing.headers.get('www-authenticate'), 'Bearer realm="thinplane"')
    }
    const noRole = await post(plane.url, '/v1/messages', await plane.clouds.mintToken({ roles: [] }), '{}')
    assert.deepEqual([noRole.status, errorOf(noRole).code], [403, 'IDENTITY_FORBIDDEN'])
    assert.equal(noRole.headers.get('www-authenticate'), null)
  }))

test('the command line denies a person while the gateway runs, with a challenge for who can take it', () =>
  withPlane({}, async (plane) => {
    const claims = { xms_cc: ['cp1'] }
    const [plain, capable] = await Promise.all([
      plane.clouds.mintToken({ user: 'Dev Example' }),
      plane.clouds.mintToken({ user: 'Dev Example', claims }),
    ])
    for (const token of [plain, capable]) assert.equal((await ask(plane, token)).status, 200)
    const oid = asText(decodeJwt(plain)['oid']) ?? ''
    const added = await thinplane('deny', 'add', '--oid', oid, '--reason', 'left', '--config', plane.file)
    assert.match(added.out, /^[0-9a-f]{12}$/)
    await eventually(async () => ((await ask(plane, plain)).status === 401 ? true : undefined), 'the denial')
    assert.match((await ask(plane, plain)).headers.get('www-authenticate') ?? '', /error="invalid_token"/)
    const challenge = (await ask(plane, capable)).headers.get('www-authenticate') ?? ''
    assert.match(
      challenge,
      /^Bearer realm="", authorization_uri="http.*\/authorize", error="insufficient_claims", claims="/,
    )
    assert.equal((await thinplane('deny', 'remove', added.out, '--config', plane.file)).status, 0)
    await eventually(async () => ((await ask(plane, plain)).status === 200 ? true : undefined), 'the pardon')
    assert.ok(plane.logged.some((line) => line.includes('"kind":"deny"') && line.includes(oid)))
  }))

test('the command line makes, rotates and revokes a key while the gateway runs', () =>
  withPlane({}, async (plane) => {
    const made = await thinplane('keys', 'create', '--name', 'CI', '--aliases', 'chat', '--config', plane.file)
    const key = made.out
    await eventually(async () => ((await ask(plane, key)).status === 200 ? true : undefined), 'the key')
    const denied = await ask(plane, key, { model: 'assistant' })
    assert.deepEqual(
      [denied.status, errorOf(denied).message],
      [403, 'model `assistant` is outside of the scope of your key, which holds `chat`'],
    )
    const models = await call(plane, 'GET', '/v1/models', { key })
    assert.deepEqual(
      asList(asRecord(parseJson(models.text))?.['data']).map((model) => asRecord(model)?.['id']),
      ['chat'],
    )
    const id = key.slice(3, 15)
    const next = (await thinplane('keys', 'rotate', id, '--config', plane.file)).out
    await eventually(async () => ((await ask(plane, next)).status === 200 ? true : undefined), 'the new secret')
    assert.equal((await ask(plane, key)).status, 200)
    await thinplane('keys', 'revoke', id, '--config', plane.file)
    await eventually(async () => ((await ask(plane, next)).status === 401 ? true : undefined), 'the revocation')
    assert.equal(errorOf(await ask(plane, key)).message, 'the key was revoked, ask for a new one')
    const logged = plane.logged.filter((line) => line.includes('"kind":"key"')).join('')
    for (const action of ['created', 'rotated', 'revoked']) assert.ok(logged.includes(`"action":"${action}"`), action)
    assert.ok(![...plane.logged, await plane.trail()].join('').includes(key.slice(16)))
  }))

test('a keys file that breaks turns nobody away, and the status says so', () =>
  withPlane({}, async (plane) => {
    await writeFile(plane.keysFile, '{"keys":')
    const status = await eventually(async () => {
      const { text } = await call(plane, 'GET', '/admin/v1/status', { key: plane.key })
      return asText(asRecord(asRecord(parseJson(text))?.['identity'])?.['trouble']) || undefined
    }, 'the trouble')
    assert.match(status, /keys\.json can not be used: .*, what it held before stays in force/)
    assert.equal((await ask(plane, plane.key)).status, 200)
  }))

test('admins make and end keys over the API, in force at once, and nobody else does', () =>
  withPlane({}, async (plane) => {
    const admin = await keyOf(plane, 'admin')
    const body = JSON.stringify({ name: 'batch', owner: 'ops', roles: ['developer'], expiresInDays: 30 })
    const made = await call(plane, 'POST', '/admin/v1/keys', { key: admin, body })
    assert.equal(made.status, 201)
    const { key, id } = parseJson(made.text) as { key: string; id: string }
    assert.equal((await ask(plane, key)).status, 200)
    const listed = await call(plane, 'GET', '/admin/v1/keys', { key: admin })
    assert.ok(listed.text.includes(id) && !/"hash"|[0-9a-f]{64}/.test(listed.text) && !listed.text.includes(key))
    assert.match(listed.text, /"lastUsedEpochMs":\d{13}/)
    const rotated = await call(plane, 'POST', `/admin/v1/keys/${id}/rotate`, { key: admin, body: '{"graceHours":0}' })
    const next = asText(asRecord(parseJson(rotated.text))?.['key']) ?? ''
    assert.deepEqual([(await ask(plane, key)).status, (await ask(plane, next)).status], [401, 200])
    assert.equal((await call(plane, 'DELETE', `/admin/v1/keys/${id}`, { key: admin })).status, 200)
    assert.equal((await ask(plane, next)).status, 401)
    const denied = await call(plane, 'POST', '/admin/v1/denied', { key: admin, body: '{"oid":"developer-caller"}' })
    assert.equal((await ask(plane, plane.key)).status, 401)
    const entry = asText(asRecord(parseJson(denied.text))?.['id']) ?? ''
    assert.equal((await call(plane, 'DELETE', `/admin/v1/denied/${entry}`, { key: admin })).status, 200)
    assert.equal((await ask(plane, plane.key)).status, 200)
    for (const [method, path, sent, status, message] of [
      ['POST', '/admin/v1/keys', '{"name":"x","role":["a"]}', 400, /^`role`: unrecognized key/],
      ['POST', '/admin/v1/keys', '{', 400, /^the body is not JSON$/],
      ['POST', '/admin/v1/keys', `{"name":"${'x'.repeat(70_000)}"}`, 413, /the admin API takes no more$/],
      ['POST', '/admin/v1/keys/nope/rotate', '', 404, /^there is no key `nope`$/],
      ['DELETE', '/admin/v1/keys/nope', undefined, 404, /^there is no key `nope`$/],
      ['POST', '/admin/v1/denied', '{"tid":"x"}', 400, /^name one of/],
      ['DELETE', '/admin/v1/denied/nope', undefined, 404, /^there is no entry `nope`/],
      ['PUT', '/admin/v1/keys', '{}', 404, /takes GET and POST$/],
    ] as const) {
      const answer = await call(plane, method, path, { key: admin, ...(sent === undefined ? {} : { body: sent }) })
      assert.equal(answer.status, status, `${path} ${answer.text}`)
      assert.match(errorOf(answer).message, message)
    }
    const refused = await call(plane, 'POST', '/admin/v1/keys', { key: plane.key, body })
    assert.deepEqual([refused.status, errorOf(refused).message], [403, '`POST /admin/v1/keys` needs the role admin'])
    const logged = plane.logged.filter((line) => line.includes('admin event'))
    assert.ok(
      logged.some((line) => line.includes('"actor":"key:test/admin-caller"') && line.includes('"action":"created"')),
    )
    assert.ok(logged.some((line) => line.includes('"outcome":"refused"') && line.includes('key:test/developer-caller')))
    assert.ok(!plane.logged.join('').includes(key.slice(16)))
    assert.equal(parseKeys(await readFile(plane.keysFile, 'utf8')).find((record) => record.id === id)?.revoked, true)
  }))

test('who is no auditor sees requests of others without who asked, and no single entry', () =>
  withPlane({}, async (plane) => {
    const auditor = await keyOf(plane, 'auditor')
    const asked = await ask(plane, plane.key)
    const id = asked.headers.get('x-request-id') ?? ''
    await plane.entry(id)
    const listed = async (key: string): Promise<string> => {
      const { text } = await call(plane, 'GET', '/admin/v1/requests', { key })
      const entry = asList(asRecord(parseJson(text))?.['requests']).find((each) => asRecord(each)?.['id'] === id)
      return asText(asRecord(asRecord(entry)?.['principal'])?.['subject']) ?? 'none'
    }
    assert.equal(await listed(auditor), 'developer-caller')
    assert.equal(await listed(plane.key), 'developer-caller')
    assert.equal(await listed(plane.keyOf('viewer')), '')
    assert.equal((await call(plane, 'GET', `/admin/v1/requests/${id}`, { key: auditor })).status, 200)
    assert.equal((await call(plane, 'GET', `/admin/v1/requests/${id}`, { key: plane.key })).status, 403)
    await listed(auditor)
    const reads = plane.logged.filter((line) => line.includes('"kind":"audit-read"'))
    assert.equal(reads.filter((line) => line.includes('"action":"listed"')).length, 1)
    assert.equal(reads.filter((line) => line.includes('"action":"read"') && line.includes(id)).length, 1)
  }))

function withCredentials(config: ConfigDraft): void {
  const target = config.targets['vllm-us-east4'] ?? {}
  target['credential'] = { kind: 'entra-obo', ...ENTRA }
  config.aliases['chat'] = { targets: ['vllm-us-east4'] }
  const safety = asRecord(config.guard['contentSafety'])
  config.guard['contentSafety'] = { ...safety, credential: { kind: 'entra-client', ...ENTRA } }
}

test('a target is called on behalf of the person who asks, the safety check as the application', () =>
  withPlane({ change: withCredentials }, async (plane) => {
    const token = await plane.clouds.mintToken({ user: 'Dev Example' })
    const answers = await Promise.all([ask(plane, token), ask(plane, token), ask(plane, token)])
    for (const { status, text } of answers) assert.equal(status, 200, text)
    const sent = (service: 'cloud-run' | 'content-safety') =>
      plane.clouds.requests.last(service).map(({ headers }) => decodeJwt((headers['authorization'] ?? '').slice(7)))
    const oid = decodeJwt(token)['oid']
    assert.deepEqual([...new Set(sent('cloud-run').map((claims) => claims['oid']))], [oid])
    assert.deepEqual([...new Set(sent('content-safety').map((claims) => claims['idtyp']))], ['app'])
    const asked = plane.clouds.requests.last('entra').filter(({ target }) => target.endsWith('/token'))
    assert.equal(asked.length, 2)
    const key = await ask(plane, plane.key)
    assert.deepEqual([key.status, errorOf(key).code], [403, 'IDENTITY_FORBIDDEN'])
    const ids = answers.map(({ headers }) => headers.get('x-request-id') ?? '')
    const entries = await Promise.all(ids.map((id) => plane.entry(id)))
    const written = [...plane.logged, await plane.trail(), JSON.stringify(entries)].join('')
    assert.ok(!written.includes(token.slice(-43)))
    for (const exchange of plane.clouds.requests.last('cloud-run'))
      assert.ok(!written.includes((exchange.headers['authorization'] ?? '').slice(-43)))
  }))

test('with Entra out, a target that needs a token is a target that is out', () =>
  withPlane(
    {
      change: (config) => {
        withCredentials(config)
        config.aliases['chat'] = { targets: ['vllm-us-east4', 'bedrock-us-east-1'] }
        config.guard['profiles'] = { balanced: { managed: 'off' }, strict: { managed: 'off' } }
      },
    },
    async (plane) => {
      const token = await plane.clouds.mintToken({ user: 'Dev Example' })
      assert.equal((await call(plane, 'GET', '/v1/models', { key: token })).status, 200)
      plane.clouds.faults.set({ service: 'entra', kind: 'error' })
      const answer = await ask(plane, token)
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('x-thinplane-target'), 'bedrock-us-east-1')
    },
  ))

/** A browser's cookies. */
class Jar {
  readonly #cookies = new Map<string, string>()

  take(answer: Raw): void {
    for (const line of answer.headers.getSetCookie()) {
      assert.match(line, /; Path=\/; HttpOnly; SameSite=Lax; Max-Age=\d+$/)
      const [pair = ''] = line.split(';')
      const at = pair.indexOf('=')
      if (line.includes('Max-Age=0')) this.#cookies.delete(pair.slice(0, at))
      else this.#cookies.set(pair.slice(0, at), pair.slice(at + 1))
    }
  }

  get header(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  get names(): readonly string[] {
    return [...this.#cookies.keys()]
  }
}

async function signIn(plane: Plane, role: string, returnTo = '/'): Promise<{ jar: Jar; landed: Raw }> {
  const jar = new Jar()
  const sent = await call(plane, 'GET', `/auth/login?return_to=${encodeURIComponent(returnTo)}`)
  assert.equal(sent.status, 303)
  jar.take(sent)
  const location = sent.headers.get('location') ?? ''
  const choice = await fetch(location)
  assert.match(await choice.text(), /Simulated Entra/)
  const person = plane.clouds.settings.entra.users.find(({ roles }) => roles.includes(role))
  const chosen = await fetch(`${location}&person=${person?.oid ?? ''}`, { redirect: 'manual' })
  const back = new URL(chosen.headers.get('location') ?? '')
  assert.equal(back.origin, plane.url)
  const landed = await call(plane, 'GET', back.pathname + back.search, { headers: { cookie: jar.header } })
  jar.take(landed)
  return { jar, landed }
}

test('people sign in, do what their role may, and sign out', () =>
  withPlane({}, async (plane) => {
    const { jar, landed } = await signIn(plane, 'admin', '/#requests')
    assert.deepEqual([landed.status, landed.headers.get('location')], [303, '/#requests'])
    assert.deepEqual(jar.names, ['tp_session'])
    const headers = { cookie: jar.header }
    const me = parseJson((await call(plane, 'GET', '/auth/me', { headers })).text) as { csrf: string; name: string }
    assert.equal(me.name, 'Amal Example')
    assert.equal((await call(plane, 'GET', '/admin/v1/keys', { headers })).status, 200)
    const body = '{"name":"by-hand"}'
    for (const csrf of [undefined, 'x', `${me.csrf}x`]) {
      const sent = { ...headers, ...(csrf === undefined ? {} : { 'x-thinplane-csrf': csrf }) }
      const forged = await call(plane, 'POST', '/admin/v1/keys', { headers: sent, body })
      assert.deepEqual([forged.status, errorOf(forged).code], [403, 'POLICY_DENIED'])
      assert.equal((await call(plane, 'POST', '/auth/logout', { headers: sent })).status, 403)
    }
    const csrf = { ...headers, 'x-thinplane-csrf': me.csrf }
    assert.equal((await call(plane, 'POST', '/admin/v1/keys', { headers: csrf, body })).status, 201)
    // A session is for the admin API alone: it opens no model.
    assert.equal((await call(plane, 'POST', '/v1/chat/completions', { headers: csrf, body: chat('x') })).status, 401)
    const out = await call(plane, 'POST', '/auth/logout', { headers: csrf })
    assert.equal(out.status, 200)
    jar.take(out)
    assert.deepEqual(jar.names, [])
    const after = await call(plane, 'GET', '/admin/v1/status', { headers })
    assert.deepEqual([after.status, errorOf(after).code], [401, 'IDENTITY_EXPIRED'])
    const events = plane.logged.filter((line) => line.includes('"kind":"sign-in"'))
    assert.deepEqual(
      events.map((line) => asRecord(parseJson(line))?.['action']),
      ['signed-in', 'signed-out'],
    )
    assert.ok(!plane.logged.join('').includes('Amal') && !plane.logged.join('').includes('contoso.example'))
  }))

test('each person has the rights of their role, and who is denied has none', () =>
  withPlane({}, async (plane) => {
    const statusOf = async (jar: Jar, path: string): Promise<number> =>
      (await call(plane, 'GET', path, { headers: { cookie: jar.header } })).status
    for (const [role, keys] of [
      ['auditor', 200],
      ['developer', 403],
      ['viewer', 403],
    ] as const) {
      const { jar } = await signIn(plane, role)
      assert.deepEqual(
        [await statusOf(jar, '/admin/v1/status'), await statusOf(jar, '/admin/v1/keys')],
        [200, keys],
        role,
      )
    }
    const { jar } = await signIn(plane, 'viewer')
    const oid = plane.clouds.settings.entra.users.find(({ roles }) => roles.includes('viewer'))?.oid ?? ''
    await thinplane('deny', 'add', '--oid', oid, '--config', plane.file)
    await eventually(async () => ((await statusOf(jar, '/admin/v1/status')) === 401 ? true : undefined), 'the denial')
    const { landed } = await signIn(plane, 'viewer')
    assert.equal(landed.status, 403)
    assert.match(landed.text, /You are on the deny list/)
    assert.ok(!landed.headers.getSetCookie().some((line) => line.startsWith('tp_session')))
  }))

test('a sign-in that is not ours gets a page with a way back, and no session', () =>
  withPlane({}, async (plane) => {
    for (const path of ['/auth/callback', '/auth/callback?code=x&state=y', '/auth/callback?error=%3Cscript%3E']) {
      const answer = await call(plane, 'GET', path, { headers: { cookie: 'tp_login=garbage' } })
      assert.equal(answer.status, 401)
      assert.match(answer.headers.get('content-type') ?? '', /^text\/html/)
      assert.match(answer.text, /Sign in again/)
      assert.ok(!answer.text.includes('<script'))
      assert.ok(!answer.headers.getSetCookie().some((line) => line.startsWith('tp_session')))
    }
    const elsewhere = await call(plane, 'GET', '/auth/login?return_to=https%3A%2F%2Fevil.example')
    const jar = new Jar()
    jar.take(elsewhere)
    const chosen = await fetch(
      `${elsewhere.headers.get('location') ?? ''}&person=${plane.clouds.settings.entra.users[0]?.oid ?? ''}`,
      { redirect: 'manual' },
    )
    const back = new URL(chosen.headers.get('location') ?? '')
    const landed = await call(plane, 'GET', back.pathname + back.search, { headers: { cookie: jar.header } })
    assert.equal(landed.headers.get('location'), '/')
    plane.clouds.faults.set({ service: 'entra', kind: 'error' })
    const out = await call(plane, 'GET', '/auth/callback?code=x&state=y', { headers: { cookie: jar.header } })
    assert.equal(out.status, 401)
    const events = plane.logged.filter((line) => line.includes('"kind":"sign-in"'))
    // Those without a cookie of ours are no events.
    assert.deepEqual(
      events.map((line) => asRecord(parseJson(line))?.['action']),
      ['signed-in', 'tried'],
    )
  }))

test('an issuer that is as it was keeps its keys through a reload, although it is out', () =>
  withPlane({}, async (plane) => {
    const token = await plane.clouds.mintToken({ user: 'Dev Example' })
    assert.equal((await ask(plane, token)).status, 200)
    plane.clouds.faults.set({ service: 'entra', kind: 'error' })
    const text = await readFile(plane.file, 'utf8')
    const config = parse(text) as ConfigDraft
    config.aliases['chat'] = { targets: ['bedrock-us-east-1'] }
    await writeFile(plane.file, stringify(config))
    const target = await eventually(async () => {
      const answer = await ask(plane, await plane.clouds.mintToken({ user: 'Dev Example' }))
      assert.equal(answer.status, 200, answer.text)
      const used = answer.headers.get('x-thinplane-target')
      return used === 'bedrock-us-east-1' ? used : undefined
    }, 'the reload')
    assert.equal(target, 'bedrock-us-east-1')
  }))

test('what the directory wants of a person before an exchange reaches their client as a challenge', () =>
  withPlane(
    {
      change: withCredentials,
      clouds: {
        entra: {
          users: [
            {
              name: 'eve',
              preferredUsername: 'eve@contoso.example',
              oid: 'dddddddd-0000-4000-8000-0000000000ee',
              roles: ['developer'],
              groups: [],
              scopes: 'Prompt.Submit',
              needsInteraction: true,
            },
          ],
        },
      },
    },
    async (plane) => {
      const answer = await ask(plane, await plane.clouds.mintToken({ user: 'eve' }))
      assert.equal(answer.status, 401)
      assert.match(answer.headers.get('www-authenticate') ?? '', /error="insufficient_claims", claims="[\w+/=]+"$/)
    },
  ))

test('without sign-in configured nothing of it is there, and taking it away ends every session', () =>
  withPlane({}, async (plane) => {
    const { jar } = await signIn(plane, 'admin')
    const headers = { cookie: jar.header }
    const config = parse(await readFile(plane.file, 'utf8')) as { identity: { signIn?: unknown } }
    delete config.identity.signIn
    await writeFile(plane.file, stringify(config))
    await eventually(
      async () => ((await call(plane, 'GET', '/admin/v1/status', { headers })).status === 401 ? true : undefined),
      'the reload',
    )
    assert.deepEqual(parseJson((await call(plane, 'GET', '/auth/me', { headers })).text), {
      canSignIn: false,
      signedIn: false,
    })
    assert.equal((await call(plane, 'GET', '/auth/login')).status, 404)
    await eventually(
      () => plane.logged.find((line) => line.includes('"kind":"config"') && line.includes('identity.signIn')),
      'the event',
    )
  }))
