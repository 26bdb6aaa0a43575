import { loadPackage } from '#dataplane/heavy.ts'
import { flatten, leafText } from './flatten.ts'
import { ParseError } from './parsed.ts'
import type { ParsedDocument } from './parsed.ts'
import { PartBuilder } from './part-builder.ts'
import type { ByteSource } from './source.ts'

/** Rows that are decoded at once; a hostile file packs millions into a few bytes. */
const MAX_ROWS_AT_ONCE = 10_000
/** Unpacked bytes that are decoded at once; as values of JavaScript they take several times that. */
const MAX_BYTES_AT_ONCE = 32 * 1024 * 1024
/** Packed bytes of a row group: its columns are read whole when the file has no page index. */
const MAX_GROUP_BYTES = 512 * 1024 * 1024
/** The description of the columns and row groups at the end of the file. */
const MAX_FOOTER_BYTES = 32 * 1024 * 1024

/**
 * Rows of a Parquet file, read by ranges.
 *
 * @throws {ParseError} `corrupt`, or `too-large` for a row group that does not fit into memory.
 */
export async function* parseParquet(source: ByteSource): AsyncGenerator<ParsedDocument> {
  await assertFooter(source)
  const parquet = await loadPackage('hyparquet', () => import('hyparquet'))
  const { compressors } = await loadPackage('hyparquet-compressors', () => import('hyparquet-compressors'))
  const file = {
    byteLength: source.size,
    slice: async (start: number, end?: number) => (await source.read(start, end ?? source.size)).buffer,
  }
  const builder = new PartBuilder()
  try {
    const metadata = await parquet.parquetMetadataAsync(file)
    let record = 0
    for (const { rowStart, rowEnd } of ranges(metadata.row_groups)) {
      const rows: readonly unknown[] = await parquet.parquetReadObjects({
        file,
        metadata,
        compressors,
        rowStart,
        rowEnd,
        useOffsetIndex: true,
      })
      for (const row of rows) {
        record += 1
        const line = flatten(row).map(leafText).join('; ')
        if (line !== '') builder.record(record, line)
        if (builder.isFull) yield builder.take()
      }
    }
  } catch (error) {
    if (error instanceof ParseError) throw error
    throw new ParseError('corrupt', 'the Parquet file can not be read', error)
  }
  yield builder.take()
}

interface RowGroup {
  readonly num_rows: bigint
  readonly total_byte_size: bigint
  readonly total_compressed_size?: bigint
}

function* ranges(groups: readonly RowGroup[]): Generator<{ readonly rowStart: number; readonly rowEnd: number }> {
  let groupStart = 0
  for (const group of groups) {
    const rows = Number(group.num_rows)
    const bytes = Number(group.total_byte_size)
    if (Number(group.total_compressed_size ?? 0n) > MAX_GROUP_BYTES) {
      throw new ParseError(
        'too-large',
        `a row group is larger than ${MAX_GROUP_BYTES / 1024 / 1024} MB: write smaller ones`,
      )
    }
    const fitting = bytes > 0 ? Math.floor((rows * MAX_BYTES_AT_ONCE) / bytes) : rows
    const step = Math.max(1, Math.min(MAX_ROWS_AT_ONCE, fitting))
    for (let at = 0; at < rows; at += step) {
      yield { rowStart: groupStart + at, rowEnd: groupStart + Math.min(rows, at + step) }
    }
    groupStart += rows
  }
}

/** The last eight bytes: the length of the footer, and the mark. */
async function assertFooter(source: ByteSource): Promise<void> {
  const tail = Buffer.from(await source.read(Math.max(0, source.size - 8), source.size))
  const mark = tail.subarray(4).toString('latin1')
  if (mark === 'PARE') throw new ParseError('encrypted', 'the Parquet file is encrypted')
  const bytes = tail.length === 8 ? tail.readUInt32LE(0) : 0
  if (mark !== 'PAR1' || bytes === 0 || bytes + 8 > source.size) {
    throw new ParseError('corrupt', 'the Parquet file ends in the middle')
  }
  if (bytes > MAX_FOOTER_BYTES) throw new ParseError('too-large', 'the Parquet file describes too many columns')
}
