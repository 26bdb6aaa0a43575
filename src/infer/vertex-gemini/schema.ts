import { asList, asRecord } from '#kit/json.ts'

type Schema = Readonly<Record<string, unknown>>

/**
 * Keywords of JSON Schema that `responseJsonSchema` and `parametersJsonSchema` know, from the public SDK
 * (@google/genai 3.1.0); a schema with another one is refused as a whole.
 */
const KNOWN: ReadonlySet<string> = new Set([
  '$id',
  '$anchor',
  'type',
  'format',
  'title',
  'description',
  'enum',
  'minItems',
  'maxItems',
  'minimum',
  'maximum',
  'required',
  'propertyOrdering',
])
const ONE: ReadonlySet<string> = new Set(['items', 'additionalProperties'])
const MANY: ReadonlySet<string> = new Set(['anyOf', 'oneOf', 'prefixItems'])
const NAMED: Readonly<Record<string, string>> = { properties: 'properties', $defs: '$defs', definitions: '$defs' }

/** Nesting beyond this is cut to "anything". */
const MAX_DEPTH = 32

/** A schema in the words that Gemini knows: others are put in those, or left out where they only narrow. */
export function cleanSchema(schema: Schema): Schema {
  return clean(schema, 0)
}

function clean(value: unknown, depth: number): Schema {
  const schema = asRecord(value)
  if (schema === undefined || depth > MAX_DEPTH) return {}
  const reference = schema['$ref']
  // Nothing may stand beside a reference but what begins with `$`.
  if (typeof reference === 'string') return withDefinitions(schema, { $ref: moved(reference) }, depth)
  const cleaned: Record<string, unknown> = {}
  for (const [key, inner] of Object.entries(schema)) {
    if (KNOWN.has(key)) cleaned[key] = inner
    else if (ONE.has(key)) cleaned[key] = typeof inner === 'boolean' ? inner : clean(inner, depth + 1)
    else if (MANY.has(key)) cleaned[key] = asList(inner).map((one) => clean(one, depth + 1))
    else if (key === 'const') cleaned['enum'] = [inner]
    else if (key === 'allOf') Object.assign(cleaned, ...asList(inner).map((one) => clean(one, depth + 1)))
    else if (Object.hasOwn(NAMED, key)) cleaned[NAMED[key] ?? key] = cleanNamed(inner, depth)
  }
  return cleaned
}

function withDefinitions(schema: Schema, cleaned: Schema, depth: number): Schema {
  const definitions = schema['$defs'] ?? schema['definitions']
  return definitions === undefined ? cleaned : { ...cleaned, $defs: cleanNamed(definitions, depth) }
}

function cleanNamed(value: unknown, depth: number): Schema {
  return Object.fromEntries(
    Object.entries(asRecord(value) ?? {}).map(([name, inner]) => [name, clean(inner, depth + 1)]),
  )
}

/** Definitions stand under their newer name. */
function moved(reference: string): string {
  return reference.replace(/^#\/definitions\//, '#/$defs/')
}
