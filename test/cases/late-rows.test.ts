// The side output of late rows: what goes there, for every step with state, and that books and metric agree with it.
import {
  count,
  type DataFrame,
  lit,
  MemoryStream,
  type QueryProgress,
  type StreamFrame,
  session_window,
  t,
  timestamp_seconds,
  when,
  window,
} from 'millrace'
import { describe, expect, test } from 'vitest'
import { rows, seconds, useEngine } from './harness.ts'

const engine = useEngine()

type Late = { batchId: bigint; rows: Record<string, unknown>[] }
/** Runs blocks one batch each; gives the late rows by batch, in plain values, and the progresses. */
async function run(
  input: { addData(...rows: never[]): unknown },
  frame: StreamFrame<any, any>,
  blocks: readonly (() => void)[],
  columns: object = { value: t.int() },
  mode: 'append' | 'update' = 'append',
) {
  const late: Late[] = []
  const progresses: QueryProgress[] = []
  const query = await (frame.writeStream as any)
    .outputMode(mode)
    .format('noop')
    .lateRows(columns, (out: DataFrame<any>) =>
      out.output.foreachBatch(async (found, batchId) => {
        late.push({ batchId, rows: (await found.collect()).map(plain) })
      }),
    )
    .start()
  for (const add of blocks) {
    add()
    await query.processAllAvailable()
  }
  progresses.push(...query.recentProgress.filter((each: QueryProgress) => !each.isIdle))
  await query.stop()
  void input
  return { late: late.filter(({ rows }) => rows.length > 0), batches: late.length, progresses }
}
function plain(row: Record<string, unknown>): Record<string, unknown> {
  const second = (value: unknown) => (value === null ? null : Number((value as { epochMilliseconds: number }).epochMilliseconds) / 1000)
  return {
    ...row,
    ...('_event_time' in row
      ? { _event_time: second(row['_event_time']), _watermark: second(row['_watermark']), _batch_id: Number(row['_batch_id']) }
      : {}),
  }
}
const metric = (progresses: readonly QueryProgress[], at = 0) =>
  progresses.map((progress) => progress.stateOperators[at]!.customMetrics['numLateInputRows'])
const sum = (numbers: readonly (number | undefined)[]) => numbers.reduce<number>((total, each) => total + (each ?? 0), 0)
function expectBalance(progresses: readonly QueryProgress[]): void {
  for (const { books } of progresses)
    for (const { rowsIn, rowsOn, lateRows, deadLetters } of books!) expect(rowsOn + lateRows + deadLetters).toBe(rowsIn)
}

const timed = (input: ReturnType<typeof seconds>) =>
  input
    .toDF()
    .withColumn('at', ({ value }) => timestamp_seconds(value))
    .withWatermark('at', '10 seconds')

test('a tumbling window: each late row, though Spark counts the group once', async () => {
  const input = seconds(engine())
  const frame = timed(input)
    .groupBy(({ at }) => ({ w: window(at, '5 seconds') }))
    .agg(() => ({ n: count() }))
  const { late, progresses } = await run(input, frame, [
    () => input.addData(...rows(10, 11, 12, 25)),
    () => input.addData(...rows(10, 11, 26, 12)),
  ])
  expect(late).toEqual([
    {
      batchId: 2n,
      rows: expect.arrayContaining(
        [10, 11, 12].map((value) => ({
          value,
          _reason: 'late',
          _operator_id: 0,
          _operator_name: 'stateStoreSave',
          _side: null,
          _event_time: value,
          _watermark: 15,
          _late_windows: 1,
          _partly: false,
          _batch_id: 2,
        })),
      ),
    },
  ])
  expect(sum(metric(progresses))).toBe(3)
  expect(progresses.reduce((total, each) => total + each.stateOperators[0]!.numRowsDroppedByWatermark, 0)).toBe(1)
  expectBalance(progresses)
  expect(progresses[2]!.books).toEqual([{ at: 'stateStoreSave 0', rowsIn: 4, rowsOn: 1, lateRows: 3, deadLetters: 0 }])
  expect(progresses[2]!.sideOutputs).toMatchObject({ lateRows: { description: 'Outputs[lateRows: ForeachBatchSink]' } })
})

