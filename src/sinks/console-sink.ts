import { Options } from '../base/options.ts'
import type { Row } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import { showTable } from '../data/show-table.ts'
import { queryOptions } from './file-sink-options.ts'
import type { Sink, SinkBatch, SinkCommit, SinkProvider } from './sink.ts'

/** `console`: prints each batch as Spark does, up to numRows (20) rows, cells cut at 20 characters unless truncate is false. Promises nothing over a crash. */
export const consoleSinkProvider: SinkProvider = {
  formats: ['console'],
  outputModes: ['append', 'update', 'complete'],
  allowsTemporaryCheckpoint: true,
  async open({ options: given, schema, print, conf }) {
    const options = new Options('the console sink', given, [...queryOptions, 'numRows', 'truncate'])
    return new ConsoleSink(
      schema,
      print,
      options.wholeNumber('numRows', 0) ?? 20,
      options.flag('truncate', true) ? 20 : 0,
      conf('spark.sql.session.timeZone'),
    )
  },
}

class ConsoleSink implements Sink {
  readonly description: string
  readonly guarantee = 'none'
  readonly #schema: Schema
  readonly #print: (text: string) => void
  readonly #numRows: number
  readonly #truncate: number
  readonly #timeZone: string | undefined

  constructor(schema: Schema, print: (text: string) => void, numRows: number, truncate: number, timeZone: string | undefined) {
    this.#schema = schema
    this.#print = print
    this.#numRows = numRows
    this.#truncate = truncate
    this.#timeZone = timeZone
    this.description = `ConsoleSink[numRows=${numRows}, truncate=${truncate > 0}]`
  }

  async addBatch({ batchId, rows }: SinkBatch): Promise<SinkCommit> {
    const objects: readonly Row[] = await rows.toObjects()
    const line = '-------------------------------------------'
    const table = showTable(this.#schema, objects, {
      numRows: this.#numRows,
      truncate: this.#truncate,
      ...(this.#timeZone !== undefined && { timeZone: this.#timeZone }),
    })
    this.#print(`${line}\nBatch: ${batchId}\n${line}\n${table}`)
    return { status: 'committed', numOutputRows: objects.length }
  }
  async stop(): Promise<void> {}
}
