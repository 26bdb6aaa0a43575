import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ask, Family, Message, Part } from '#contract/ask.ts'
import type { Event } from '#contract/event.ts'
import type { Target } from '#contract/target.ts'
import { PROVIDERS } from '#infer/infer.ts'
import { summary } from '#infer/recordings/answer-cases.suite.ts'
import { testAsk, testScreened, testTarget } from '#infer/test-asks.ts'
import { send, withClouds } from '#simclouds/client.suite.ts'
import type { SimClouds } from '#simclouds/start.ts'

/** What the adapters send is taken by stand-ins that check as strictly as the vendors, turn after turn. */
interface Served {
  readonly target: Target
  readonly headers: Readonly<Record<string, string>>
  readonly family: Family
}

function served({ urls, settings }: SimClouds): readonly Served[] {
  const vertex = `${urls.vertex}/v1/projects/${settings.vertex.project}/locations/us-east5`
  const bearer = { authorization: `Bearer ${settings.vertex.token}` }
  const of = (provider: Target['provider'], endpoint: string, model: string) =>
    testTarget({ name: provider, provider, endpoint, model })
  return [
    { target: of('openai-compatible', urls['cloud-run'], 'simulated-llama'), headers: {}, family: '' },
    {
      target: of('anthropic', urls.anthropic, 'claude-sonnet-4-5'),
      headers: { 'x-api-key': settings.anthropic.apiKey },
      family: 'anthropic',
    },
    { target: of('vertex-claude', vertex, 'claude-sonnet-4-5@20250929'), headers: bearer, family: 'anthropic' },
    { target: of('vertex-gemini', vertex, 'gemini-3-flash'), headers: bearer, family: 'gemini' },
    { target: of('vertex-gemini', vertex, 'gemini-2.5-pro'), headers: bearer, family: 'gemini' },
    {
      target: of('bedrock', urls.bedrock, 'anthropic.claude-sonnet-4-5-v1:0'),
      headers: { authorization: 'Bearer key' },
      family: '',
    },
  ]
}

/** Asks a stand-in through an adapter. */
async function ask({ target, headers }: Served, changes: Partial<Ask>): Promise<Event[]> {
  const provider = PROVIDERS[target.provider]
  const request = provider.encode(testScreened(changes), target)
  const answer = await send(request.url, request.body, { ...request.headers, ...headers })
  if (answer.status !== 200) throw provider.error({ status: answer.status, headers: {}, body: answer.text }, target)
  const decoder = provider.decoder(testAsk(changes))
  const events = answer.pieces.flatMap((piece) => decoder.push(piece))
  assert.equal(decoder.failure, undefined)
  return [...events, ...decoder.end()]
}

/** What a client keeps of an answer and sends back. */
function kept(events: readonly Event[], family: Family): Message {
  const { reasoning, proofs, sealed, text } = summary(events)
  const thoughts = proofs.map((signature, at): Part => ({
    type: 'reasoning',
    text: at === 0 ? reasoning : '',
    signature,
    data: '',
    family,
  }))
  const locked = sealed.map((data): Part => ({ type: 'reasoning', text: '', signature: '', data, family }))
  const calls = events.flatMap((event): Part[] => {
    if (event.type !== 'tool-call-start') return []
    const args = events.flatMap((one) =>
      one.type === 'tool-call-delta' && one.index === event.index ? one.arguments : [],
    )
    const proof = event.signature === undefined ? {} : { signature: event.signature }
    return [{ type: 'tool-call', id: event.id, name: event.name, arguments: args.join(''), ...proof }]
  })
  const said: Part[] = text === '' ? [] : [{ type: 'text', text }]
  return { role: 'assistant', parts: [...thoughts, ...locked, ...said, ...calls] }
}

const say = (text: string): Message => ({ role: 'user', parts: [{ type: 'text', text }] })
const TOOLS = [
  {
    name: 'send_email',
    description: 'sends',
    parameters: { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] },
  },
]
const SYSTEM: Message = { role: 'system', parts: [{ type: 'text', text: 'be brief' }] }

function answers(message: Message): Message {
  const parts = message.parts.flatMap((part): Part[] =>
    part.type === 'tool-call' ? [{ type: 'tool-result', id: part.id, text: 'sent', isError: false }] : [],
  )
  return { role: 'tool', parts }
}

