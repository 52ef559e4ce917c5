import { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import type { RowsNeeded } from '../sources/source.ts'
import type { KafkaCluster } from './cluster.ts'
import { codecsOf } from './codecs.ts'
import type { Fetcher, OffsetRange, OnLost } from './fetcher.ts'
import { JsonLines } from './json-lines.ts'
import { partitionOf, sortedKeys, topicOf } from './offsets.ts'
import { decodeBatches, type RecordTarget } from './record-batch.ts'
import { type RecordColumn, RecordColumns } from './record-columns.ts'
import type { KafkaSourceOptions } from './source-options.ts'

/** What reading works with. */
export interface ReadContext {
  readonly fetcher: Fetcher
  readonly cluster: KafkaCluster
  readonly options: Pick<KafkaSourceOptions, 'readCommitted' | 'checkCrcs'>
  readonly schema: Schema
  readonly needed: RowsNeeded | undefined
  readonly onLost: OnLost
}

/** The records of ranges of offsets as rows: those columns that are needed, and JSON values as lines of a file where only their fields are. */
export async function readRanges(ranges: readonly OffsetRange[], context: ReadContext): Promise<SourceBatch> {
  const { schema, needed } = context
  const positions = schema.fields.flatMap((_, i) => (needed === undefined || needed.columns.has(i) ? [i] : []))
  const own = new Schema(positions.map((i) => schema.fields[i]!))
  const columns = new RecordColumns(new Set(own.names as RecordColumn[]))
  const lines = needed?.json ? await JsonLines.open() : undefined
  try {
    await decodeAll(ranges, context, columns, lines && own.fields.length > 0 ? new Both(lines, columns) : (lines ?? columns), lines)
    const batch = columns.finish(own)
    if (!lines) return { kind: 'columns', batches: [batch], ...(own.fields.length === schema.fields.length ? {} : { positions }) }
    const written = await lines.finish()
    return {
      kind: 'json-values',
      file: written,
      numRows: lines.rows,
      fields: needed!.json!.fields,
      columns: own.fields.length > 0 ? { batch, positions } : null,
      release: () => lines.release(),
    }
  } catch (error) {
    await lines?.release()
    throw error
  }
}

async function decodeAll(
  ranges: readonly OffsetRange[],
  { fetcher, cluster, options, onLost }: ReadContext,
  columns: RecordColumns,
  target: RecordTarget,
  lines: JsonLines | undefined,
): Promise<void> {
  const codecs = codecsOf(cluster.library)
  const byKey = new Map(ranges.map((range) => [range.key, range]))
  const inOrder = sortedKeys(byKey.keys()).map((key) => byKey.get(key)!)
  await fetcher.read(
    inOrder.filter(({ from, until }) => from < until),
    async ({ key, from, until }, chunk) => {
      columns.startPartition(topicOf(key), partitionOf(key))
      const aborted = options.readCommitted ? chunk.aborted : null
      decodeBatches(chunk.records, { from, until, aborted, checkCrc: options.checkCrcs, where: key }, codecs, target)
      await lines?.write()
    },
    onLost,
  )
}

/** Both get every record. The lines come last: they write over what lies between the values. */
class Both implements RecordTarget {
  readonly overwrites = true
  readonly takesTimestamps: boolean
  readonly #lines: JsonLines
  readonly #columns: RecordColumns
  constructor(lines: JsonLines, columns: RecordColumns) {
    this.takesTimestamps = columns.takesTimestamps
    this.#lines = lines
    this.#columns = columns
  }
  begin(buffer: Buffer, start: number, headEnd: number, isLogAppendTime: boolean): void {
    this.#columns.begin(buffer, start, headEnd, isLogAppendTime)
    this.#lines.begin(buffer, start, headEnd)
  }
  add(
    offset: number,
    timestampMs: number,
    recordStart: number,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
    recordEnd: number,
  ): void {
    this.#columns.add(offset, timestampMs, recordStart, keyStart, keyEnd, valueStart, valueEnd)
    this.#lines.add(offset, timestampMs, recordStart, keyStart, keyEnd, valueStart, valueEnd, recordEnd)
  }
  pass(): void {}
  end(): void {
    this.#columns.end()
    this.#lines.end()
  }
}
