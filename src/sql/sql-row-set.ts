import type { Files } from '../base/files.ts'
import type { ColumnBatch } from '../data/column-batch.ts'
import type { Row, RowSet, WriteFiles, WrittenFile } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import { columnsToRows } from '../data/values.ts'
import { withStatistics } from './file-statistics.ts'
import { readColumns } from './read-vectors.ts'
import type { SqlRelation } from './relation.ts'
import type { SqlBatchRun } from './sql-batch-run.ts'
import { checkWrite, writeOne, writeParts } from './write-files.ts'

/**
 * A relation's rows. The first use runs it: `consume` and a write of files keep nothing, since a sink does one of them and no more;
 * every other use keeps the rows, as does any use after the first. (A caller that wants several writes gives a materialised relation.)
 */
export class SqlRowSet implements RowSet {
  readonly #batch: SqlBatchRun
  readonly #files: Files
  readonly #relation: SqlRelation
  #columns: ColumnBatch | undefined
  #rows: number | undefined
  #used = false
  constructor(batch: SqlBatchRun, files: Files, relation: SqlRelation) {
    this.#batch = batch
    this.#files = files
    this.#relation = relation
  }

  get schema(): Schema {
    return this.#relation.schema
  }

  async count(): Promise<number> {
    if (this.#rows !== undefined) return this.#rows
    const table = await this.#keep()
    this.#rows = table.rows ?? (await this.toColumns()).length
    return this.#rows
  }

  async toColumns(): Promise<ColumnBatch> {
    if (this.#columns) return this.#columns
    if (this.#used) await this.#keep()
    this.#used = true
    const { form } = this.#relation
    const here = form.kind === 'table' ? form.columns : undefined
    const columns = here ? this.#batch.lend(here) : readColumns(await this.#batch.select(this.#relation), this.schema)
    this.#columns = columns
    this.#rows = columns.length
    return columns
  }

  async *chunks(): AsyncIterable<ColumnBatch> {
    if (this.#columns) return yield this.#columns
    if (this.#used) await this.#keep()
    this.#used = true
    const { form } = this.#relation
    if (form.kind === 'table' && form.columns) yield this.#batch.lend(form.columns)
    else yield* this.#batch.stream(this.#relation)
  }

  async toObjects(): Promise<Row[]> {
    return columnsToRows(await this.toColumns())
  }

  async consume(): Promise<void> {
    // whoever has counted them has computed them
    if (this.#relation.form.kind === 'table' || this.#columns || this.#rows !== undefined) return
    if (this.#used) await this.#keep()
    this.#used = true
    this.#rows = await this.#batch.consume(this.#relation)
  }

  async writeFiles(write: WriteFiles): Promise<WrittenFile[]> {
    checkWrite(this.schema, write)
    const inParts = write.partitionBy.length > 0 || write.bounds !== undefined
    if (this.#used) await this.#keep()
    this.#used = true
    const written = inParts
      ? await writeParts(this.#batch, this.#files, this.#relation, write)
      : await writeOne(this.#batch, this.#files, this.#relation, write)
    this.#rows = written.reduce((sum, file) => sum + file.numRows, 0)
    return write.statistics ? withStatistics(this.#batch.session, write.folder, written) : written
  }

  /** Makes the relation a table: of the columns that came out already, or by running it. */
  async #keep(): Promise<{ rows: number | undefined }> {
    this.#used = true
    if (this.#relation.form.kind !== 'table') {
      if (this.#columns) this.#relation.form = (await this.#batch.load(this.#columns)).form
      else await this.#batch.materialize(this.#relation)
    }
    const { form } = this.#relation
    return { rows: form.kind === 'table' ? form.rows : undefined }
  }
}
