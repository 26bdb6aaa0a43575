import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { showEntry } from '#bin/show-entry.ts'
import { createKey } from '#identity/key.ts'
import { asList, asRecord, parseJson } from '#kit/json.ts'
import {
  type ConfigDraft,
  type Plane,
  type PlaneOptions,
  chat,
  errorOf,
  eventually,
  post,
  withPlane,
} from '../plane.ts'

/** A plane with these rules. */
function limited(rules: readonly object[], more: (config: ConfigDraft) => void = () => undefined): PlaneOptions {
  return {
    change: (config) => {
      config['limits'] = { rules }
      more(config)
    },
  }
}

function ask(plane: Plane, text = 'hello', more: object = {}) {
  return post(plane.url, '/v1/chat/completions', plane.key, chat(text, more))
}

/** What this gateway shows of the first counter. */
async function counters(plane: Plane): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { adminKey } = await admin(plane)
  const answer = await fetch(`${plane.url}/admin/v1/limits`, { headers: { authorization: `Bearer ${adminKey}` } })
  assert.equal(answer.status, 200)
  return asList(asRecord(parseJson(await answer.text()))?.['counters']).map((each) => asRecord(each) ?? {})
}

const admins = new WeakMap<Plane, Promise<{ readonly adminKey: string }>>()

function admin(plane: Plane): Promise<{ readonly adminKey: string }> {
  const known = admins.get(plane) ?? makeAdmin(plane)
  admins.set(plane, known)
  return known
}

async function makeAdmin(plane: Plane): Promise<{ readonly adminKey: string }> {
  const made = createKey({ tenant: 'test', subject: 'ops', roles: ['admin'] })
  await plane.addKey(made)
  await eventually(async () => {
    const { status } = await fetch(`${plane.url}/admin/v1/status`, { headers: { authorization: `Bearer ${made.key}` } })
    return status === 200 ? true : undefined
  }, 'the key of the admin')
  return { adminKey: made.key }
}

test('requests are counted down in the headers, and the one too many is told when to come back', async () => {
  await withPlane(
    limited([{ name: 'few', per: 'caller', window: 'day', requests: 2, tokens: 100_000 }]),
    async (plane) => {
      const first = await ask(plane)
      assert.equal(first.status, 200)
      assert.equal(first.headers.get('x-ratelimit-limit-requests'), '2')
      assert.equal(first.headers.get('x-ratelimit-remaining-requests'), '1')
      assert.equal(first.headers.get('x-ratelimit-limit-tokens'), '100000')
      assert.match(first.headers.get('x-ratelimit-reset-requests') ?? '', /^(\d+h)?(\d+m)?\d+s$/)
      assert.match(first.headers.get('server-timing') ?? '', /reserve;dur=/)
      assert.equal((await ask(plane)).headers.get('x-ratelimit-remaining-requests'), '0')
      const third = await ask(plane)
      assert.equal(third.status, 429)
      const { code, message } = errorOf(third)
      assert.equal(code, 'LIMIT_RATE')
      assert.match(message, /^rule `few` allows 2 requests a day, and too little of it is left, try again in \d+ s$/)
      const retryS = Number(third.headers.get('retry-after'))
      assert.ok(retryS >= 1 && retryS <= 86_400)
      assert.equal(third.headers.get('x-should-retry'), retryS > 60 ? 'false' : null)
      // Somebody else has their own.
      const other = await post(plane.url, '/v1/chat/completions', plane.keyOf('restricted'), chat('hello'))
      assert.equal(other.status, 200)
    },
  )
})

test('what is settled is what the entry says, and nothing stays reserved', async () => {
  const rules = [
    { name: 'money', per: 'tenant', window: 'month', usd: 5 },
    { name: 'rate', per: 'key', window: 'day', requests: 100, tokens: 100_000 },
  ]
  await withPlane(limited(rules), async (plane) => {
    const answer = await ask(plane, 'some words to repeat')
    const entry = await plane.entry(answer.headers.get('x-request-id') ?? '')
    const { usage, cost, limits, safety } = entry
    const tokens = usage.input + usage.cachedRead + usage.cachedWrite + usage.output + usage.reasoning
    const microUsd = Math.ceil(cost.modelMicroUsd + cost.egressMicroUsd + safety.microUsd)
    assert.ok(limits !== undefined && microUsd > 0 && tokens > 0)
    assert.deepEqual(limits.rules, ['money', 'rate'])
    assert.deepEqual(limits.settled, { microUsd, requests: 1, tokens })
    assert.ok(limits.reserved.tokens >= 1024 && limits.reserved.microUsd > 0)
    const shown = await counters(plane)
    const byUnit = new Map(shown.map((row) => [row['unit'], row]))
    assert.equal(byUnit.get('tokens')?.['spent'], tokens)
    assert.equal(byUnit.get('usd')?.['spent'], microUsd / 1e6)
    assert.deepEqual(
      shown.map((row) => row['reserved']),
      [0, 0, 0],
    )
    assert.match(showEntry(entry, 0), new RegExp(`limits money, rate\\n.*\\n  counted  1 requests, ${tokens} tokens`))
    const { adminKey } = await admin(plane)
    assert.equal((await post(plane.url, '/admin/v1/limits/reclaim', adminKey, '')).status, 200)
    assert.equal((await post(plane.url, '/admin/v1/limits/reclaim', plane.key, '')).status, 403)
  })
})

