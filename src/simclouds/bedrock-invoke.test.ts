import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BedrockRuntimeClient, InvokeModelCommand } from '@aws-sdk/client-bedrock-runtime'
import { asList, asRecord, parseJson } from '#kit/json.ts'
import { http1Settings, headerOf, refused, withAws } from './aws.suite.ts'

const TITAN = 'amazon.titan-embed-text-v2:0'
const V3 = 'cohere.embed-english-v3'
const V4 = 'cohere.embed-v4:0'
const RERANK = 'cohere.rerank-v3-5:0'

type Invoke = (modelId: string, body: object) => Promise<Readonly<Record<string, unknown>>>

function withModels(body: (invoke: Invoke, tokens: () => string | undefined) => Promise<void>): Promise<void> {
  return withAws(async (aws) => {
    const client = new BedrockRuntimeClient({ ...http1Settings(aws, 'bedrock'), authSchemePreference: ['sigv4'] })
    let tokens: string | undefined
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args)
        tokens = headerOf(result.response, 'x-amzn-bedrock-input-token-count')
        return result
      },
      { step: 'deserialize' },
    )
    const invoke: Invoke = async (modelId, request) => {
      const command = new InvokeModelCommand({
        modelId,
        contentType: 'application/json',
        body: JSON.stringify(request),
      })
      const answer = await client.send(command)
      return asRecord(parseJson(answer.body.transformToString())) ?? {}
    }
    await body(invoke, () => tokens)
    client.destroy()
  })
}

const numbers = (value: unknown): readonly number[] => asList(value).map(Number)
const lengthOf = (vector: readonly number[]) => Math.hypot(...vector)
const near = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0) / (lengthOf(a) * lengthOf(b))

test('Titan embeds one text: sizes, length, bits, and a count of tokens', () =>
  withModels(async (invoke, tokens) => {
    const embed = async (inputText: string, more = {}) =>
      numbers((await invoke(TITAN, { inputText, ...more }))['embedding'])
    const password = await embed('how do I reset my password')
    assert.equal(tokens(), '7')
    assert.equal(password.length, 1024)
    assert.ok(Math.abs(lengthOf(password) - 1) < 1e-5)
    assert.deepEqual(await embed('how do I reset my password'), password)
    const similar = near(password, await embed('reset your password here'))
    assert.ok(similar > near(password, await embed('quarterly revenue in France')) + 0.2)
    assert.equal((await embed('x', { dimensions: 256 })).length, 256)
    assert.ok(lengthOf(await embed('many words are long', { normalize: false })) > 1.5)
    const both = await invoke(`us.${TITAN}`, { inputText: 'x', dimensions: 256, embeddingTypes: ['binary'] })
    const { binary } = asRecord(both['embeddingsByType']) ?? {}
    assert.deepEqual(new Set(numbers(binary)).isSubsetOf(new Set([0, 1])), true)
    assert.deepEqual([numbers(binary).length, both['embedding'], both['inputTextTokenCount']], [256, undefined, 1])
  }))

test('Cohere v3 embeds many texts, and a query is not a document', () =>
  withModels(async (invoke, tokens) => {
    const texts = ['reset the password', 'revenue in France']
    const answer = await invoke(V3, { texts, input_type: 'search_document' })
    assert.equal(tokens(), '10')
    assert.deepEqual([answer['response_type'], answer['texts']], ['embeddings_floats', texts])
    const [first, second] = asList(answer['embeddings']).map(numbers)
    assert.equal(first?.length, 1024)
    const query = await invoke('cohere.embed-multilingual-v3', {
      texts: ['reset the password'],
      input_type: 'search_query',
    })
    const asked = numbers(asList(query['embeddings'])[0])
    assert.notDeepEqual(asked, first)
    assert.ok(near(asked, first) > 0.9)
    assert.ok(near(asked, second ?? []) < 0.5)
    const typed = await invoke(V3, { texts: ['a b'], input_type: 'clustering', embedding_types: ['int8', 'ubinary'] })
    const { int8, ubinary } = asRecord(typed['embeddings']) ?? {}
    assert.deepEqual([asList(asList(int8)[0]).length, asList(asList(ubinary)[0]).length], [1024, 128])
    assert.ok(numbers(asList(int8)[0]).every((value) => Number.isInteger(value) && Math.abs(value) <= 127))
  }))

