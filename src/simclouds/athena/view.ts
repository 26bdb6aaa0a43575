import type { Column, Table } from '#simclouds/glue/catalogue.ts'
import { duckType } from './hive-types.ts'
import type { TableFile } from './materialise.ts'

/** The name of a table for DuckDB. */
export function qualifiedName({ database, name }: Pick<Table, 'database' | 'name'>): string {
  return `${CATALOGUE}.${quoted(database)}.${quoted(name)}`
}

/** The catalogue's name, in SQL as in the answers. */
export const CATALOGUE = 'awsdatacatalog'

/** Reads the files of a table, its columns by name and with their types, the partition keys last. */
export function viewOf(table: Table, files: readonly TableFile[], present: readonly string[]): string {
  const { columns, partitionKeys = [] } = table
  if (files.length === 0) return `SELECT ${[...columns, ...partitionKeys].map(nothing).join(', ')} WHERE false`
  const shown = columns.map((column) => (present.includes(column.name) ? typed(table, column) : nothing(column)))
  const groups = Map.groupBy(files, ({ partition }) => partition.join('\n'))
  const selects = [...groups.values()].map((group) => {
    const values = group[0]?.partition ?? []
    const keys = partitionKeys.map(
      ({ name, type }, at) => `CAST(${text(values[at] ?? '')} AS ${duckType(type)}) AS ${quoted(name)}`,
    )
    return `SELECT ${[...shown, ...keys].join(', ')} FROM ${source(table, group)}`
  })
  return selects.join(' UNION ALL ')
}

/** The files of a table as DuckDB reads them, without types of the catalogue where the file has its own. */
export function source(table: Table, files: readonly TableFile[]): string {
  const list = `[${files.map(({ path }) => text(path)).join(', ')}]`
  switch (table.format) {
    case 'parquet':
      return `read_parquet(${list}, union_by_name=true, hive_partitioning=false)`
    case 'csv': {
      const columns = `{${table.columns.map(({ name }) => `${text(name)}: 'VARCHAR'`).join(', ')}}`
      const { delimiter = ',', headerLines = 0 } = table
      return `read_csv(${list}, columns=${columns}, auto_detect=false, header=false, skip=${headerLines}, delim=${text(delimiter)}, quote='"', escape='"', null_padding=true, strict_mode=false, hive_partitioning=false)`
    }
    case 'json': {
      const columns = `{${table.columns.map(({ name, type }) => `${text(name)}: ${text(duckType(type))}`).join(', ')}}`
      return `read_json(${list}, columns=${columns}, format='newline_delimited', hive_partitioning=false)`
    }
  }
}

function typed({ format }: Table, { name, type }: Column): string {
  const wanted = duckType(type)
  // What is no number in a line of text is NULL, as with LazySimpleSerDe.
  if (format === 'csv' && wanted !== 'VARCHAR')
    return `TRY_CAST(NULLIF(trim(${quoted(name)}), '') AS ${wanted}) AS ${quoted(name)}`
  return `CAST(${quoted(name)} AS ${wanted}) AS ${quoted(name)}`
}

function nothing({ name, type }: Column): string {
  return `CAST(NULL AS ${duckType(type)}) AS ${quoted(name)}`
}

/** A name in SQL. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}
