import { CorruptCheckpointError, InvalidQueryError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import type { ColumnBatch } from '../data/column-batch.ts'
import type { Row } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import { typeText } from '../data/types.ts'
import { rowsToColumns } from '../data/values.ts'
import type { SourceProvider } from './provider.ts'
import { boundOf, type Offset, type ReadLimit, type Source } from './source.ts'

/**
 * A stream whose rows the program gives. Each call of addData or addColumns is one block; an offset is the position of a block, -1 before
 * the first. Blocks live in this process only: a query that restarts in another one over an old checkpoint finds its place again when the
 * stream is first fed the same blocks once more. Blocks that every query over the stream has committed are let go.
 */
export class MemoryStream<T extends object = Row> {
  readonly schema: Schema
  readonly #blocks: (ColumnBatch | null)[] = []
  readonly #readers = new Set<MemorySource>()
  readonly #listeners = new Set<() => void>()
  /** Blocks up to here are gone. */
  #droppedUpTo = -1

  constructor(schema: Schema) {
    this.schema = schema
  }

  /** One block of rows, checked against the schema: InvalidQueryError names the row, and then nothing is added. Gives the block's offset. */
  addData(...rows: readonly T[]): number {
    return this.#add(rowsToColumns(this.schema, rows as readonly Row[]))
  }
  /** One block that is columns already; they must be the schema's, and are not copied. */
  addColumns(batch: ColumnBatch): number {
    const [have, want] = [columnsText(batch.schema), columnsText(this.schema)]
    if (have === want && batch.columns.length === this.schema.fields.length) return this.#add(batch)
    throw new InvalidQueryError('DATATYPE_MISMATCH', {
      what: `the columns are ${have}, and the stream's schema is ${want}`,
      todo: 'give the columns of the schema, in its order',
    })
  }

  /** The offset of the newest block, -1 where there is none. */
  get latestOffset(): number {
    return this.#blocks.length - 1
  }

  /** The blocks after `start` up to `end`. */
  blocks(start: number, end: number): readonly ColumnBatch[] {
    if (end >= this.#blocks.length) {
      throw new CorruptCheckpointError('MEMORY_STREAM_BLOCKS_MISSING', {
        what: `the checkpoint has read this stream up to block ${end}, and it holds ${this.#blocks.length} blocks`,
        todo: 'add the blocks of the earlier process again, in their order, before the query starts; or start with a new checkpoint',
      })
    }
    if (start < this.#droppedUpTo) {
      throw new InvalidQueryError('MEMORY_STREAM_BLOCKS_DROPPED', {
        what: `blocks ${start + 1} to ${this.#droppedUpTo} of this stream were committed by its queries and are gone`,
        todo: 'start every query over a memory stream before the first one commits, or give each its own stream',
      })
    }
    return this.#blocks.slice(start + 1, end + 1) as ColumnBatch[]
  }

  /** Calls `listener` after each new block; gives the function that ends it. */
  onData(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A source over this stream, as a query opens it. */
  toSource(): Source {
    const source = new MemorySource(
      this,
      (reader) => this.#readers.delete(reader),
      () => this.#dropCommitted(),
    )
    this.#readers.add(source)
    return source
  }

  #add(batch: ColumnBatch): number {
    this.#blocks.push(batch)
    for (const listener of this.#listeners) listener()
    return this.latestOffset
  }

  #dropCommitted(): void {
    const upTo = Math.min(this.latestOffset, ...[...this.#readers].map((reader) => reader.committed))
    for (; this.#droppedUpTo < upTo; this.#droppedUpTo++) this.#blocks[this.#droppedUpTo + 1] = null
  }
}

/** Streams of format `memory`: the MemoryStream itself is the instance. */
export const memoryProvider: SourceProvider = {
  formats: ['memory'],
  schemaOf(_format, userSchema, options) {
    new Options('the memory source', options, [])
    if (userSchema) return userSchema
    throw new InvalidQueryError('UNABLE_TO_INFER_SCHEMA', {
      what: 'a memory stream was given no schema',
      todo: 'create it with one: new MemoryStream(schema)',
    })
  },
  async open({ instance }) {
    if (instance instanceof MemoryStream) return instance.toSource()
    throw new InvalidQueryError('MEMORY_STREAM_MISSING', {
      what: 'format "memory" was read without a MemoryStream',
      todo: 'create a MemoryStream and read from that',
    })
  },
}

class MemorySource implements Source {
  readonly schema: Schema
  readonly description: string
  readonly readLimit: ReadLimit = { kind: 'all' }
  readonly #stream: MemoryStream<never>
  readonly #onStop: (source: MemorySource) => void
  readonly #onCommit: () => void
  #frozenAt: number | undefined
  /** The last block that is never asked for again. */
  committed = -1

  constructor(stream: MemoryStream<never>, onStop: (source: MemorySource) => void, onCommit: () => void) {
    this.#stream = stream
    this.#onStop = onStop
    this.#onCommit = onCommit
    this.schema = stream.schema
    this.description = `MemoryStream[${stream.schema.names.join(',')}]`
  }

  async latestOffset(start: Offset | null, limit: ReadLimit): Promise<Offset | null> {
    const from = positionOf(start)
    const newest = Math.min(this.#frozenAt ?? Number.POSITIVE_INFINITY, this.#stream.latestOffset)
    if (newest <= from) return start
    const maxRows = boundOf(limit, 'max-rows')
    return Number.isFinite(maxRows) ? this.#endWithin(from, newest, maxRows) : newest
  }

  async rows(start: Offset | null, end: Offset): Promise<SourceBatch> {
    return { kind: 'columns', batches: this.#stream.blocks(positionOf(start), positionOf(end)) }
  }

  async commit(end: Offset): Promise<void> {
    this.committed = Math.max(this.committed, positionOf(end))
    this.#onCommit()
  }

  reportLatestOffset(): Offset | null {
    return this.#stream.latestOffset < 0 ? null : this.#stream.latestOffset
  }

  async prepareForAvailableNow(): Promise<void> {
    this.#frozenAt = this.#stream.latestOffset
  }

  async stop(): Promise<void> {
    this.#onStop(this)
  }

  /** Whole blocks, at least one. */
  #endWithin(from: number, newest: number, maxRows: number): number {
    const blocks = this.#stream.blocks(from, newest)
    let taken = 1
    for (let rows = blocks[0]!.length; taken < blocks.length; taken++) {
      rows += blocks[taken]!.length
      if (rows > maxRows) break
    }
    return from + taken
  }
}

function positionOf(offset: Offset | null): number {
  if (offset === null || offset === undefined) return -1
  if (typeof offset === 'number' && Number.isSafeInteger(offset) && offset >= -1) return offset
  throw new CorruptCheckpointError('MALFORMED_OFFSET', {
    what: `${JSON.stringify(offset)} is not an offset of a memory stream, which is the number of a block`,
    todo: 'start the query with the checkpoint that belongs to it; a source cannot change its kind',
  })
}

function columnsText(schema: Schema): string {
  return schema.fields.map((field) => `${field.name} ${typeText(field.type)}`).join(', ')
}
