import type { CacheTtl, Effort, OutputFormat, Tool, ToolChoice } from '#contract/ask.ts'
import { type Fields, fields, list, optionalFlagOrNone, optionalText, text, wrong } from './fields.ts'
import { jsonSchema } from './json-schema.ts'

/** Parameters that several dialects have in the same form. */

const EFFORTS: readonly Effort[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']

export function effortField(value: unknown, path: string): Effort | undefined {
  if (value === undefined || value === null) return undefined
  const effort = EFFORTS.find((known) => known === value)
  if (effort === undefined) throw wrong(path, `one of ${EFFORTS.join(', ')}`)
  return effort
}

/** `{"type": "ephemeral", "ttl": "5m"}`: the mark of Anthropic's dialect, which OpenAI-compatible servers take too. */
export function cacheField(value: unknown, path: string): CacheTtl | undefined {
  if (value === undefined || value === null) return undefined
  const mark = fields(value, path)
  if (mark['type'] !== 'ephemeral') throw wrong(`${path}.type`, '`ephemeral`')
  const ttl = optionalText(mark['ttl'], `${path}.ttl`) ?? '5m'
  if (ttl !== '5m' && ttl !== '1h') throw wrong(`${path}.ttl`, '`5m` or `1h`')
  return ttl
}

/** Tools that one request may offer. */
const MAX_TOOLS = 512

export function toolsField(value: unknown, decode: (tool: Fields, path: string) => Tool): Tool[] {
  if (value === undefined || value === null) return []
  const items = list(value, 'tools')
  if (items.length > MAX_TOOLS) throw wrong('tools', `a list of at most ${MAX_TOOLS} tools, it has ${items.length}`)
  return items.map((item, at) => decode(fields(item, `tools[${at}]`), `tools[${at}]`))
}

/** `auto`, `none`, `required`, or what `nameOf` reads of an object. */
export function toolChoiceField(value: unknown, nameOf: (choice: Fields) => string): ToolChoice | undefined {
  if (value === undefined || value === null) return undefined
  if (value === 'auto' || value === 'none' || value === 'required') return value
  if (typeof value === 'string') throw wrong('tool_choice', 'auto, none, required or an object that names a function')
  return { name: nameOf(fields(value, 'tool_choice')) }
}

/** What both of OpenAI's dialects call a format; `schemaOf` says where a named schema stands. */
export function formatField(value: unknown, path: string, schemaOf: (format: Fields) => OutputFormat) {
  if (value === undefined || value === null) return undefined
  const format = fields(value, path)
  const type = text(format['type'], `${path}.type`)
  if (type === 'text') return undefined
  if (type === 'json_object') return { type: 'json' } as const
  if (type !== 'json_schema') throw wrong(`${path}.type`, 'text, json_object or json_schema')
  return schemaOf(format)
}

/** A schema with its name, as both of OpenAI's dialects give it. */
export function schemaField(given: Fields, path: string): OutputFormat {
  const description = optionalText(given['description'], `${path}.description`)
  const name = text(given['name'], `${path}.name`)
  if (!/^[a-zA-Z0-9_-]{1,64}$/.test(name)) throw wrong(`${path}.name`, 'letters, digits, `_` and `-`, at most 64')
  return {
    type: 'schema',
    name,
    schema: jsonSchema(given['schema'], `${path}.schema`),
    strict: optionalFlagOrNone(given['strict'], `${path}.strict`),
    ...(description === undefined ? {} : { description }),
  }
}