test('a request that the guard blocks or that names no model costs nothing of a limit', async () => {
  const strict = (config: ConfigDraft): void => {
    config.guard['profiles'] = {
      balanced: { actions: { EMAIL_ADDRESS: 'block' }, managed: 'off' },
      strict: { managed: 'off' },
    }
  }
  await withPlane(limited([{ name: 'one', per: 'all', window: 'day', requests: 1 }], strict), async (plane) => {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      assert.equal(errorOf(await ask(plane, 'write to jane.doe@example.com')).code, 'GUARD_BLOCKED')
      assert.equal(errorOf(await ask(plane, 'hello', { model: 'nobody' })).code, 'ROUTE_UNKNOWN_MODEL')
    }
    assert.equal((await ask(plane)).status, 200)
    assert.equal(errorOf(await ask(plane)).code, 'LIMIT_RATE')
  })
})

test('a limit of nothing refuses everything, before anything is paid, and the entry names the rule', async () => {
  await withPlane(limited([{ name: 'none', per: 'alias', window: 'month', usd: 0 }]), async (plane) => {
    const answer = await ask(plane)
    assert.equal(errorOf(answer).code, 'LIMIT_BUDGET')
    assert.match(errorOf(answer).message, /allows 0 USD a month/)
    const entry = await plane.entry(answer.headers.get('x-request-id') ?? '')
    assert.deepEqual([entry.outcome, entry.crossings.length, entry.limits?.rules], ['refused', 0, ['none']])
    assert.equal(entry.limits?.settled.requests, 0)
  })
})

test('a caller who leaves in the middle is counted for what was seen, and holds nothing any more', async () => {
  const slow = { clouds: { cloudRun: { firstTokenMs: 0, tokenMs: 20 }, bedrock: { firstTokenMs: 0, tokenMs: 20 } } }
  const options = { ...limited([{ name: 'all', per: 'all', window: 'day', tokens: 100_000 }]), ...slow }
  await withPlane(options, async (plane) => {
    const client = new OpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.key })
    const stream = await client.chat.completions.create({
      model: 'chat',
      stream: true,
      messages: [{ role: 'user', content: 'one two three four five six seven eight nine ten eleven twelve' }],
    })
    for await (const chunk of stream) if ((chunk.choices[0]?.delta.content ?? '') !== '') break
    stream.controller.abort()
    const entry = await eventually(() => plane.recent()[0], 'the entry')
    assert.equal(entry.outcome, 'abandoned')
    const settled = entry.limits?.settled.tokens ?? 0
    assert.ok(settled > 0 && settled < 200, String(settled))
    const [row] = await counters(plane)
    assert.deepEqual([row?.['spent'], row?.['reserved']], [settled, 0])
  })
})

test('a rule that cuts ends an answer when nothing is left, without a false end; others let it end', async () => {
  const long = 'a long answer that says the same words again and again '.repeat(40)
  for (const cutOff of [true, false]) {
    const rules = [{ name: 'tight', per: 'all', window: 'day', tokens: 700, cutOff }]
    await withPlane(limited(rules), async (plane) => {
      const answer = await ask(plane, long, { stream: true })
      assert.equal(answer.status, 200)
      assert.equal(/"code":"LIMIT_RATE"/.test(answer.text), cutOff)
      assert.equal(answer.text.includes('[DONE]'), !cutOff)
      const entry = await plane.entry(answer.headers.get('x-request-id') ?? '')
      assert.deepEqual([entry.outcome, entry.code], cutOff ? ['refused', 'LIMIT_RATE'] : ['answered', ''])
      assert.ok((entry.limits?.settled.tokens ?? 0) > 700)
      assert.equal(errorOf(await ask(plane)).code, 'LIMIT_RATE')
      assert.deepEqual(
        (await counters(plane)).map((row) => row['reserved']),
        [0],
      )
    })
  }
})

