import { readFile } from 'node:fs/promises'
import { asCount, asList, asRecord, asText, parseJson } from '#kit/json.ts'
import { spansOf } from '#observe/trace.ts'
import { code, pageHead, table } from './generate-markdown.ts'
import { SAMPLE_ENTRY } from './generate-sample.ts'

const KINDS: Readonly<Record<number, string>> = { 1: 'internal', 2: 'server', 3: 'client' }

/** Names and attributes of the spans that one request becomes. */
export async function spansPage(): Promise<string> {
  const stages = await stageNames()
  const spans = readSpans(spansOf(SAMPLE_ENTRY))
  const [root, stage] = spans
  const remote = spans.find(({ name }) => name === SAMPLE_ENTRY.remote[0]?.stage)
  const crossing = spans.find(({ kind }) => KINDS[kind] === 'client')
  if (root === undefined || stage === undefined || remote === undefined || crossing === undefined)
    throw new Error('the sample entry makes no trace')
  const lead = [
    'One trace a request, made at its end from the audit entry and exported by OTLP/HTTP in JSON when `observe.otlp` is set. Names follow the OpenTelemetry conventions for generative AI where they have one; our own begin with `thinplane.`. No attribute holds text of a prompt or an answer.',
    "The trace id is that of the caller's `traceparent` when there was one. A block by policy or guard is the plane doing its work, so its span is no error.",
  ].join('\n\n')
  return [
    pageHead('Spans', 'src/observe/trace.ts', lead),
    section('The request', '`chat ALIAS`, such as', root),
    section('Stages', `One child each, named as the stage: ${stages.map(code).join(', ')}. For example`, stage),
    section(
      'Stages of the data plane',
      'What it reported of its own work in the answer, moved onto our clock. For example',
      remote,
    ),
    section(
      'Crossings',
      '`crossing LAYER` for each call that left for another cloud, of layer `identity`, `safety`, `data`, `inference`. Its span id went out in `traceparent`. For example',
      crossing,
    ),
  ].join('\n')
}

interface ShownSpan {
  readonly name: string
  readonly kind: number
  readonly attributes: readonly { readonly key: string; readonly type: string }[]
}

/** OTLP's JSON says the type of a value by the name of its field. */
const TYPES: Readonly<Record<string, string>> = {
  stringValue: 'text',
  boolValue: 'boolean',
  intValue: 'whole number',
  doubleValue: 'double',
}

function readSpans(text: string): ShownSpan[] {
  return asList(parseJson(`[${text}]`)).map((item) => {
    const span = asRecord(item) ?? {}
    const attributes = asList(span['attributes']).map((attribute) => {
      const { key, value } = asRecord(attribute) ?? {}
      const [field = ''] = Object.keys(asRecord(value) ?? {})
      return { key: asText(key) ?? '', type: TYPES[field] ?? field }
    })
    return { name: asText(span['name']) ?? '', kind: asCount(span['kind']), attributes }
  })
}

function section(title: string, lead: string, { name, kind, attributes }: ShownSpan): string {
  const rows = attributes.map(({ key, type }) => [code(key), type])
  return `## ${title}\n\n${lead} ${code(name)}; kind ${KINDS[kind] ?? String(kind)}.\n\n${table(['Attribute', 'Type'], rows)}`
}

/** The stages in the order of the journey, and the stream behind them. */
async function stageNames(): Promise<string[]> {
  const journey = await readFile(new URL('../src/journey.ts', import.meta.url), 'utf8')
  const names = [...journey.matchAll(/recorder\s*\.stage(?:Now)?\(\s*'([a-z]+)'/g)].map(([, name = '']) => name)
  return [...new Set(names), 'stream']
}
