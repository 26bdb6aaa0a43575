import type { DuckDBType, DuckDBValue } from '@duckdb/node-api'

/** How Athena describes a column. */
export interface ColumnInfo {
  readonly CatalogName: 'hive'
  readonly SchemaName: ''
  readonly TableName: ''
  readonly Name: string
  readonly Label: string
  readonly Type: string
  readonly Precision: number
  readonly Scale: number
  readonly Nullable: 'UNKNOWN'
  readonly CaseSensitive: boolean
}

/** Types of DuckDB with those of Athena, and the precision that Athena gives for them. */
const TYPES: Readonly<Record<string, readonly [type: string, precision: number]>> = {
  BIGINT: ['bigint', 19],
  BLOB: ['varbinary', 1_073_741_824],
  BOOLEAN: ['boolean', 0],
  DATE: ['date', 0],
  DOUBLE: ['double', 17],
  FLOAT: ['float', 17],
  // Sums of whole numbers, which are bigint in Athena.
  HUGEINT: ['bigint', 19],
  INTEGER: ['integer', 10],
  SMALLINT: ['smallint', 5],
  TIMESTAMP: ['timestamp', 3],
  TIMESTAMP_MS: ['timestamp', 3],
  TIMESTAMP_NS: ['timestamp', 3],
  TINYINT: ['tinyint', 3],
  VARCHAR: ['varchar', 2_147_483_647],
}

/** Describes a column of a result. */
export function columnInfo(name: string, type: DuckDBType): ColumnInfo {
  const text = String(type)
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(text)
  const [known, precision] = TYPES[text] ?? [nested(text), 0]
  return {
    CatalogName: 'hive',
    SchemaName: '',
    TableName: '',
    Name: name,
    Label: name,
    Type: decimal === null ? known : 'decimal',
    Precision: decimal === null ? precision : Number(decimal[1]),
    Scale: decimal === null ? 0 : Number(decimal[2]),
    Nullable: 'UNKNOWN',
    CaseSensitive: known === 'varchar',
  }
}

function nested(text: string): string {
  if (text.endsWith(']')) return 'array'
  if (text.startsWith('STRUCT')) return 'row'
  return text.startsWith('MAP') ? 'map' : 'varchar'
}

/** A value as the text that Athena returns; undefined for NULL. */
export function textOfValue(value: DuckDBValue, type: DuckDBType): string | undefined {
  if (value === null) return undefined
  const name = String(type)
  if (name === 'DOUBLE' || name === 'FLOAT') return javaDouble(Number(value))
  if (name.startsWith('TIMESTAMP')) return millis(String(value))
  return inner(value)
}

/** Inside arrays, rows and maps, which are written without quotes. */
function inner(value: DuckDBValue): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return String(value)
  if ('items' in value) return `[${value.items.map(inner).join(', ')}]`
  if (!('entries' in value)) return String(value)
  const entries = Array.isArray(value.entries)
    ? value.entries.map((entry) => [inner(entry.key), inner(entry.value)])
    : Object.entries(value.entries).map(([key, each]) => [key, inner(each)])
  return `{${entries.map(([key, text]) => `${key}=${text}`).join(', ')}}`
}

/** `1.0`, `0.1`, `1.0E7`: as Java writes it, and so Athena. */
function javaDouble(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
  const size = Math.abs(value)
  if (size !== 0 && (size >= 1e7 || size < 1e-3)) {
    const [digits = '', power = ''] = value.toExponential().split('e')
    return `${digits.includes('.') ? digits : `${digits}.0`}E${power.replace('+', '')}`
  }
  return Number.isInteger(value) ? `${Object.is(value, -0) ? '-0' : value}.0` : String(value)
}

/** Athena's timestamps have three digits behind the second. */
function millis(text: string): string {
  const [whole = '', fraction = ''] = text.split('.')
  return `${whole}.${fraction.slice(0, 3).padEnd(3, '0')}`
}
