import { createVaults } from '#guard/vault.ts'
import { decoder } from '#infer/openai-compatible/decode.ts'
import { testAsk } from '#infer/test-asks.ts'
import { Restorer } from '#restore/restorer.ts'
import { openaiChat } from '#wire/openai/dialect.ts'
import { type MicroResult, measure } from './measure.ts'

const EVENTS = 1000
const WORDS = ['The ', 'invoice ', 'was ', 'checked ', 'and ', 'both ', 'agree, ', 'so ', 'it ', 'goes ', 'out. ']

/** What each piece of a stream costs on its way through. */
export function benchStream(): MicroResult[] {
  return [decodeAndEncode(), restorePlain(), restorePlaceholders()]
}

function decodeAndEncode(): MicroResult {
  const events = Array.from({ length: EVENTS }, (_, index) =>
    Buffer.from(
      `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"m","choices":[{"index":0,"delta":{"content":${JSON.stringify(WORDS[index % WORDS.length])}},"finish_reason":null}]}\n\n`,
    ),
  )
  const decode = decoder(testAsk({ stream: true }))
  const encode = openaiChat.streamEncoder({
    requestId: 'req-1',
    alias: 'bench',
    target: 't',
    createdEpochS: 1_764_000_000,
    includeUsage: true,
    ask: testAsk(),
    sources: [],
    isStored: false,
  })
  return measure({
    name: 'stream event decoded and encoded',
    unit: 'event',
    protects: 'streams at half the rate of a bare proxy',
    operations: 50_000,
    run: (index) => encode.push(decode.push(events[index % EVENTS] ?? Buffer.alloc(0))),
  })
}

function restorePlain(): MicroResult {
  const { restorer } = restorerWithAddress()
  return measure({
    name: 'restore, delta without placeholder',
    unit: 'delta',
    protects: 'streams at half the rate of a bare proxy',
    operations: 500_000,
    run: (index) => restorer.push(WORDS[index % WORDS.length] ?? ''),
  })
}

function restorePlaceholders(): MicroResult {
  const { restorer, placeholder } = restorerWithAddress()
  const pieces = ['to ', placeholder.slice(0, 6), placeholder.slice(6, 15), placeholder.slice(15), ' and ']
  return measure({
    name: 'restore, placeholder cut in three of five deltas',
    unit: 'delta',
    protects: 'streams at half the rate of a bare proxy',
    operations: 200_000,
    run: (index) => restorer.push(pieces[index % pieces.length] ?? ''),
  })
}

function restorerWithAddress(): { readonly restorer: Restorer; readonly placeholder: string } {
  const principal = {
    subject: 's',
    tenant: 't',
    kind: 'key',
    roles: [],
    groups: [],
    client: undefined,
    via: 'bench',
    credentialId: '',
  } as const
  const vault = createVaults(new Uint8Array(32)).open(principal, 'conversation')
  const placeholder = vault.placeholder('EMAIL_ADDRESS', 'anna.berg@example.com', true)
  return { restorer: new Restorer(vault), placeholder }
}
