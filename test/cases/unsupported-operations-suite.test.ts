// What UnsupportedOperationsSuite of Spark 4.2.0 refuses and allows, for the operators that there are.
import { count, count_distinct, lit, MemoryStream, t, window } from 'millrace'
import { testStream } from 'millrace/testing'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'

const engine = useEngine()
const fields = { a: t.int(), at: t.timestamp() }
const stream = () => new MemoryStream(engine(), fields).toDF()
const marked = () => stream().withWatermark('at', '1 second')
const batch = () => engine().createDataFrame([{ a: 1, at: new Date(0) }], fields)
const modes = ['append', 'update', 'complete'] as const
type Mode = (typeof modes)[number]
const unsupportedMode = 'STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION'
const unsupported = 'UNSUPPORTED_STREAMING_OPERATION'

/** The query starts in these modes and is refused in the others. */
async function allowed(frame: () => unknown, inModes: readonly Mode[], refusedAs: string = unsupportedMode): Promise<void> {
  for (const outputMode of modes) {
    const run = testStream(frame() as never, { outputMode }, [])
    if (inModes.includes(outputMode)) await expect(run, outputMode).resolves.toBeUndefined()
    else await expect(run, outputMode).rejects.toMatchObject({ code: refusedAs })
  }
}

test('streaming plan - no streaming source', async () => {
  await allowed(batch, [], 'WRITE_STREAM_NOT_ALLOWED')
})

test('actions on a streaming plan say what to call', async () => {
  const frame = stream() as unknown as Record<'count' | 'collect' | 'show' | 'first', () => Promise<unknown>>
  for (const action of ['count', 'collect', 'show', 'first'] as const) await expect(frame[action](), action).rejects.toThrow(/start\(\)/)
})

test('select, where and union of streams: append and update, not complete', async () => {
  await allowed(stream, ['append', 'update'])
  await allowed(
    () =>
      stream()
        .where(({ a }) => a.gt(1))
        .select('a'),
    ['append', 'update'],
  )
  await allowed(() => stream().union(stream()), ['append', 'update'])
})

test('aggregate - streaming aggregations by output mode', async () => {
  await allowed(() => stream().agg(() => ({ n: count() })), ['update', 'complete'])
  await allowed(
    () =>
      stream()
        .groupBy('a')
        .agg(() => ({ n: count() })),
    ['update', 'complete'],
  )
  await allowed(
    () =>
      marked()
        .groupBy('a')
        .agg(() => ({ n: count() })),
    ['update', 'complete'],
  )
  await allowed(
    () =>
      marked()
        .groupBy('at')
        .agg(() => ({ n: count() })),
    ['append', 'update', 'complete'],
  )
  await allowed(
    () =>
      marked()
        .groupBy(({ at, a }) => ({ w: window(at, '1 second'), a }))
        .agg(() => ({ n: count() })),
    ['append', 'update', 'complete'],
  )
  // a computed column of the event time carries no watermark
  await allowed(
    () =>
      marked()
        .groupBy(({ at }) => ({ second: at.cast('long') }))
        .agg(() => ({ n: count() })),
    ['update', 'complete'],
  )
})

test('aggregate - multiple batch aggregations, and one streaming one beside a batch one', async () => {
  const counted = () =>
    batch()
      .groupBy('a')
      .agg(() => ({ n: count() }))
  expect(
    await counted()
      .agg(() => ({ groups: count() }))
      .collect(),
  ).toEqual([{ groups: 1n }])
  await allowed(
    () =>
      stream()
        .groupBy('a')
        .agg(() => ({ m: count() }))
        .join(counted(), 'a'),
    ['update', 'complete'],
  )
  await allowed(() => stream().join(counted(), 'a'), ['append', 'update'])
})

test('distinct aggregate - on batch, not on a stream', async () => {
  expect(
    await batch()
      .agg(({ a }) => ({ n: count_distinct(a) }))
      .collect(),
  ).toEqual([{ n: 1n }])
  for (const outputMode of ['update', 'complete'] as const) {
    await expect(
      testStream(
        stream().agg(({ a }) => ({ n: count_distinct(a) })),
        { outputMode },
        [],
      ),
    ).rejects.toMatchObject({ code: unsupported })
  }
})

const stringly = { inner: 'inner', left: 'left', right: 'right', full: 'full', semi: 'left_semi', anti: 'left_anti' } as const

test('joins of a stream with a table: the rows of the table are never all known', async () => {
  const table = () => batch().select(({ a }) => ({ a, word: a.cast('string') }))
  for (const [how, streamLeft, streamRight] of [
    ['inner', true, true],
    ['left', true, false],
    ['right', false, true],
    ['full', false, false],
    ['semi', true, false],
    ['anti', true, false],
  ] as const) {
    const [ok, no] = [['append', 'update'], []] as const
    const check = async (frame: () => unknown, isAllowed: boolean) => {
      if (isAllowed) return allowed(frame, ok)
      for (const outputMode of ok)
        await expect(testStream(frame() as never, { outputMode }, []), how).rejects.toMatchObject({ code: unsupported })
      return expect(no).toEqual([])
    }
    await check(() => stream().join(table() as never, 'a' as never, stringly[how] as never), streamLeft)
    await check(() => table().join(stream() as never, 'a' as never, stringly[how] as never), streamRight)
  }
})