test('the metric counts input rows where no side output was asked for', async () => {
  const input = seconds(engine())
  const query = await timed(input)
    .groupBy(({ at }) => ({ w: window(at, '5 seconds') }))
    .agg(() => ({ n: count() }))
    .writeStream.format('noop')
    .start()
  input.addData(...rows(10, 11, 12, 25))
  await query.processAllAvailable()
  input.addData(...rows(10, 11, 26, 12))
  await query.processAllAvailable()
  const done = query.recentProgress.filter(({ isIdle }) => !isIdle)
  expect(sum(metric(done))).toBe(3)
  expect(done.every(({ books, sideOutputs }) => books === undefined && sideOutputs === undefined)).toBe(true)
  await query.stop()
})

test('sliding windows: a row once, with how many of its windows were late and whether others took it', async () => {
  const input = seconds(engine())
  const frame = timed(input)
    .groupBy(({ at }) => ({ w: window(at, '10 seconds', '5 seconds') }))
    .agg(() => ({ n: count() }))
  const { late, progresses } = await run(
    input,
    frame,
    [() => input.addData(...rows(28)), () => input.addData(...rows(14, 4, 21))],
    undefined,
    'update',
  )
  // watermark 18: of 14 the window [5, 15) is late and [10, 20) is not; of 4 all three are
  const found = late[0]!.rows.map(({ value, _late_windows, _partly }) => ({ value, _late_windows, _partly }))
  expect(found).toHaveLength(2)
  expect(found).toEqual(
    expect.arrayContaining([
      { value: 14, _late_windows: 1, _partly: true },
      { value: 4, _late_windows: 2, _partly: false },
    ]),
  )
  expect(sum(metric(progresses))).toBe(2)
  expectBalance(progresses)
  expect(progresses.at(-1)!.books ?? progresses.at(-2)!.books).toBeDefined()
  expect(progresses.find(({ numInputRows }) => numInputRows === 3)!.books).toEqual([
    { at: 'stateStoreSave 0', rowsIn: 3, rowsOn: 2, lateRows: 1, deadLetters: 0 },
  ])
})

test.each(['dropDuplicates', 'dropDuplicatesWithinWatermark'] as const)('%s', async (method) => {
  const input = seconds(engine())
  const frame =
    method === 'dropDuplicates' ? timed(input).dropDuplicates(['value', 'at']) : timed(input).dropDuplicatesWithinWatermark(['value'])
  const { late, progresses } = await run(input, frame, [
    () => input.addData(...rows(10, 11, 25)),
    () => input.addData(...rows(10, 15, 16, 16)),
  ])
  expect(
    late
      .flatMap((each) => each.rows)
      .map(({ value, _event_time, _watermark }) => [value, _event_time, _watermark])
      .sort(),
  ).toEqual([
    [10, 10, 15],
    [15, 15, 15],
  ])
  expect(sum(metric(progresses))).toBe(2)
  expectBalance(progresses)
})

test.each(['inner', 'left'] as const)('a %s join: each side has its own', async (how) => {
  const [a, b] = [seconds(engine()), seconds(engine())]
  const left = timed(a)
  const right = timed(b).select(({ value, at }) => ({ other: value, otherAt: at }))
  const frame = left.join(
    right,
    (l, r) => l.value.eq(r.other).and(r.otherAt.between(l.at.minus('5 seconds'), l.at.plus('5 seconds'))),
    how as 'inner',
  )
  const { late, progresses } = await run(
    a,
    frame,
    [
      () => {
        a.addData(...rows(10, 30))
        b.addData(...rows(10, 30))
      },
      () => {
        a.addData(...rows(12, 21))
        b.addData(...rows(13, 14, 22))
      },
    ],
    { value: t.int().nullable(), other: t.int().nullable() },
  )
  expect(
    late
      .flatMap((each) => each.rows)
      .map(({ _side, value, other }) => [_side, value, other])
      .sort(),
  ).toEqual([
    ['left', 12, null],
    ['right', null, 13],
    ['right', null, 14],
  ])
  expect(sum(metric(progresses))).toBe(3)
  expectBalance(progresses)
  expect(progresses.find(({ numInputRows, batchId }) => numInputRows > 0 && batchId > 0)!.books).toEqual([
    { at: 'symmetricHashJoin 0 left', rowsIn: 2, rowsOn: 1, lateRows: 1, deadLetters: 0 },
    { at: 'symmetricHashJoin 0 right', rowsIn: 3, rowsOn: 1, lateRows: 2, deadLetters: 0 },
  ])
})

