import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import { type ConfigDraft, chat, errorOf, post, withPlane } from '../plane.ts'

const EMAIL = 'jane.doe@example.com'

/** A profile that lets the prompt pass as it is, so that the model has something to repeat. */
function repeating(output: object, more: object = {}) {
  return (config: ConfigDraft): void => {
    config.guard['profiles'] = {
      balanced: { actions: { default: 'allow' }, output, managed: 'off', ...more },
      strict: { managed: 'off' },
    }
  }
}

test('what a model says is screened, whole and streamed, and the entry says what was found', async () => {
  await withPlane({ change: repeating({ default: 'mask' }) }, async (plane) => {
    const whole = await post(plane.url, '/v1/chat/completions', plane.key, chat(`repeat ${EMAIL} please`))
    assert.match(whole.text, /repeat \[EMAIL_ADDRESS\] please/)
    assert.ok(!whole.text.includes(EMAIL))
    const entry = await plane.entry(whole.headers.get('x-request-id') ?? '')
    assert.deepEqual(entry.findings, [{ action: 'mask', count: 1, type: 'EMAIL_ADDRESS', where: 'answer' }])
    const client = new OpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.key })
    const stream = await client.chat.completions.create({
      model: 'chat',
      stream: true,
      messages: [{ role: 'user', content: `repeat ${EMAIL} please` }],
    })
    let answer = ''
    for await (const chunk of stream) answer += chunk.choices[0]?.delta.content ?? ''
    assert.match(answer, /repeat \S{0,10}\[EMAIL_ADDRESS\] please/)
    assert.ok(!answer.includes('@example'))
  })
})

test('a block ends the stream with an error, without a false end, and the model is told to stop', async () => {
  await withPlane({ change: repeating({ EMAIL_ADDRESS: 'block' }) }, async (plane) => {
    const streamed = await post(
      plane.url,
      '/v1/chat/completions',
      plane.key,
      chat(`first some words and then ${EMAIL} and more of them`, { stream: true }),
    )
    assert.equal(streamed.status, 200)
    assert.match(streamed.text, /"code":"GUARD_BLOCKED"/)
    assert.ok(!streamed.text.includes('[DONE]') && !streamed.text.includes('@example'))
    const entry = await plane.entry(streamed.headers.get('x-request-id') ?? '')
    assert.deepEqual([entry.outcome, entry.code], ['blocked', 'GUARD_BLOCKED'])
    assert.deepEqual(entry.findings, [{ action: 'block', count: 1, type: 'EMAIL_ADDRESS', where: 'answer' }])
  })
})

test("the caller's own values come back untouched by the screen of the answer", async () => {
  const change = repeating({ default: 'mask' }, { actions: { default: 'redact' } })
  await withPlane({ change }, async (plane) => {
    const { text } = await post(plane.url, '/v1/chat/completions', plane.key, chat(`repeat ${EMAIL} please`))
    assert.match(text, /repeat jane\.doe@example\.com please/)
  })
})

test('in shadow an answer is as it was, and the entry says what would have been done', async () => {
  await withPlane({ change: repeating({ default: 'mask' }, { shadow: true }) }, async (plane) => {
    const answer = await post(plane.url, '/v1/chat/completions', plane.key, chat(`repeat ${EMAIL} please`))
    assert.ok(answer.text.includes(EMAIL))
    const entry = await plane.entry(answer.headers.get('x-request-id') ?? '')
    assert.deepEqual(entry.findings, [
      { action: 'flag', count: 1, type: 'EMAIL_ADDRESS', where: 'answer', would: 'mask' },
    ])
  })
})

const VERSE = 'three clouds went walking over the sea, one kept the ledger. '.repeat(3)

test('protected material: an answer that is sent whole is withheld, a streamed one ends with an error', async () => {
  await withPlane({ change: repeating({ default: 'allow' }, { protectedMaterial: 'block' }) }, async (plane) => {
    const whole = await post(plane.url, '/v1/chat/completions', plane.key, chat(VERSE))
    assert.equal(errorOf(whole)['code'], 'GUARD_BLOCKED')
    assert.ok(!whole.text.includes('three clouds'))
    const entry = await plane.entry(whole.headers.get('x-request-id') ?? '')
    assert.deepEqual([entry.outcome, entry.safety.verdict], ['blocked', 'block'])
    assert.deepEqual(entry.safety.over, [{ category: 'ProtectedMaterial', severity: 7 }])
    assert.deepEqual(entry.safety.services, ['protected-material'])
    assert.ok(entry.safety.microUsd > 0)
    const streamed = await post(plane.url, '/v1/chat/completions', plane.key, chat(VERSE, { stream: true }))
    assert.match(streamed.text, /"code":"GUARD_BLOCKED"/)
    assert.ok(!streamed.text.includes('[DONE]') && !streamed.text.includes('"finish_reason":"stop"'))
    const harmless = await post(plane.url, '/v1/chat/completions', plane.key, chat('a song of my own. '.repeat(10)))
    assert.equal(harmless.status, 200)
  })
})

test('protected material: flagged, it passes and the entry says so; without a verdict the answer is withheld', async () => {
  await withPlane({ change: repeating({ default: 'allow' }, { protectedMaterial: 'flag' }) }, async (plane) => {
    const flagged = await post(plane.url, '/v1/chat/completions', plane.key, chat(VERSE))
    assert.equal(flagged.status, 200)
    const entry = await plane.entry(flagged.headers.get('x-request-id') ?? '')
    assert.deepEqual([entry.outcome, entry.safety.verdict], ['answered', 'pass'])
    assert.equal(entry.safety.over[0]?.category, 'ProtectedMaterial')
    plane.clouds.faults.set({ service: 'content-safety', kind: 'error', status: 500, count: 1 })
    const unknown = await post(plane.url, '/v1/chat/completions', plane.key, chat(VERSE))
    assert.equal(errorOf(unknown)['code'], 'GUARD_UNAVAILABLE')
    assert.ok(!unknown.text.includes('three clouds'))
  })
})
