import { z } from 'zod'

const schemaShape = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  items: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
})

const MAX_DEPTH = 6
const PLACEHOLDER = /<[A-Z][A-Z_]*_?[0-9a-zA-Z]*>/g

/** A value that meets a JSON Schema of the usual kind, with strings taken from the text. */
export function fillSchema(schema: unknown, text: string): unknown {
  return fill(schema, '', text, 0)
}

function fill(schema: unknown, name: string, text: string, depth: number): unknown {
  const read = schemaShape.safeParse(schema)
  if (!read.success || depth > MAX_DEPTH) return text
  const { enum: values, items, properties } = read.data
  if (values !== undefined) return pick(values, text)
  switch (typeOf(read.data)) {
    case 'object':
      return Object.fromEntries(
        Object.entries(properties ?? {}).map(([key, inner]) => [key, fill(inner, key, text, depth + 1)]),
      )
    case 'array':
      return [fill(items ?? {}, name, text, depth + 1)]
    case 'number':
      return Number(/-?\d+(\.\d+)?/.exec(text)?.[0] ?? 0)
    case 'integer':
      return Number(/\d+/.exec(text)?.[0] ?? 0)
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return stringFor(name, text)
  }
}

function typeOf(schema: z.infer<typeof schemaShape>): string {
  const { type } = schema
  if (Array.isArray(type)) return type.find((each) => each !== 'null') ?? 'null'
  return type ?? (schema.properties === undefined ? 'string' : 'object')
}

function pick(values: readonly unknown[], text: string): unknown {
  const asked = text.toLowerCase()
  return values.find((value) => typeof value === 'string' && asked.includes(value.toLowerCase())) ?? values[0]
}

/** A placeholder that the name points at, else quoted words, else any placeholder, else the whole text. */
function stringFor(name: string, text: string): string {
  const placeholders = text.match(PLACEHOLDER) ?? []
  const hint = name.toUpperCase().replaceAll(/[^A-Z]/g, '')
  const pointed = placeholders.find((each) => hint !== '' && each.replaceAll(/[^A-Z]/g, '').includes(hint))
  const quoted = /"([^"]+)"|“([^”]+)”/.exec(text)
  return pointed ?? quoted?.[1] ?? quoted?.[2] ?? placeholders[0] ?? text
}
