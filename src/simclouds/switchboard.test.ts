import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { at, send, sendJson, textAt, withClouds } from './client.suite.ts'

test('the front page lists services, places and faults', () =>
  withClouds({ faults: [{ service: 'entra', kind: 'latency', ms: 1 }] }, async (clouds) => {
    const { text } = await send(`${clouds.switchboardUrl}/`, undefined)
    assert.equal(at(text, 'services', 3, 'name'), 'cloud-run')
    assert.equal(at(text, 'services', 3, 'url'), clouds.urls['cloud-run'])
    assert.deepEqual(at(text, 'services', 3, 'place'), { cloud: 'gcp', region: 'us-east4' })
    assert.equal(at(text, 'faults', 0, 'kind'), 'latency')
  }))

test('faults are set, listed and cleared', () =>
  withClouds({}, async (clouds) => {
    const url = `${clouds.switchboardUrl}/faults`
    const set = await sendJson(url, [
      { service: 'cloud-run', kind: 'error', status: 503 },
      { service: 'entra', kind: 'hang', count: 1 },
    ])
    assert.equal(set.status, 200)
    assert.equal((await send(`${clouds.urls['cloud-run']}/health`, undefined)).status, 503)
    assert.equal(at((await send(url, undefined)).text, 'faults', 1, 'service'), 'entra')
    await fetch(`${url}?service=cloud-run`, { method: 'DELETE' })
    assert.equal((await send(`${clouds.urls['cloud-run']}/health`, undefined)).status, 200)
    await fetch(url, { method: 'DELETE' })
    assert.deepEqual(clouds.faults.list(), [])
  }))

test('a bad fault gets 400 with the field and what it may be, and sets nothing', () =>
  withClouds({}, async (clouds) => {
    const good = { service: 'entra', kind: 'hang' }
    const answered = await sendJson(`${clouds.switchboardUrl}/faults`, [good, { service: 'entra', kind: 'hangs' }])
    assert.equal(answered.status, 400)
    assert.equal(at(answered.text, 'error', 'field'), 'kind')
    assert.match(JSON.stringify(at(answered.text, 'error', 'allowed')), /"hang"/)
    assert.deepEqual(clouds.faults.list(), [])
    const text = await send(`${clouds.switchboardUrl}/faults`, 'kind=hang')
    assert.deepEqual([text.status, at(text.text, 'error', 'message')], [400, 'the body is not JSON'])
  }))

test('requests are shown without credentials', () =>
  withClouds({}, async (clouds) => {
    const tenant = clouds.settings.entra.tenants[0] ?? ''
    await send(`${clouds.urls.entra}/${tenant}/oauth2/v2.0/token`, 'client_id=a&client_secret=hush&scope=b', {
      authorization: 'Basic aHVzaA==',
    })
    await send(`${clouds.urls['content-safety']}/`, '{}', { 'ocp-apim-subscription-key': 'hush' })
    const { text } = await send(`${clouds.switchboardUrl}/requests`, undefined)
    assert.doesNotMatch(text, /hush|aHVzaA/)
    assert.equal(at(text, 'services', 'entra', 'count'), 1)
    assert.equal(at(text, 'services', 'entra', 'last', 0, 'headers', 'authorization'), '[masked]')
    assert.equal(at(text, 'services', 'entra', 'last', 0, 'body'), 'client_id=a&client_secret=[masked]&scope=b')
    const one = await send(`${clouds.switchboardUrl}/requests?service=bedrock`, undefined)
    assert.deepEqual(at(one.text, 'services'), { bedrock: { count: 0, last: [] } })
    const none = await send(`${clouds.switchboardUrl}/requests?service=nowhere`, undefined)
    assert.deepEqual([none.status, at(none.text, 'error', 'field')], [400, 'service'])
  }))

test('keys are rotated and tokens minted', () =>
  withClouds({}, async (clouds) => {
    const rotated = await send(`${clouds.switchboardUrl}/entra/rotate`, '')
    const minted = await sendJson(`${clouds.switchboardUrl}/entra/token`, {
      user: 'ada@contoso.example',
      roles: ['developer'],
      groups: ['finance'],
    })
    const token = textAt(minted.text, 'access_token')
    assert.equal(decodeProtectedHeader(token).kid, at(rotated.text, 'kid'))
    assert.deepEqual([decodeJwt(token)['roles'], decodeJwt(token)['groups']], [['developer'], ['finance']])
    assert.equal((await send(`${clouds.switchboardUrl}/entra/token`, '')).status, 200)
    const unknown = await sendJson(`${clouds.switchboardUrl}/entra/token`, { user: 'Eve' })
    assert.deepEqual([unknown.status, at(unknown.text, 'error', 'field')], [400, 'user'])
    const wrong = await sendJson(`${clouds.switchboardUrl}/entra/token`, { usr: 'Eve' })
    assert.deepEqual([wrong.status, at(wrong.text, 'error', 'field')], [400, 'usr'])
  }))

test('pages in a browser and unknown paths are turned away', () =>
  withClouds({}, async (clouds) => {
    const page = await send(`${clouds.switchboardUrl}/faults`, '{}', { origin: 'http://evil.example' })
    assert.equal(page.status, 403)
    const { status, text } = await send(`${clouds.switchboardUrl}/nothing`, undefined)
    assert.equal(status, 404)
    assert.match(text, /POST \/entra\/token/)
  }))