test('sessions: each row by its own time and gap; rows without a gap are in none, and not late', async () => {
  const input = seconds(engine())
  const gap = when(lit(1).eq(1), '5 seconds').otherwise('1 second')
  const frame = timed(input)
    .groupBy(({ at, value }) => ({ s: session_window(at, when(value.eq(13), '0 seconds').otherwise(gap)), parity: value.mod(2) }))
    .agg(() => ({ n: count() }))
  const { late, progresses } = await run(input, frame, [
    () => input.addData(...rows(10, 30)),
    () => input.addData(...rows(10, 15, 13, 16, 10)),
  ])
  // the watermark is 20: a session from 15 is late, one from 16 is not
  expect(late).toHaveLength(1)
  expect(late[0]!.rows.map((row) => [row['value'], row['_event_time'], row['_watermark']]).sort()).toEqual([
    [10, 10, 20],
    [10, 10, 20],
    [15, 15, 20],
  ])
  expect(sum(metric(progresses))).toBe(3)
  expect(progresses.map((progress) => progress.stateOperators[0]!.numRowsDroppedByWatermark).reduce((a, b) => a + b)).toBe(3)
  expectBalance(progresses)
})

describe('functions with state', () => {
  const output = { parity: t.int().nullable(), n: t.int() }
  type Key = { parity: number | null }
  const grouped = (input: ReturnType<typeof seconds>) =>
    timed(input)
      .withColumn('parity', ({ value }) => value.mod(2))
      .groupBy('parity')
  const counting = (timeMode: 'None' | 'EventTime') => (input: ReturnType<typeof seconds>) =>
    grouped(input).transformWithState(
      () => ({
        init: (handle) => void handle.getValueState('unused', t.int()),
        // asynchronous, so that what follows the late rows waits
        handleInputRows: async ({ parity }: Key, of: readonly unknown[]) => [{ parity, n: of.length }],
      }),
      { output, timeMode },
    )
  const flat = (timeout: 'NoTimeout' | 'EventTimeTimeout') => (input: ReturnType<typeof seconds>) =>
    grouped(input).flatMapGroupsWithState(({ parity }: Key, of) => [{ parity, n: of.length }], {
      state: t.int(),
      output,
      outputMode: 'append',
      timeout,
    })
  const mapped = (input: ReturnType<typeof seconds>) =>
    grouped(input).mapGroupsWithState(({ parity }: Key, of) => ({ parity, n: of.length }), {
      state: t.int(),
      output,
      timeout: 'EventTimeTimeout',
    })
  test.each([
    ['transformWithState', counting('EventTime'), 'append'],
    ['flatMapGroupsWithState', flat('EventTimeTimeout'), 'append'],
    ['mapGroupsWithState', mapped, 'update'],
  ] as const)('%s by event time: what it is not called with', async (name, frameOf, mode) => {
    const input = seconds(engine())
    const { late, progresses } = await run(
      input,
      frameOf(input) as StreamFrame<any, any>,
      [() => input.addData(...rows(10, 30)), () => input.addData(...rows(10, 21, 20, 13, 31, 10))],
      undefined,
      mode,
    )
    expect(late).toHaveLength(1)
    const found = late[0]!.rows
    // each row by itself, those that are equal too; at the watermark is late
    expect(found.map(({ value }) => value).sort()).toEqual([10, 10, 13, 20])
    expect(found[0]).toMatchObject({
      _reason: 'late',
      _operator_id: 0,
      _operator_name: name === 'transformWithState' ? 'transformWithStateExec' : 'flatMapGroupsWithState',
      _side: null,
      _watermark: 20,
      _late_windows: 1,
      _partly: false,
    })
    expect(sum(metric(progresses))).toBe(4)
    expect(progresses.reduce((total, each) => total + each.stateOperators[0]!.numRowsDroppedByWatermark, 0)).toBe(4)
    expectBalance(progresses)
    expect(progresses.find(({ numInputRows }) => numInputRows === 6)!.books).toEqual([
      { at: `${found[0]!['_operator_name']} 0`, rowsIn: 6, rowsOn: 2, lateRows: 4, deadLetters: 0 },
    ])
  })
  test.each([
    ['transformWithState', counting('None')],
    ['flatMapGroupsWithState', flat('NoTimeout')],
  ] as const)('%s that does not go by event time is called with every row', async (_name, frameOf) => {
    const input = seconds(engine())
    await expect(run(input, frameOf(input) as StreamFrame<any, any>, [])).rejects.toMatchObject({ code: 'LATE_ROWS_WITHOUT_WATERMARK' })
  })
})

