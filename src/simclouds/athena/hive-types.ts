import { AwsProblem } from '#simclouds/aws-json.ts'

const SIMPLE: Readonly<Record<string, string>> = {
  bigint: 'BIGINT',
  binary: 'BLOB',
  boolean: 'BOOLEAN',
  date: 'DATE',
  double: 'DOUBLE',
  float: 'FLOAT',
  int: 'INTEGER',
  integer: 'INTEGER',
  smallint: 'SMALLINT',
  string: 'VARCHAR',
  timestamp: 'TIMESTAMP',
  tinyint: 'TINYINT',
}

/**
 * The type of DuckDB for one of Hive's, nested ones included.
 * @throws {AwsProblem} InvalidRequestException for one that is unknown.
 */
export function duckType(hive: string): string {
  const type = hive.trim().toLowerCase()
  const simple = SIMPLE[type]
  if (simple !== undefined) return simple
  if (/^decimal(\(\d+(,\d+)?\))?$/.test(type)) return type === 'decimal' ? 'DECIMAL(10,0)' : type.toUpperCase()
  if (/^(var)?char\(\d+\)$/.test(type)) return 'VARCHAR'
  const [, outer, inner = ''] = /^(array|map|struct)<(.*)>$/.exec(type) ?? []
  if (outer === 'array') return `${duckType(inner)}[]`
  if (outer === 'map') return `MAP(${splitTypes(inner).map(duckType).join(', ')})`
  if (outer === 'struct') return `STRUCT(${splitTypes(inner).map(fieldType).join(', ')})`
  throw new AwsProblem('InvalidRequestException', `HIVE_METASTORE_ERROR: unknown type ${hive}`)
}

function fieldType(field: string): string {
  const colon = field.indexOf(':')
  return `"${field.slice(0, colon).trim()}" ${duckType(field.slice(colon + 1))}`
}

/** Splits at the commas that are in no bracket. */
function splitTypes(text: string): readonly string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]
    if (char === '<' || char === '(') depth += 1
    if (char === '>' || char === ')') depth -= 1
    if (char !== ',' || depth > 0) continue
    parts.push(text.slice(start, at))
    start = at + 1
  }
  return [...parts, text.slice(start)]
}
