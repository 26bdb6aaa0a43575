import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Screened } from '#contract/screened.ts'
import type { ProviderName } from '#contract/target.ts'
import { Refusal } from '#contract/refusal.ts'
import { PROVIDERS } from '#infer/infer.ts'
import { type AnswerCase, SAID } from '#infer/recordings/answer-cases.suite.ts'
import { RECORDED } from '#infer/recordings/recorded.suite.ts'
import { testAsk, testTarget } from '#infer/test-asks.ts'
import { parseJson } from '#kit/json.ts'
import { anthropicMessages } from '#wire/anthropic/dialect.ts'
import type { AnswerFacts, WireDialect } from '#wire/dialect.ts'
import { openaiChat } from '#wire/openai/dialect.ts'
import { openaiResponses } from '#wire/openai-responses/dialect.ts'
import { CASES } from './cases.ts'

/*
 * The grid: what every target is sent for every dialect's request, and what every dialect's client sees of every
 * target's answer. `GOLDEN=write node --test test/golden/golden.test.ts` writes the files anew; their diff is the review.
 */

/** A new dialect is one line here, and its requests in cases.ts. */
const DIALECTS: readonly WireDialect[] = [openaiChat, openaiResponses, anthropicMessages]

const MODELS: Readonly<Record<ProviderName, string>> = {
  'openai-compatible': 'model',
  openai: 'model',
  'azure-openai': 'model',
  anthropic: 'claude-sonnet-4-5',
  bedrock: 'anthropic.claude-sonnet-4-5-20250929-v1:0',
  'vertex-claude': 'claude-sonnet-4-5@20250929',
  'vertex-gemini': 'gemini-3-flash',
}
const TARGETS = Object.keys(MODELS) as ProviderName[]

/** One file of the grid: its name under test/golden, and its content. */
export interface Sheet {
  readonly file: string
  readonly content: unknown
}

/** Requests: case, dialect, target. */
export function requestSheets(): readonly Sheet[] {
  return Object.entries(CASES).map(([name, bodies]) => ({
    file: `requests/${fileName(name)}`,
    content: Object.fromEntries(
      DIALECTS.flatMap((dialect) => {
        const body = bodies[dialect.dialect]
        return body === undefined ? [] : [[dialect.dialect, { request: body, targets: requestsOf(dialect, body) }]]
      }),
    ),
  }))
}

function requestsOf(dialect: WireDialect, body: object): object {
  return orRefusal(() => {
    const ask = dialect.decode(JSON.stringify(body), () => undefined)
    const sent = TARGETS.map((name) => [name, orRefusal(() => requestOf(name, { ask } as Screened))] as const)
    return withoutRepeats(Object.fromEntries(sent))
  })
}

function requestOf(name: ProviderName, screened: Screened): object {
  const target = testTarget({ name: 't', provider: name, model: MODELS[name], endpoint: 'https://t' })
  const { url, headers, body, dropped } = PROVIDERS[name].encode(screened, target)
  const { 'content-type': _type, accept: _accept, ...own } = headers
  return {
    url,
    ...(Object.keys(own).length === 0 ? {} : { headers: own }),
    body: parseJson(body),
    ...(dropped.length === 0 ? {} : { dropped }),
  }
}

/** Answers: case, target, dialect. */
export function answerSheets(): readonly Sheet[] {
  return (Object.keys(SAID) as AnswerCase[])
    .map((name) => ({
      file: `answers/${fileName(name)}`,
      content: Object.fromEntries(
        TARGETS.flatMap((target) => {
          const recording = RECORDED[target][name]
          if (recording === undefined) return []
          const seen = DIALECTS.map((dialect) => [dialect.dialect, answersOf(dialect, target, recording)])
          return [[target, Object.fromEntries(seen)]]
        }),
      ),
    }))
    .map(({ file, content }) => ({ file, content: withoutRepeats(content) }))
}

/** Targets of one wire format answer alike: said once. */
function withoutRepeats(content: Readonly<Record<string, unknown>>): object {
  const first = new Map<string, string>()
  return Object.fromEntries(
    Object.entries(content).map(([target, seen]) => {
      const text = JSON.stringify(seen)
      const earlier = first.get(text)
      if (earlier === undefined) first.set(text, target)
      return [target, earlier === undefined ? seen : `as ${earlier}`]
    }),
  )
}

const FACTS: AnswerFacts = {
  requestId: 'r1',
  alias: 'm',
  target: 't',
  createdEpochS: 1_764_000_000,
  includeUsage: true,
  ask: testAsk(),
  sources: [],
  isStored: false,
}

/** The stream as lines, the document as it is. */
function answersOf(
  dialect: WireDialect,
  target: ProviderName,
  recording: { readonly stream: Uint8Array; readonly whole: string },
): object {
  const encoder = dialect.streamEncoder(FACTS)
  const streaming = PROVIDERS[target].decoder(testAsk({ stream: true }))
  const streamed = encoder.push(streaming.push(recording.stream)) + encoder.push(streaming.end())
  const reading = PROVIDERS[target].decoder(testAsk())
  const whole = dialect.wholeEncoder(FACTS)
  whole.push(reading.push(Buffer.from(recording.whole)))
  whole.push(reading.end())
  const lines = streamed.split('\n').filter((line) => line.startsWith('data: '))
  return {
    stream: lines.map((line) => parseJson(line.slice('data: '.length)) ?? line),
    whole: parseJson(whole.end()),
  }
}

function orRefusal(make: () => object): object {
  try {
    return make()
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.code, says: error.message }
    throw error
  }
}

function fileName(name: string): string {
  return `${name.toLowerCase().replaceAll(' ', '-')}.json`
}

const FOLDER = fileURLToPath(new URL('.', import.meta.url))

/** A sheet as it is kept: readable, and the same on every machine. */
export function printed({ content }: Sheet): string {
  return `${inLines(content, '')}\n`
}

const MAX_LINE_CHARS = 120

/** JSON with a line for whatever fits into one. */
function inLines(value: unknown, indent: string): string {
  const flat = JSON.stringify(value)
  if (typeof value !== 'object' || value === null || flat.length + indent.length <= MAX_LINE_CHARS) return flat
  const deeper = `${indent}  `
  const isList = Array.isArray(value)
  const items = Object.entries(value).map(
    ([key, inner]) => `${deeper}${isList ? '' : `${JSON.stringify(key)}: `}${inLines(inner, deeper)}`,
  )
  const [open, close] = isList ? ['[', ']'] : ['{', '}']
  return `${open}\n${items.join(',\n')}\n${indent}${close}`
}

/** The kept sheet; empty when there is none. */
export async function kept({ file }: Sheet): Promise<string> {
  return readFile(`${FOLDER}${file}`, 'utf8').catch(() => '')
}

export async function keep(sheet: Sheet): Promise<void> {
  await writeFile(`${FOLDER}${sheet.file}`, printed(sheet))
}
