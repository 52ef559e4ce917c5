import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ColumnBatch } from '../data/column-batch.ts'
import type { Row, RowSet, WriteFiles, WrittenFile } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import { columnsToRows, rowsToColumns } from '../data/values.ts'

/** A batch's rows for the test of a sink without an engine. Written as JSON lines, whatever the format says; one file for each partition. */
export class ObjectRowSet implements RowSet {
  readonly schema: Schema
  readonly #columns: ColumnBatch

  constructor(schema: Schema, rows: readonly Row[]) {
    this.schema = schema
    this.#columns = rowsToColumns(schema, rows)
  }
  async count(): Promise<number> {
    return this.#columns.length
  }
  async toObjects(): Promise<Row[]> {
    return columnsToRows(this.#columns)
  }
  async toColumns(): Promise<ColumnBatch> {
    return this.#columns
  }
  async *chunks(): AsyncIterable<ColumnBatch> {
    yield this.#columns
  }
  async consume(): Promise<void> {}

  async writeFiles({ folder, fileName, partitionBy }: WriteFiles): Promise<WrittenFile[]> {
    const partitions = Map.groupBy(columnsToRows(this.#columns), (row) =>
      partitionBy.map((name) => `${name}=${encodeURIComponent(String(row[name]))}`).join('/'),
    )
    const written: WrittenFile[] = []
    for (const [partition, rows] of partitions) {
      const path = join(partition, fileName(written.length))
      const lines = rows.map(
        (row) => `${JSON.stringify(Object.fromEntries(Object.entries(row).filter(([name]) => !partitionBy.includes(name))), plainValue)}\n`,
      )
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), lines.join(''))
      written.push({ path, sizeBytes: Buffer.byteLength(lines.join('')), numRows: rows.length })
    }
    return written
  }
}

function plainValue(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value instanceof Map) return Object.fromEntries(value)
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
}