test('columns of a frame, other than those that the query reads, into a table of its own', async () => {
  const stream = new MemoryStream(engine(), { user: t.string(), at: t.timestamp(), note: t.string().nullable() })
  const clicks = stream.toDF().withWatermark('at', '10 seconds')
  const query = await clicks
    .groupBy(({ at }) => ({ w: window(at, '5 seconds') }))
    .agg(() => ({ n: count() }))
    .writeStream.queryName('clicks-per-window')
    .format('memory')
    .lateRows(clicks, (late) => ({
      late_table: late.select('user', 'note', '_watermark').output.format('memory'),
      counts: late
        .groupBy('_operator_name')
        .agg(() => ({ n: count() }))
        .output.format('memory'),
    }))
    .start()
  stream.addData({ user: 'ann', at: new Date(25_000), note: 'x' })
  await query.processAllAvailable()
  stream.addData({ user: 'bob', at: new Date(1000), note: 'y' }, { user: 'eve', at: new Date(2000) })
  await query.processAllAvailable()
  expect(
    engine()
      .memoryTable('late_table')
      .map(({ user, note }) => [user, note])
      .sort(),
  ).toEqual([
    ['bob', 'y'],
    ['eve', null],
  ])
  expect(engine().memoryTable('counts')).toEqual([{ _operator_name: 'stateStoreSave', n: 2n }])
  await query.stop()
})

describe('what is refused', () => {
  const windowed = (input: ReturnType<typeof seconds>) =>
    timed(input)
      .groupBy(({ at }) => ({ w: window(at, '5 seconds') }))
      .agg(() => ({ n: count() }))
  const start = (columns: object, frame: StreamFrame<any, any> = windowed(seconds(engine())), mode = 'append') =>
    Promise.try(() =>
      (frame.writeStream as any)
        .outputMode(mode)
        .format('noop')
        .lateRows(columns, (late: any) => late.output.format('noop'))
        .start(),
    )
  test.each([
    ['a column that is not there', () => start({ other: t.int() }), 'LATE_ROWS_COLUMN', 'lacks it'],
    ['a column of another type', () => start({ value: t.string() }), 'LATE_ROWS_COLUMN', 'as int and not as string'],
    ['a name that is taken', () => start({ _watermark: t.timestamp() }), 'LATE_ROWS_COLUMN', 'says why'],
    ['no step with state', () => start({ value: t.int() }, seconds(engine()).toDF() as never), 'LATE_ROWS_WITHOUT_WATERMARK', 'lateRows'],
    [
      'complete mode, which drops none',
      () => start({ value: t.int() }, windowed(seconds(engine())), 'complete'),
      'LATE_ROWS_WITHOUT_WATERMARK',
      'lateRows',
    ],
    [
      'a rollup, whose rows come once for each set of keys',
      () => {
        const timed = seconds(engine())
          .toDF()
          .withColumn('at', ({ value }) => timestamp_seconds(value))
          .withWatermark('at', '10 seconds')
        return start({ value: t.int() }, timed.rollup(({ at, value }) => ({ w: window(at, '5 seconds'), v: value })).count(), 'update')
      },
      'NOT_SUPPORTED_YET',
      'rollup',
    ],
  ])('%s', async (_what, attempt, code, text) => {
    await expect(attempt()).rejects.toMatchObject({ code, message: expect.stringContaining(text) })
  })
  test('no output', async () => {
    expect(() => (windowed(seconds(engine())).writeStream as any).lateRows({ value: t.int() }, () => undefined)).toThrow('outputs')
    expect(() => (windowed(seconds(engine())).writeStream as any).lateRows({ value: t.int() })).toThrow(
      'INVALID_FUNCTION: lateRows was given',
    )
  })
})