test('a conversation with thoughts and calls is taken by every target, turn after turn', () =>
  withClouds({ bedrock: { apiKey: 'key' } }, async (clouds) => {
    for (const each of served(clouds)) {
      for (const stream of [true, false]) {
        const common = { stream, tools: TOOLS, reasoning: { effort: 'low' }, sampling: { maxTokens: 4000 } } as const
        const opening = [SYSTEM, say('send email to "ada"')]
        const first = kept(await ask(each, { ...common, messages: opening }), each.family)
        assert.equal(first.parts.at(-1)?.type, 'tool-call', each.target.model)
        const looped = [...opening, first, answers(first)]
        const second = await ask(each, { ...common, messages: looped })
        assert.equal(summary(second).text, 'The tool answered: sent', each.target.model)
        const third = await ask(each, { ...common, messages: [...looped, kept(second, each.family), say('thanks')] })
        assert.equal(summary(third).text, 'You said: thanks', each.target.model)
        assert.equal(third.at(-1)?.type, 'end')
      }
    }
  }))

test('a conversation that began with any target goes on with any other', () =>
  withClouds({ bedrock: { apiKey: 'key' } }, async (clouds) => {
    const all = served(clouds)
    for (const from of all) {
      const opening = [say('send email to "ada"')]
      const common = { tools: TOOLS, reasoning: { budget: 2000 }, sampling: { maxTokens: 4000 } } as const
      const first = kept(await ask(from, { ...common, messages: opening }), from.family)
      for (const to of all) {
        const events = await ask(to, { ...common, messages: [...opening, first, answers(first)] })
        assert.equal(summary(events).text, 'The tool answered: sent', `${from.target.model} to ${to.target.model}`)
      }
    }
  }))

test('a thought that was changed on the way is refused by its vendor, and not by us', () =>
  withClouds({}, async (clouds) => {
    for (const each of served(clouds).filter(({ family }) => family === 'anthropic')) {
      const thought: Part = { type: 'reasoning', text: 'changed', signature: 'c2ln', data: '', family: 'anthropic' }
      const history = [say('hi'), { role: 'assistant', parts: [thought] } as const, say('go')]
      await assert.rejects(ask(each, { messages: history }), { code: 'INFER_REJECTED', message: /Invalid `signature`/ })
    }
  }))

test('formats, counts and vectors are taken by those who have them', () =>
  withClouds({}, async (clouds) => {
    const schema = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: { city: { type: 'string', minLength: 1 } },
      required: ['city'],
      additionalProperties: false,
    }
    const format = { type: 'schema', name: 'place', schema, strict: true } as const
    for (const each of served(clouds).filter(({ family }) => family !== '')) {
      const events = await ask(each, { messages: [say('"Köln"')], format, operation: 'generate' })
      assert.equal(summary(events).text, '{"city":"Köln"}', each.target.model)
      const [count] = await ask(each, { operation: 'count-tokens', tools: TOOLS })
      assert.deepEqual(count, { type: 'token-count', tokens: 1, estimated: false }, each.target.model)
    }
    const embedding = served(clouds).find(({ target }) => target.provider === 'vertex-gemini')
    assert.ok(embedding !== undefined)
    const events = await ask(embedding, { operation: 'embed', messages: [say('a'), say('b')], dimensions: 3 })
    assert.deepEqual(
      events.map((event) => (event.type === 'embedding' ? event.vector.length : event.type)),
      ['start', 3, 3, 'usage', 'end'],
    )
  }))

test('flags and fields that the vendors refuse never reach them', () =>
  withClouds({}, async (clouds) => {
    const betas = ['claude-code-20250219', 'context-1m-2025-08-07', 'oauth-2025-04-20']
    for (const each of served(clouds).filter(({ family }) => family === 'anthropic')) {
      const events = await ask(each, {
        dialect: 'anthropic-messages',
        betas,
        tools: [
          {
            ...TOOLS[0],
            name: 'send_email',
            description: '',
            parameters: { type: 'object' },
            rest: { defer_loading: true },
          },
        ],
      })
      assert.equal(events.at(-1)?.type, 'end')
    }
  }))