test('a request that several rules are for holds all of them or none', async () => {
  const rules = [
    { name: 'wide', per: 'all', window: 'day', requests: 10 },
    { name: 'narrow', per: 'team', window: 'day', requests: 1, teams: ['research'] },
  ]
  const teams = (config: ConfigDraft): void => {
    config['teams'] = { research: { roles: ['developer'] } }
  }
  await withPlane(limited(rules, teams), async (plane) => {
    assert.equal((await ask(plane)).status, 200)
    for (let attempt = 0; attempt < 3; attempt += 1)
      assert.match(errorOf(await ask(plane)).message, /^rule `narrow` allows 1 requests a day/)
    // Not in the team.
    const other = await post(plane.url, '/v1/chat/completions', plane.keyOf('restricted'), chat('hello'))
    assert.equal(other.headers.get('x-ratelimit-remaining-requests'), '8')
  })
})

test('official SDKs read the refusal as one of theirs, and do not try again for a long wait', async () => {
  await withPlane(limited([{ name: 'none', per: 'all', window: 'month', requests: 0 }]), async (plane) => {
    const openai = new OpenAI({ baseURL: `${plane.url}/v1`, apiKey: plane.key })
    await assert.rejects(
      openai.chat.completions.create({ model: 'chat', messages: [{ role: 'user', content: 'hi' }] }),
      (error) => error instanceof OpenAI.RateLimitError && error.code === 'LIMIT_RATE',
    )
    const anthropic = new Anthropic({ baseURL: plane.url, apiKey: plane.key })
    await assert.rejects(
      anthropic.messages.create({ model: 'chat', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }),
      (error) => error instanceof Anthropic.RateLimitError,
    )
    assert.equal(plane.recent().length, 2)
  })
})

test('what was used outlives a restart, and a changed rule; without rules nothing is made', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-limits-'))
  try {
    const rule = { name: 'few', per: 'caller', window: 'month', requests: 2 }
    await withPlane({ folder, change: (config) => (config['limits'] = {}) }, async (plane) => {
      assert.equal((await ask(plane)).headers.get('x-ratelimit-limit-requests'), null)
      await assert.rejects(stat(join(folder, 'limits.sqlite')))
    })
    await withPlane({ ...limited([rule]), folder }, async (plane) => {
      assert.equal((await ask(plane)).headers.get('x-ratelimit-remaining-requests'), '1')
    })
    await withPlane({ ...limited([rule]), folder }, async (plane) => {
      assert.equal((await ask(plane)).headers.get('x-ratelimit-remaining-requests'), '0')
      await stat(join(folder, 'limits.sqlite'))
      assert.equal((await ask(plane)).status, 429)
      const text = await readFile(plane.file, 'utf8')
      await writeFile(plane.file, text.replace('requests: 2', 'requests: 4'))
      const raised = await eventually(async () => {
        const answer = await ask(plane)
        return answer.status === 200 ? answer : undefined
      }, 'the raised limit')
      assert.equal(raised.headers.get('x-ratelimit-remaining-requests'), '1')
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('a store that is no database stops no other request, and the log, the metrics and the API say so', async () => {
  const rules = [{ name: 'few', per: 'all', window: 'day', requests: 5, aliases: ['claude'] }]
  const folder = await mkdtemp(join(tmpdir(), 'thinplane-limits-'))
  try {
    const file = join(folder, 'not-a-database')
    await writeFile(file, 'this is a text, and a long one, so that nobody takes it for an empty file\n'.repeat(100))
    const change = (config: ConfigDraft): void => {
      config['limits'] = { rules, store: { kind: 'file', file } }
    }
    await withPlane({ change }, async (plane) => {
      assert.equal((await ask(plane)).status, 200)
      const refused = await ask(plane, 'hello', { model: 'claude' })
      assert.equal(refused.status, 429)
      assert.match(errorOf(refused).message, /the store of limits has not answered since this gateway started/)
      assert.equal(refused.headers.get('retry-after'), '1')
      assert.equal(plane.logged.filter((line) => line.includes('the store of limits is lost')).length, 1)
      assert.match(await (await fetch(`${plane.url}/metrics`)).text(), /thinplane_limit_store_up\{store="file"\} 0/)
      // Mended, it is taken into use without a restart.
      await rm(file)
      const served = await eventually(async () => {
        const answer = await ask(plane, 'hello', { model: 'claude' })
        return answer.status === 200 ? answer : undefined
      }, 'the mended store')
      assert.equal(served.headers.get('x-ratelimit-remaining-requests'), '4')
      assert.ok(plane.logged.some((line) => line.includes('the store of limits answers again')))
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