test('union: between streaming and batch DataFrames', async () => {
  await expect(testStream(stream().union(batch() as never), [])).rejects.toMatchObject({ code: unsupported })
})

test('sort: only after an aggregation in complete mode', async () => {
  for (const outputMode of ['append', 'update'] as const)
    await expect(testStream(stream().orderBy('a'), { outputMode }, []), outputMode).rejects.toMatchObject({ code: unsupported })
  const sorted = () =>
    stream()
      .groupBy('a')
      .agg(() => ({ n: count() }))
      .orderBy('a')
  await allowed(sorted, ['complete'], unsupported).catch(async () => {
    // append is refused for the aggregation first
    await expect(testStream(sorted(), { outputMode: 'append' }, [])).rejects.toMatchObject({ code: unsupportedMode })
    await expect(testStream(sorted(), { outputMode: 'update' }, [])).rejects.toMatchObject({ code: unsupported })
    await expect(testStream(sorted(), { outputMode: 'complete' }, [])).resolves.toBeUndefined()
  })
})

test('limit: after an aggregation in complete mode; in update mode never', async () => {
  const limited = () =>
    stream()
      .groupBy('a')
      .agg(() => ({ n: count() }))
      .limit(1)
  await expect(testStream(limited(), { outputMode: 'complete' }, [])).resolves.toBeUndefined()
  await expect(testStream(limited(), { outputMode: 'update' }, [])).rejects.toMatchObject({ code: unsupportedMode })
})

test('sort, limit and distinct aggregates on the static side of a join are no streaming operations', async () => {
  const table = () =>
    batch()
      .groupBy('a')
      .agg(({ a }) => ({ n: count_distinct(a) }))
      .orderBy('a')
      .limit(1)
  await allowed(() => stream().join(table(), 'a'), ['append', 'update'])
})

test('several stateful operators: not after an aggregation in update or complete mode', async () => {
  const twice = () =>
    marked()
      .groupBy(({ at }) => ({ w: window(at, '1 second') }))
      .agg(() => ({ n: count() }))
      .groupBy('w')
      .agg(() => ({ m: count() }))
  for (const outputMode of ['update', 'complete'] as const)
    await expect(testStream(twice(), { outputMode }, [])).rejects.toMatchObject({ code: unsupportedMode })
})

test('an output mode that does not exist; modes in any case', async () => {
  expect(() => stream().writeStream.outputMode('appendd' as never)).toThrow(/STREAMING_OUTPUT_MODE.INVALID/)
  const query = await stream()
    .writeStream.outputMode('Append' as 'append')
    .format('noop')
    .start()
  await query.stop()
})

test('constant conditions and empty results are still streams', async () => {
  await allowed(() => stream().where(lit(false) as never), ['append', 'update'])
})

const other = () => marked().select(({ a, at }) => ({ b: a, bt: at }))
const refusal = async (frame: () => unknown, outputMode: Mode) =>
  testStream(frame() as never, { outputMode }, []).then(
    () => 'runs',
    (error: Error & { code: string }) => `${error.code}: ${error.message}`,
  )
test('joins of two streams by type and mode', async () => {
  const by = (how: 'inner' | 'left' | 'right' | 'full' | 'semi' | 'anti', withTimes: boolean) => () =>
    marked().join(
      other(),
      (l, r) => (withTimes ? l.a.eq(r.b).and(l.at.between(r.bt.minus('1 hour'), r.bt.plus('1 hour'))) : l.a.eq(r.b)) as never,
      how as 'inner', // the compiler knows what does not run: an anti join
    )
  for (const how of ['inner', 'semi'] as const)
    for (const mode of ['append', 'update'] as const) expect(await refusal(by(how, true), mode)).toBe('runs')
  for (const how of ['left', 'right', 'full'] as const) {
    expect(await refusal(by(how, true), 'append')).toBe('runs')
    expect(await refusal(by(how, true), 'update')).toMatch(/Outer join between two streaming DataFrames in Update output mode/)
  }
  for (const how of ['left', 'right', 'full', 'semi'] as const)
    expect(await refusal(by(how, false), 'append')).toMatch(/UNSUPPORTED_STREAMING_OPERATION.*without a watermark in the join keys/)
  expect(await refusal(by('inner', false), 'append')).toBe('runs')
  expect(await refusal(by('anti', true), 'append')).toMatch(/LeftAnti joins with a streaming DataFrame on the right/)
})

test('F6: a join of streams without an equality predicate', async () => {
  const unequal = () => marked().join(other(), (l, r) => l.a.lt(r.b) as never)
  expect(await refusal(unequal, 'append')).toMatch(/Stream-stream join without equality predicate is not supported/)
  expect(await refusal(() => marked().crossJoin(other()), 'append')).toMatch(/without equality predicate/)
})
