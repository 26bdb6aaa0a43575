import type { CacheTtl, Effort, OutputFormat } from '#contract/ask.ts'
import { type Fields, fields, optionalFlagOrNone, optionalText, text, wrong } from './fields.ts'
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
