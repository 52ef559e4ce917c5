// What StreamingAggregationSuite of Spark 4.2.0 expects, besides the cases of group B.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  avg,
  count,
  current_date,
  date_sub,
  expr,
  last,
  lit,
  MemoryStream,
  max,
  millrace,
  min,
  type QueryProgress,
  sum,
  t,
  timestamp_seconds,
  window,
} from 'millrace'
import {
  addData,
  advanceManualClock,
  assertNumStateRows,
  assertOnQuery,
  checkAnswer,
  checkLastBatch,
  checkNewAnswer,
  clearSink,
  editCheckpoint,
  execute,
  ManualClock,
  multiAddData,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { rows, seconds, useEngine, windowedCount } from './harness.ts'

const engine = useEngine()
const counts = (input: ReturnType<typeof seconds>) =>
  input
    .toDF()
    .groupBy('value')
    .agg(() => ({ count: count() }))

/** What the newest batch did: its id, the state's rows that it updated and left, the rows that it gave to the sink. */
const lastBatchIs = (batchId: number, updated: number, total: number, output: number) =>
  assertOnQuery(`batch ${batchId} updated ${updated} of ${total} and gave ${output}`, (query) => {
    const progress = query.recentProgress.filter(({ isIdle }) => !isIdle).at(-1)!
    const state = progress.stateOperators[0]!
    expect([
      progress.batchId,
      progress.stateOperators.length,
      state.numRowsUpdated,
      state.numRowsTotal,
      progress.sink.numOutputRows,
    ]).toEqual([batchId, 1, updated, total, output])
  })

test('state metrics - append mode', async () => {
  const input = seconds(engine())
  const clock = new ManualClock()
  await testStream(windowedCount(input, 10, 5), { clock, trigger: { kind: 'processing-time', intervalMs: 1000 } }, [
    addData(input, ...rows(15)),
    startStream(),
    checkAnswer(),
    lastBatchIs(0, 1, 1, 0),
    advanceManualClock(1000),
    checkAnswer(),
    lastBatchIs(1, 0, 1, 0),
    addData(input, ...rows(10, 12, 14)),
    advanceManualClock(1000),
    checkAnswer(),
    lastBatchIs(2, 1, 2, 0),
    addData(input, ...rows(25)),
    advanceManualClock(1000),
    checkAnswer(),
    lastBatchIs(3, 1, 3, 0),
    advanceManualClock(1000),
    checkAnswer([10, 3]),
    lastBatchIs(4, 0, 2, 1),
  ])
})

for (const outputMode of ['update', 'complete'] as const) {
  test(`state metrics - update/complete mode: ${outputMode}`, async () => {
    const input = seconds(engine())
    const values = input.toDF()
    const both = values.union(values.select(({ value }) => ({ value: value.add(1) })))
    const complete = outputMode === 'complete'
    await testStream(
      both.groupBy('value').agg(() => ({ count: count() })),
      { outputMode },
      [
        addData(input, ...rows(1)),
        checkLastBatch([1, 1], [2, 1]),
        lastBatchIs(0, 2, 2, 2),
        addData(input, ...rows(2, 3)),
        checkLastBatch(...(complete ? [[1, 1]] : []), [2, 2], [3, 2], [4, 1]),
        lastBatchIs(1, 3, 4, complete ? 4 : 3),
      ],
    )
  })
}

test('multiple keys', async () => {
  const input = seconds(engine())
  const counted = input
    .toDF()
    .groupBy(({ value }) => ({ value, next: value.add(1) }))
    .agg(() => ({ count: count() }))
  await testStream(counted, { outputMode: 'update' }, [
    addData(input, ...rows(1, 2)),
    checkLastBatch([1, 2, 1], [2, 3, 1]),
    addData(input, ...rows(1, 2)),
    checkLastBatch([1, 2, 2], [2, 3, 2]),
  ])
})

test('SPARK-29438: a stateless stream and an aggregated one in a union, over a restart', async () => {
  const [plain, counted] = [seconds(engine()), seconds(engine())]
  const both = plain
    .toDF()
    .select(({ value }) => ({ value, n: value.add(1).cast('long') }))
    .union(counts(counted).select(({ value, count }) => ({ value, n: count })))
  await testStream(both, { outputMode: 'update' }, [
    multiAddData([plain, rows(11, 12)], [counted, rows(21, 22)]),
    checkNewAnswer([11, 12], [12, 13], [21, 1], [22, 1]),
    stopStream(),
    startStream(),
    multiAddData([plain, rows(13, 14)], [counted, rows(22, 23)]),
    checkNewAnswer([13, 14], [14, 15], [22, 2], [23, 1]),
  ])
})

test('prune results by current_date, complete mode', async () => {
  const input = new MemoryStream(engine(), { day: t.long() })
  const msPerDay = 86_400_000
  const clock = new ManualClock()
  const recent = input
    .toDF()
    .select(({ day }) => ({ day, at: timestamp_seconds(day.mul(86_400)) }))
    .groupBy('day', 'at')
    .agg(() => ({ count: count() }))
    .where(({ at }) => at.cast('date').geq(date_sub(current_date(), 10)))
    .select('day', 'count')
  const add = (...days: number[]) => addData(input, ...days.map((day) => ({ day: BigInt(day) })))
  await testStream(recent, { outputMode: 'complete', clock, trigger: { kind: 'processing-time', intervalMs: 10 * msPerDay } }, [
    add(0, 5, 5, 10),
    advanceManualClock(10 * msPerDay),
    checkLastBatch([0, 1], [5, 2], [10, 1]),
    add(15, 15, 20),
    advanceManualClock(10 * msPerDay),
    checkLastBatch([10, 1], [15, 2], [20, 1]),
    add(85),
    advanceManualClock(10 * msPerDay),
    checkLastBatch([20, 1], [85, 1]),
    stopStream(),
    clearSink(),
    editCheckpoint(async (folder) => {
      const ids = (await readdir(join(folder, 'commits'))).filter((name) => /^\d+$/.test(name)).map(Number)
      await rm(join(folder, 'commits', String(Math.max(...ids))))
    }),
    execute('sixty days pass', () => clock.advance(60 * msPerDay)),
    startStream(),
    checkLastBatch([20, 1], [85, 1]),
    add(85, 90, 100, 105),
    advanceManualClock(10 * msPerDay),
    checkLastBatch([90, 1], [100, 1], [105, 1]),
  ])
})

test('SPARK-19690: a batch aggregation that a stream is joined with is no streaming one', async () => {
  const input = seconds(engine())
  const byParity = engine()
    .createDataFrame(
      [1, 2, 3, 4, 5].map((value) => ({ value })),
      { value: t.int() },
    )
    .groupBy(({ value }) => ({ parity: value.mod(lit(2)) }))
    .agg(() => ({ joinValue: count() }))
  await testStream(
    input.toDF().join(byParity, (l, r) => l.value.eq(r.parity)),
    [
      addData(input, ...rows(0, 1, 2, 3)),
      checkLastBatch([0, 0, 2], [1, 1, 3]),
      addData(input, ...rows(0, 1, 2, 3)),
      checkLastBatch([0, 0, 2], [1, 1, 3]),
    ],
  )
})

test('SPARK-21977: a global count keeps its value over batches of no rows', async () => {
  const input = seconds(engine())
  await testStream(
    input.toDF().agg(() => ({ count: count() })),
    { outputMode: 'complete' },
    [
      addData(input, ...rows(1)),
      checkLastBatch([1]),
      addData(input),
      checkLastBatch([1]),
      addData(input, ...rows(2, 3)),
      checkLastBatch([3]),
      addData(input),
      checkLastBatch([3]),
      stopStream(),
      startStream(),
      addData(input),
      checkLastBatch([3]),
    ],
  )
})

test('a global aggregation that has seen no rows has its one row from the first batch on', async () => {
  for (const outputMode of ['complete', 'update'] as const) {
    const input = seconds(engine())
    const all = input.toDF().agg(({ value }) => ({ count: count(), sum: sum(value), min: min(value) }))
    await testStream(all, { outputMode }, [addData(input), checkLastBatch([0, null, null]), assertNumStateRows({ total: 1, updated: 1 })])
  }
})

test('SPARK-21977: grouping keys of one value, with empty batches between', async () => {
  const input = seconds(engine())
  const counted = input
    .toDF()
    .groupBy(({ value }) => ({ none: value.mod(lit(1)) }))
    .agg(() => ({ count: count() }))
  await testStream(counted, { outputMode: 'complete' }, [
    addData(input, ...rows(1)),
    checkLastBatch([0, 1]),
    stopStream(),
    startStream(),
    multiAddData([input, rows(2)], [input, rows(3)], [input, rows(4)]),
    checkLastBatch([0, 4]),
    addData(input),
    checkLastBatch([0, 4]),
  ])
})

test('SPARK-22230: last should change with new batches', async () => {
  const input = seconds(engine())
  await testStream(
    input.toDF().agg(({ value }) => ({ last: last(value) })),
    { outputMode: 'complete' },
    [
      addData(input, ...rows(1, 2, 3)),
      checkLastBatch([3]),
      addData(input, ...rows(4, 5, 6)),
      checkLastBatch([6]),
      addData(input),
      checkLastBatch([6]),
      addData(input, ...rows(0)),
      checkLastBatch([0]),
    ],
  )
})

test('changing schema of state when restarting query', async () => {
  await using checkpoint = await tempFolder()
  const options = { outputMode: 'update', checkpointLocation: checkpoint.path } as const
  const first = seconds(engine())
  const byDigit = first
    .toDF()
    .groupBy(({ value }) => ({ id: value.mod(lit(10)) }))
    .agg(({ value }) => ({ sum: sum(value), avg: avg(value), max: max(value) }))
  await testStream(byDigit, options, [addData(first, ...rows(1, 11)), checkLastBatch([1, 12, 6, 11])])
  const second = seconds(engine())
  second.addData(...rows(1, 11))
  const changed = second
    .toDF()
    .groupBy(({ value }) => ({ id: value.mod(lit(10)) }))
    .agg(({ value }) => ({ sum: sum(value), avg: avg(value), max: max(value.cast('string')) }))
  await expect(testStream(changed, options, [addData(second, ...rows(21))])).rejects.toThrow(/STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE/)
})

test('SPARK-35896: metrics in StateOperatorProgress are output correctly', async () => {
  await using three = await millrace.local({ threads: 1, conf: { 'spark.sql.shuffle.partitions': 3 } })
  const isOfThree = assertOnQuery('stateStoreSave over three partitions', (query) => {
    const { operatorName, numShufflePartitions, numStateStoreInstances } = (query.lastProgress as QueryProgress).stateOperators[0]!
    expect([operatorName, numShufflePartitions, numStateStoreInstances]).toEqual(['stateStoreSave', 3, 3])
  })
  for (const outputMode of ['update', 'complete'] as const) {
    const input = seconds(three)
    const rest =
      outputMode === 'complete'
        ? [
            [3, 2],
            [2, 1],
          ]
        : []
    await testStream(counts(input), { outputMode }, [
      addData(input, ...rows(3, 2, 1, 3)),
      checkLastBatch([3, 2], [2, 1], [1, 1]),
      assertNumStateRows({ total: 3, updated: 3, droppedByWatermark: 0, removed: 0 }),
      addData(input, ...rows(1, 4)),
      checkLastBatch(...rest, [1, 2], [4, 1]),
      isOfThree,
    ])
  }
  const input = seconds(three)
  await testStream(windowedCount(input, 10, 5), [
    addData(input, ...rows(3, 2, 1, 9)),
    checkLastBatch(),
    isOfThree,
    assertNumStateRows({ total: 2, updated: 2 }),
    addData(input, ...rows(25)),
    checkLastBatch([0, 3], [5, 1]),
    assertNumStateRows({ total: 1, updated: 1, droppedByWatermark: 0, removed: 2 }),
  ])
})

test('sort after aggregate in complete mode, in update mode refused', async () => {
  const input = seconds(engine())
  await expect(testStream(counts(input).orderBy('value'), { outputMode: 'update' }, [])).rejects.toThrow(/orting|sort/)
})

test('rollup and cube of a stream, as Spark 4.2 runs them: each set of keys is a group of its own', async () => {
  const input = new MemoryStream(engine(), { a: t.string().nullable(), b: t.int() })
  await testStream(input.toDF().rollup('a', 'b').count(), { outputMode: 'complete' }, [
    addData(input, { a: 'x', b: 1 }, { a: 'x', b: 2 }, { a: null, b: 1 }),
    checkAnswer(['x', 1, 1n], ['x', 2, 1n], [null, 1, 1n], ['x', null, 2n], [null, null, 1n], [null, null, 3n]),
    stopStream(),
    startStream(),
    addData(input, { a: 'x', b: 1 }),
    checkAnswer(['x', 1, 2n], ['x', 2, 1n], [null, 1, 1n], ['x', null, 3n], [null, null, 1n], [null, null, 4n]),
    assertNumStateRows({ total: 6 }),
  ])
  const other = new MemoryStream(engine(), { a: t.string(), b: t.int() })
  const cubed = other
    .toDF()
    .cube('a', 'b')
    .agg(() => ({ n: count(), g: expr('grouping_id()') }))
  await testStream(cubed, { outputMode: 'update' }, [
    addData(other, { a: 'x', b: 1 }),
    checkNewAnswer(['x', 1, 1n, 0n], ['x', null, 1n, 1n], [null, 1, 1n, 2n], [null, null, 1n, 3n]),
    addData(other, { a: 'x', b: 2 }),
    checkNewAnswer(['x', 2, 1n, 0n], ['x', null, 2n, 1n], [null, 2, 1n, 2n], [null, null, 2n, 3n]),
  ])
})

test('a window in a rollup: append gives the windows that closed, and never the set without one', async () => {
  for (const outputMode of ['append', 'update'] as const) {
    const input = new MemoryStream(engine(), { a: t.string(), second: t.int() })
    const counts = input
      .toDF()
      .withColumn('at', ({ second }) => timestamp_seconds(second))
      .withWatermark('at', '10 seconds')
      .rollup(({ at, a }) => ({ w: window(at, '5 seconds'), a }))
      .count()
      .selectExpr('CAST(w.start AS LONG) AS start', 'a', 'count')
    await testStream(counts, { outputMode }, [
      addData(input, { a: 'x', second: 10 }, { a: 'y', second: 12 }),
      checkNewAnswer(
        ...(outputMode === 'append'
          ? []
          : [[10n, 'x', 1n] as const, [10n, 'y', 1n] as const, [10n, null, 2n] as const, [null, null, 2n] as const]),
      ),
      addData(input, { a: 'x', second: 30 }),
      checkNewAnswer(
        ...(outputMode === 'append'
          ? [[10n, 'x', 1n] as const, [10n, 'y', 1n] as const, [10n, null, 2n] as const]
          : [[30n, 'x', 1n] as const, [30n, null, 1n] as const, [null, null, 3n] as const]),
      ),
      addData(input, { a: 'x', second: 11 }), // late for both sets with the window
      checkNewAnswer(...(outputMode === 'append' ? [] : [[null, null, 4n] as const])),
      assertNumStateRows({ total: 3, droppedByWatermark: 2 }),
    ])
  }
})

test("groupBy('count').count() over a stream, which goes on after a restart", async () => {
  const checkpointLocation = await mkdtemp(join(tmpdir(), 'millrace-counts-'))
  const input = new MemoryStream(engine(), { count: t.int() })
  const seen: unknown[] = []
  for (let run = 0; run < 2; run++) {
    const counted: any = (input.toDF() as any).groupBy('count').count()
    const query = await counted
      .toDF('value', 'n')
      .writeStream.outputMode('update')
      .option('checkpointLocation', checkpointLocation)
      .foreachBatch(async (batch: any) => void seen.push(...(await batch.collect())))
      .start()
    input.addData({ count: 7 }, { count: 7 })
    await query.processAllAvailable()
    await query.stop()
  }
  await rm(checkpointLocation, { recursive: true })
  expect(seen).toEqual([
    { value: 7, n: 2n },
    { value: 7, n: 4n },
  ])
})
