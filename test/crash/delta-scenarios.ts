// Scenarios into Delta tables, whose log says which batches they have.
import type { Row, StreamingQuery } from 'millrace'
import { cleanLog } from '../../src/delta/clean-log.ts'
import { DeltaTable } from '../../src/delta/index.ts'
import { TableState } from '../../src/delta/table-state.ts'
import type { Input, Place, Scenario } from './scenarios.ts'

/** What they have in common with the other scenarios. */
interface Kit {
  readonly windowed: (place: Place) => any
  readonly windowedTable: (place: Place) => any
  readonly perKey: (place: Place, isStream: boolean) => any
  readonly checkpoint: (place: Place) => string
  readonly out: (place: Place) => string
  readonly untilDone: (query: Promise<StreamingQuery>) => Promise<void>
  readonly availableNow: { readonly availableNow: true }
  readonly fiveFiles: Input
}

/** The newest batch of a query that a table has; -1 before the first. */
export async function newestDeltaBatch({ files }: Place, table: string): Promise<number> {
  const state = new TableState(files, table)
  await state.refresh()
  return Math.max(-1, ...state.transactions.values())
}

export const deltaScenarios = ({
  windowed,
  windowedTable,
  perKey,
  checkpoint,
  out,
  untilDone,
  availableNow,
  fiveFiles,
}: Kit): Scenario[] => {
  /** The column by which perKey groups. */
  const keyOf = (place: Place): string => perKey(place, false).columns[0]
  const intoDelta = (frame: any, outputMode: string, place: Place, options: Record<string, string> = {}) =>
    untilDone(
      frame.writeStream
        .outputMode(outputMode)
        .format('delta')
        .trigger(availableNow)
        .option('checkpointLocation', checkpoint(place))
        .options(options)
        .start(out(place)),
    )
  /** Merges each batch by its key, and does something after it. */
  const mergeInto = (
    place: Place,
    properties: Record<string, string>,
    after: (table: DeltaTable, batchId: bigint) => Promise<void>,
  ): Promise<void> =>
    untilDone(
      perKey(place, true)
        .writeStream.outputMode('update')
        .trigger(availableNow)
        .option('checkpointLocation', checkpoint(place))
        .foreachBatch(async (rows: any, batchId: bigint) => {
          await rows.limit(0).write.format('delta').mode('ignore').options(properties).save(out(place))
          const table = DeltaTable.forPath(place.engine, out(place))
          await table
            .alias('t')
            .merge(rows.alias('s'), `t.${keyOf(place)} <=> s.${keyOf(place)}`)
            .whenMatchedUpdateAll()
            .whenNotMatchedInsertAll()
            .option('txnAppId', 'merges')
            .option('txnVersion', batchId)
            .execute()
          await after(table, batchId)
        })
        .start(),
    )
  const output = async (place: Place): Promise<Row[]> => {
    if ((await newestDeltaBatch(place, out(place))) < 0) return []
    return (await place.engine.read.format('delta').load(out(place))).collect()
  }
  return [
    {
      name: 'windowed aggregation, append, into delta',
      input: fiveFiles,
      intoFiles: false,
      intoDelta: true,
      run: (place) => intoDelta(windowed(place), 'append', place),
      output,
      expected: (place) => windowedTable(place).collect(),
    },
    {
      name: 'plain aggregation, complete, into delta',
      input: fiveFiles,
      intoFiles: false,
      intoDelta: true,
      run: (place) => intoDelta(perKey(place, true), 'complete', place),
      output,
      expected: (place) => perKey(place, false).collect(),
    },
    {
      name: 'plain aggregation, update, into delta by key',
      input: fiveFiles,
      intoFiles: false,
      intoDelta: true,
      run: (place) => intoDelta(perKey(place, true), 'update', place, { key: keyOf(place) }),
      output,
      expected: (place) => perKey(place, false).collect(),
    },
    {
      name: 'merges by deletion vectors in foreachBatch, with optimize between them, into delta',
      input: fiveFiles,
      intoFiles: false,
      intoDelta: true,
      run: (place) =>
        mergeInto(place, { 'delta.enableDeletionVectors': 'true' }, async (table, batchId) => {
          if (batchId % 2n === 1n) await table.optimize().executeCompaction()
        }),
      output,
      expected: (place) => perKey(place, false).collect(),
    },
    {
      name: 'merges in foreachBatch, with checkpoints of the log and its cleaning between them, into delta',
      input: fiveFiles,
      intoFiles: false,
      intoDelta: true,
      run: (place) =>
        mergeInto(place, { 'delta.checkpointInterval': '2', 'delta.logRetentionDuration': 'interval 1 days' }, async () => {
          const state = new TableState(place.files, out(place))
          await state.refresh()
          // as if all commits were of days ago
          await cleanLog(place.files, { table: out(place), metadata: state.metadata! }, Date.now() + 3 * 24 * 3_600_000)
        }),
      output,
      expected: (place) => perKey(place, false).collect(),
    },
  ]
}
