import { createHash } from 'node:crypto'
import { InvalidQueryError } from '../../base/errors.ts'
import type { ColumnBatch } from '../../data/column-batch.ts'
import type { RefusedRecord } from '../../data/side-rows.ts'
import { deletionsOf, storedColumns, storedSchema } from '../../sinks/delete-column.ts'
import type { Sink, SinkBatch, SinkCommit, SinkContext, SinkGuarantee } from '../../sinks/sink.ts'
import { keyText } from '../key-text.ts'
import { rowText } from '../row-text.ts'
import { type BulkRow, bulkBytes, sendBulk } from './bulk.ts'
import { SearchClient, short } from './http.ts'
import { indexOf, isConstant } from './index-name.ts'
import { Indices } from './indices.ts'
import type { SearchSinkOptions } from './options.ts'

/** Longer ids the servers refuse. */
const maxIdBytes = 512

/**
 * Documents in Elasticsearch or OpenSearch. A row's id is made of its columns, so a batch that comes again writes the same documents; their version is the batch's number, so
 * an older batch that comes late does not replace what a newer one has written.
 */
export class SearchSink implements Sink {
  readonly description: string
  readonly guarantee: SinkGuarantee
  readonly #context: SinkContext
  readonly #options: SearchSinkOptions
  readonly #client: SearchClient
  readonly #indices: Indices
  readonly #query: string
  constructor(context: SinkContext, options: SearchSinkOptions) {
    this.#context = context
    this.#options = options
    this.#client = new SearchClient(options.connection, context.clock)
    this.#query = context.output === undefined ? context.queryId : `${context.queryId}/${context.output}`
    this.#indices = new Indices(this.#client, options, storedSchema(context.schema, options.deletes), this.#query, context.clock)
    this.description = `SearchSink[${this.#client.address}/${options.index.text}]`
    this.guarantee = options.versions && options.idColumns.length > 0 ? 'exactly-once' : 'at-least-once'
  }

  /** Asks the server, and prepares the index where it is one for all rows. */
  async open(): Promise<void> {
    const { index } = this.#options
    try {
      await this.#context.checkFence()
      if (isConstant(index)) await this.#indices.versionOf(this.#constantName(), 0)
      else await this.#client.ask('GET', '/')
    } catch (error) {
      this.#client.close()
      throw error
    }
  }

  #constantName(): string {
    const name = indexOf(this.#options.index, { schema: this.#context.schema, length: 0, columns: [] }, 0)
    if (typeof name === 'string') return name
    throw new InvalidQueryError('SEARCH_INDEX_NAME', {
      what: `index: ${name.problem}`,
      todo: 'give a name in lower case, without / * ? " < > | , # : or blanks, that does not begin with - _ + .',
    })
  }

  async addBatch({ batchId, rows, keepsDeadLetters = false }: SinkBatch): Promise<SinkCommit> {
    await this.#context.checkFence()
    const before = this.#client.retried
    const { deletes, maxBulkBytes, maxBulkRows, refresh } = this.#options
    const refused: RefusedRecord[] = []
    let [written, superseded, requests] = [0, 0, 0]
    let [bulk, bytes]: [BulkRow[], number] = [[], 0]
    const flush = async () => {
      if (bulk.length === 0) return
      const outcome = await sendBulk(this.#client, bulk, refresh)
      requests++
      written += outcome.written
      superseded += outcome.superseded
      for (const { row, message } of outcome.refused) refuse(message, row.source, row.number)
      bulk = []
      bytes = 0
    }
    const refuse = (message: string, row: string, number: number) => {
      if (!keepsDeadLetters) throw rowRefused(message, row, batchId)
      refused.push({ reason: 'SEARCH_ROW_REFUSED', message, row: number, raw: Buffer.from(row) })
    }
    let first = 0
    const copies = new Map<string, number>()
    for await (const columns of rows.chunks()) {
      const stored = storedColumns(columns, deletes)
      const isDeletionAt = deletionsOf(columns, deletes)
      for (let at = 0; at < columns.length; at++) {
        const isDeletion = isDeletionAt(at)
        const source = rowText(isDeletion ? columns : stored, at)
        const index = indexOf(this.#options.index, columns, at)
        const id = this.#idOf(columns, at, source, batchId, copies)
        if (typeof index !== 'string' || typeof id !== 'string') {
          const problem = typeof index === 'string' ? `the column ${(id as { nullKey: string }).nullKey} of its id is null` : index.problem
          refuse(problem, source, first + at)
          continue
        }
        const row = { number: first + at, index, id, version: await this.#indices.versionOf(index, batchId), source, isDeletion }
        const size = bulkBytes(row)
        if (bulk.length > 0 && (bulk.length >= maxBulkRows || bytes + size > maxBulkBytes)) await flush()
        bulk.push(row)
        bytes += size
      }
      first += columns.length
    }
    await flush()
    return {
      status: 'committed',
      numOutputRows: written + superseded,
      ...(refused.length > 0 && { refused }),
      metrics: { numRequests: String(requests), numRetries: String(this.#client.retried - before), numSuperseded: String(superseded) },
    }
  }

  /** Without columns for it the id is made of the row itself, and of how many like it came before in the batch: a batch that comes again in another order has the same ids. */
  #idOf(
    batch: ColumnBatch,
    at: number,
    source: string,
    batchId: number,
    copies: Map<string, number>,
  ): string | { readonly nullKey: string } {
    const { idColumns } = this.#options
    if (idColumns.length > 0) {
      const id = keyText(batch, idColumns, at)
      return typeof id === 'string' && Buffer.byteLength(id) > maxIdBytes ? digest(id) : id
    }
    const own = digest(`${this.#query}\n${batchId}\n${source}`)
    const copy = copies.get(own) ?? 0
    copies.set(own, copy + 1)
    return copy === 0 ? own : `${own}-${copy}`
  }

  async stop(): Promise<void> {
    this.#client.close()
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
function rowRefused(message: string, row: string, batchId: number): InvalidQueryError {
  return new InvalidQueryError('SEARCH_ROW_REFUSED', {
    what: `a row of batch ${batchId} is not taken: ${short(message)}; the row is ${short(row)}`,
    todo: 'mend or filter such rows in the query, change the mapping, or keep them as dead letters: writeStream.deadLetters(…)',
  })
}
