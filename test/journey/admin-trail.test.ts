import assert from 'node:assert/strict'
import { appendFile } from 'node:fs/promises'
import { test } from 'node:test'
import { createKey } from '#identity/key.ts'
import { asRecord, parseJson } from '#kit/json.ts'
import { type Plane, chat, eventually, post, withPlane } from '../plane.ts'

interface Event {
  readonly class: unknown
  readonly action: unknown
  readonly actor: unknown
  readonly subject: unknown
  readonly outcome: unknown
}

/** What was done to the plane, as the trail has it. */
async function adminEvents(plane: Plane): Promise<Event[]> {
  const lines = (await plane.trail()).trimEnd().split('\n')
  return lines.flatMap((line) => {
    const event = asRecord(parseJson(line.slice(65)))
    const own = asRecord(event?.['unmapped'])
    if (own?.['kind'] === undefined) return []
    return [
      {
        class: event?.['class_uid'],
        action: own['action'],
        actor: own['actor'],
        subject: own['subjectId'],
        outcome: own['outcome'],
      },
    ]
  })
}

async function withAdmin(body: (plane: Plane, call: Call) => Promise<void>): Promise<void> {
  await withPlane({}, async (plane) => {
    const made = createKey({ tenant: 'test', subject: 'boss', roles: ['admin'] })
    await plane.addKey(made)
    const call: Call = async (method, path, content) => {
      const answer = await fetch(plane.url + path, {
        method,
        headers: { authorization: `Bearer ${made.key}`, 'content-type': 'application/json' },
        ...(content === undefined ? {} : { body: JSON.stringify(content) }),
      })
      return { status: answer.status, value: asRecord(parseJson(await answer.text())) ?? {} }
    }
    await eventually(async () => ((await call('GET', '/admin/v1/status')).status === 200 ? true : undefined), 'the key')
    await body(plane, call)
  })
}

type Call = (
  method: string,
  path: string,
  content?: object,
) => Promise<{ readonly status: number; readonly value: Readonly<Record<string, unknown>> }>

test('keys, denials, readings of the trail and configuration changes are entries of the trail, signed like the others', () =>
  withAdmin(async (plane, call) => {
    const created = await call('POST', '/admin/v1/keys', { name: 'batch', owner: 'ops', roles: ['developer'] })
    assert.equal(created.status, 201)
    const id = String(created.value['id'])
    assert.equal((await call('POST', '/admin/v1/denied', { key: id })).status, 201)
    assert.equal((await call('DELETE', `/admin/v1/keys/${id}`)).status, 200)
    const asked = await post(plane.url, '/v1/chat/completions', plane.key, chat('hello'))
    const requestId = asked.headers.get('x-request-id') ?? ''
    assert.equal((await call('GET', `/admin/v1/requests/${requestId}`)).status, 200)
    await appendFile(plane.file, '\n# touched\n')
    const events = await eventually(async () => {
      const found = await adminEvents(plane)
      return found.some(({ action }) => action === 'reloaded') ? found : undefined
    }, 'the reload')
    const actor = 'key:test/boss'
    const by = (action: string): Event | undefined =>
      events.find((event) => event.action === action && event.actor === actor)
    assert.deepEqual(by('created'), { class: 3004, action: 'created', actor, subject: id, outcome: 'done' })
    assert.deepEqual(by('revoked'), { class: 3004, action: 'revoked', actor, subject: id, outcome: 'done' })
    assert.ok(events.some((event) => event.class === 3004 && event.action === 'added'))
    assert.deepEqual(by('read'), { class: 6003, action: 'read', actor, subject: requestId, outcome: 'done' })
    assert.ok(!(await plane.trail()).includes(String(created.value['key'])))
  }))

test('who may not is an entry too', () =>
  withPlane({}, async (plane) => {
    const answer = await fetch(`${plane.url}/admin/v1/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${plane.key}`, 'content-type': 'application/json' },
      body: '{}',
    })
    assert.equal(answer.status, 403)
    const [event] = await eventually(async () => {
      const found = await adminEvents(plane)
      return found.length > 0 ? found : undefined
    }, 'the refusal')
    assert.partialDeepStrictEqual(event, { class: 3004, action: 'tried', outcome: 'refused' })
  }))
