import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import { type ConfigDraft, chat, post, withPlane } from '../plane.ts'

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
