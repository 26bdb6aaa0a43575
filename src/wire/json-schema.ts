import { type Fields, fields, list, text, wrong } from './fields.ts'

const TYPES = new Set(['array', 'boolean', 'integer', 'null', 'number', 'object', 'string'])
/** Keys that hold one schema, several by name, or a list of them. */
const ONE = ['items', 'additionalProperties', 'not'] as const
const NAMED = ['properties', '$defs', 'definitions', 'patternProperties'] as const
const SEVERAL = ['anyOf', 'oneOf', 'allOf', 'prefixItems'] as const

/**
 * A JSON Schema as far as its own form goes: what no target could read is refused here, with its place. What a schema
 * says beyond is for the target to take or not.
 */
export function jsonSchema(value: unknown, path: string): Fields {
  const schema = fields(value, path)
  checkType(schema['type'], `${path}.type`)
  if (schema['required'] !== undefined)
    list(schema['required'], `${path}.required`).forEach((item, at) => text(item, `${path}.required[${at}]`))
  if (schema['enum'] !== undefined) list(schema['enum'], `${path}.enum`)
  for (const key of ONE) if (isSchema(schema[key])) jsonSchema(schema[key], `${path}.${key}`)
  for (const key of NAMED) {
    if (schema[key] === undefined) continue
    const named = fields(schema[key], `${path}.${key}`)
    for (const name in named) if (isSchema(named[name])) jsonSchema(named[name], `${path}.${key}.${name.slice(0, 64)}`)
  }
  for (const key of SEVERAL) {
    if (schema[key] === undefined) continue
    list(schema[key], `${path}.${key}`).forEach((item, at) => {
      if (isSchema(item)) jsonSchema(item, `${path}.${key}[${at}]`)
    })
  }
  return schema
}

/** `true` and `false` are schemas too. */
function isSchema(value: unknown): boolean {
  return value !== undefined && typeof value !== 'boolean'
}

function checkType(type: unknown, path: string): void {
  if (type === undefined) return
  const named: readonly unknown[] = Array.isArray(type) ? type : [type]
  const isKnown = named.length > 0 && named.every((item) => typeof item === 'string' && TYPES.has(item))
  if (!isKnown) throw wrong(path, `one of ${[...TYPES].join(', ')}, or a list of them`)
}