test('Cohere v4 has sizes, mixed inputs and a limit of tokens', () =>
  withModels(async (invoke) => {
    const embed = async (more: object) => {
      const { embeddings } = await invoke(V4, { input_type: 'search_document', ...more })
      return asList(asRecord(embeddings)?.['float']).map(numbers)
    }
    assert.equal((await embed({ texts: ['x'] }))[0]?.length, 1536)
    assert.equal((await embed({ texts: ['x'], output_dimension: 512 }))[0]?.length, 512)
    const [whole] = await embed({ texts: ['abcd abcd efgh efgh'] })
    const [cut] = await embed({ texts: ['abcd abcd efgh efgh'], max_tokens: 2, truncate: 'RIGHT' })
    assert.notDeepEqual(cut, whole)
    const [mixed] = await embed({ inputs: [{ content: [{ type: 'text', text: 'abcd abcd efgh efgh' }] }] })
    assert.deepEqual(mixed, whole)
    const long = { texts: ['abcd abcd efgh'], max_tokens: 2, truncate: 'NONE', input_type: 'search_query' }
    await refused(invoke(V4, long), 'ValidationException', 400, /cannot exceed 2 - received 4/)
    const none = { input_type: 'search_query' }
    await refused(invoke(V4, none), 'ValidationException', 400, /exactly one of texts and inputs/)
  }))

test('rerank puts the document first that answers', () =>
  withModels(async (invoke) => {
    const documents = ['the weather in the north', 'the parental leave is sixteen weeks', 'the leave of a ship']
    const rank = async (more = {}) => {
      const { results } = await invoke(RERANK, {
        query: 'how long is the parental leave',
        documents,
        api_version: 2,
        ...more,
      })
      return asList(results).map((each) => asRecord(each) ?? {})
    }
    const ranked = await rank()
    assert.deepEqual(
      ranked.map(({ index }) => index),
      [1, 2, 0],
    )
    const scores = ranked.map((each) => Number(each['relevance_score']))
    assert.ok(scores.every((score) => score >= 0 && score <= 1))
    assert.ok((scores[0] ?? 0) > (scores[1] ?? 0))
    assert.equal((await rank({ top_n: 1 })).length, 1)
    assert.equal((await rank({ top_n: 9 })).length, 3)
  }))

const texts = ['x']
const input_type = 'search_query'

for (const [why, model, body, message] of [
  ['two texts for Titan', TITAN, { inputText: ['a', 'b'] }, /#\/inputText/],
  ['no text for Titan', TITAN, {}, /#: required key \[inputText\] not found/],
  ['an odd size', TITAN, { inputText: 'x', dimensions: 300 }, /#\/dimensions/],
  ['too many characters', TITAN, { inputText: 'x'.repeat(50_001) }, /#\/inputText/],
  [
    'too many tokens',
    TITAN,
    { inputText: 'x '.repeat(20_000) },
    /Max input tokens: 8192, request input token count: 10000/,
  ],
  ['a member nobody knows', TITAN, { inputText: 'x', input_type }, /extraneous key \[input_type\] is not permitted/],
  ['no purpose', V3, { texts }, /required key \[input_type\] not found/],
  ['97 texts', V3, { texts: Array.from({ length: 97 }, () => 'x'), input_type }, /#\/texts/],
  ['a long text for v3', V3, { texts: ['x'.repeat(2_049)], input_type }, /#\/texts\/0/],
  ['a size for v3', V3, { texts, input_type, output_dimension: 256 }, /extraneous key \[output_dimension\]/],
  ['a cut of v4 for v3', V3, { texts, input_type, truncate: 'LEFT' }, /#\/truncate/],
  ['a cut of v3 for v4', V4, { texts, input_type, truncate: 'END' }, /#\/truncate/],
  ['97 texts for v4', V4, { texts: Array.from({ length: 97 }, () => 'x'), input_type }, /#\/texts/],
  ['no version', RERANK, { query: 'x', documents: texts }, /required key \[api_version\] not found/],
  ['the first version', RERANK, { query: 'x', documents: texts, api_version: 1 }, /#\/api_version/],
  ['no documents', RERANK, { query: 'x', documents: [], api_version: 2 }, /#\/documents/],
  [
    '1,001 documents',
    RERANK,
    { query: 'x', documents: Array.from({ length: 1_001 }, () => 'x'), api_version: 2 },
    /#\/documents/,
  ],
  ['another model', 'meta.llama3-70b-instruct-v1:0', {}, /The provided model identifier is invalid/],
] as const) {
  test(`${why} is refused with ValidationException`, () =>
    withModels((invoke) => refused(invoke(model, body), 'ValidationException', 400, message)))
}
