// A query that is changed after its second batch: its state is migrated by whichever process comes to it first, and by those after its death.
import { join } from 'node:path'
import type { Row, StreamingQuery } from 'millrace'
import { count, sum, t } from 'millrace'
import type { Input, Place, Scenario } from './scenarios.ts'

/** What they have in common with the other scenarios. */
interface Kit {
  readonly fields: object
  readonly perKey: (place: Place, isStream: boolean) => any
  readonly checkpoint: (place: Place) => string
  readonly untilDone: (query: Promise<StreamingQuery>) => Promise<void>
  readonly intoBatchFiles: (place: Place) => (rows: any, batchId: bigint) => Promise<void>
  readonly latestByKey: (place: Place, keyOf: (row: Row) => string) => Promise<Row[]>
  readonly fiveFiles: Input
}

export const migrationScenarios = ({ fields, perKey, checkpoint, untilDone, intoBatchFiles, latestByKey, fiveFiles }: Kit): Scenario[] => {
  const start = (place: Place, frame: any) =>
    untilDone(
      frame.writeStream
        .outputMode('update')
        .trigger({ availableNow: true })
        .option('checkpointLocation', checkpoint(place))
        .foreachBatch(intoBatchFiles(place))
        .start(),
    )
  const read = ({ engine, input }: Place, columns: object, files: string): any =>
    engine.readStream
      .schema(columns as { k: ReturnType<typeof t.string> })
      .options({ maxFilesPerTrigger: 1, pathGlobFilter: files })
      .json(input)
  const totals = ({ v }: any) => ({ n: count(), total: sum(v) })
  return [
    {
      name: 'an aggregation that is changed: a key and an aggregate more, keys in another order',
      input: fiveFiles,
      intoFiles: false,
      async run(place) {
        const commits = await place.files.list(join(checkpoint(place), 'commits'))
        const isSecondCommitted = commits.some(({ name }) => /^[1-9]/.test(name))
        if (!isSecondCommitted) await start(place, read(place, fields, '0[01].json').groupBy('k').agg(totals))
        const changed = read(place, { ...fields, region: t.string().nullable() }, '*.json')
          .groupBy('region', 'k')
          .agg((columns: any) => ({ ...totals(columns), since: count() }))
        await start(place, changed.select('k', 'n', 'total'))
      },
      output: (place) => latestByKey(place, (row) => String(row['k'])),
      expected: (place) => perKey(place, false).collect(),
    },
  ]
}
