// A query that is changed after its second batch: its state is migrated by whichever process comes to it first, and by those after its death.
import { join } from 'node:path'
import type { Row, StreamingQuery } from 'millrace'
import { count, type ListState, type MapState, sum, t, type ValueState } from 'millrace'
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
    {
      name: 'a processor that is changed twice: a wider field, a variable deleted, another kind of one under its name',
      input: fiveFiles,
      intoFiles: false,
      async run(place) {
        const committed = Math.max(
          -1,
          ...(await place.files.list(join(checkpoint(place), 'commits'))).map(({ name }) => Number.parseInt(name, 10) || -1),
        )
        const with_ = (files: string, make: () => unknown) =>
          start(place, read(place, fields, files).groupBy('k').transformWithState(make, { output: totalsOutput, outputMode: 'update' }))
        if (committed < 1) await with_('0[01].json', () => counting('list'))
        if (committed < 2) await with_('0[012].json', () => counting('deleted'))
        await with_('*.json', () => counting('map'))
      },
      output: (place) => latestByKey(place, (row) => String(row['k'])),
      expected: (place) => perKey(place, false).collect(),
    },
  ]
}

const totalsOutput = { k: t.string(), n: t.long(), total: t.double().nullable() }
/** Counts and sums by key. Its variable `more` is a list of the rows' numbers, then it is deleted, then a map that counts since. */
function counting(stage: 'list' | 'deleted' | 'map') {
  const isOld = stage === 'list'
  let sums: ValueState<{ n: number | bigint; total: number | null }>
  let list: ListState<number> | undefined
  let map: MapState<string, number> | undefined
  return {
    init(handle: any) {
      sums = handle.getValueState('sums', { n: isOld ? t.int() : t.long(), total: t.double().nullable() })
      if (stage === 'list') list = handle.getListState('more', t.int())
      else if (stage === 'map') map = handle.getMapState('more', t.string(), t.int())
      else handle.deleteIfExists('more')
    },
    async handleInputRows({ k }: { k: string }, rows: readonly { v: number | null }[]) {
      let { n, total } = sums.get() ?? { n: 0, total: null }
      // all rows of the first stage are in the list; in the last one the map begins as nothing
      if (list !== undefined && list.get().length !== Number(n)) return [{ k, n: -1n, total }]
      if (map !== undefined && (map.getValue('since') ?? 0) > Number(n)) return [{ k, n: -2n, total }]
      for (const { v } of rows) {
        n = Number(n) + 1
        if (v !== null) total = (total ?? 0) + v
        list?.appendValue(Number(n))
        await Promise.resolve()
      }
      map?.updateValue('since', (map.getValue('since') ?? 0) + rows.length)
      sums.update({ n: isOld ? Number(n) : BigInt(n), total })
      return [{ k, n: BigInt(n), total }]
    },
  }
}
