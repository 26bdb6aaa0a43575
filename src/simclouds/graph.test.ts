import assert from 'node:assert/strict'
import { test } from 'node:test'
import { at, send, sendJson, textAt, withClouds } from './client.suite.ts'
import { GRAPH } from './graph.ts'
import type { SimClouds } from './start.ts'

async function appToken(clouds: SimClouds, client = 1, scope = `${GRAPH}/.default`): Promise<string> {
  const { clients, tenants } = clouds.settings.entra
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: clients[client]?.clientId ?? '',
    client_secret: clients[client]?.secret ?? '',
    scope,
  })
  const { text } = await send(`${clouds.urls.entra}/${tenants[0]}/oauth2/v2.0/token`, form.toString())
  return textAt(text, 'access_token')
}

function members(clouds: SimClouds, token: string, path: string, body: unknown = { securityEnabledOnly: true }) {
  return sendJson(`${clouds.urls.graph}/v1.0/${path}/getMemberObjects`, body, { authorization: `Bearer ${token}` })
}

test('groups of a person and of an application come as a collection of ids', () =>
  withClouds({}, async (clouds) => {
    const token = await appToken(clouds)
    const [ada] = clouds.settings.entra.users
    const person = await members(clouds, token, `users/${ada?.oid}`)
    assert.equal(person.status, 200)
    assert.deepEqual(at(person.text), {
      '@odata.context': `${GRAPH}/v1.0/$metadata#Collection(Edm.String)`,
      value: ada?.groups,
    })
    const app = await members(clouds, token, `servicePrincipals/${clouds.settings.entra.clients[0]?.oid}`)
    assert.deepEqual(at(app.text, 'value'), [])
  }))

test('what Graph would refuse is refused with its codes', () =>
  withClouds({}, async (clouds) => {
    const token = await appToken(clouds)
    const ada = `users/${clouds.settings.entra.users[0]?.oid}`
    const other = await appToken(clouds, 1, 'https://cognitiveservices.azure.com/.default')
    const noRight = await appToken(clouds, 0)
    const rows = [
      [await sendJson(`${clouds.urls.graph}/v1.0/${ada}/getMemberObjects`, {}), 401, 'InvalidAuthenticationToken'],
      [await members(clouds, 'x.y.z', ada), 401, 'InvalidAuthenticationToken'],
      [await members(clouds, other, ada), 401, 'InvalidAuthenticationToken'],
      [await members(clouds, noRight, ada), 403, 'Authorization_RequestDenied'],
      [await members(clouds, token, 'users/nobody'), 404, 'Request_ResourceNotFound'],
      [await members(clouds, token, ada, {}), 400, 'BadRequest'],
      [await members(clouds, token, 'groups/x'), 400, 'BadRequest'],
    ] as const
    for (const [answered, status, code] of rows) {
      assert.equal(answered.status, status, code)
      assert.equal(at(answered.text, 'error', 'code'), code)
      assert.match(textAt(answered.text, 'error', 'innerError', 'request-id'), /^[0-9a-f-]{36}$/)
    }
  }))

test('more ids than one answer holds are refused as a whole', () =>
  withClouds(
    {
      entra: {
        users: [
          {
            name: 'many',
            preferredUsername: 'm',
            oid: 'o',
            roles: [],
            groups: Array.from({ length: 11_001 }, String),
            scopes: '',
          },
        ],
      },
    },
    async (clouds) => {
      const answered = await members(clouds, await appToken(clouds), 'users/o')
      assert.deepEqual(
        [answered.status, at(answered.text, 'error', 'code')],
        [400, 'Directory_ResultSizeLimitExceeded'],
      )
    },
  ))

test('it fails in its own words when told to', () =>
  withClouds({ faults: [{ service: 'graph', kind: 'throttle', retryAfterS: 7 }] }, async (clouds) => {
    const answered = await members(clouds, 'x', 'users/x')
    assert.deepEqual([answered.status, answered.headers['retry-after']], [429, '7'])
    assert.equal(at(answered.text, 'error', 'code'), 'TooManyRequests')
  }))
