// Types of functions with state: key, rows, state and output by their schemas.
import { type Engine, MemoryStream, type StatefulProcessor, type StatefulProcessorHandle, t, type ValueState } from 'millrace'
import { TwsTester } from 'millrace/testing'

declare const engine: Engine
const clicks = new MemoryStream(engine, { user: t.string(), page: t.string().nullable(), n: t.int(), at: t.timestamp() }).toDF()
const table = engine.createDataFrame([{ user: 'a', pages: 1 }], { user: t.string(), pages: t.long() })
type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>) => {}

// --- key, rows and state in the function
const counted = clicks.groupBy('user').mapGroupsWithState(
  (key, rows, state) => {
    same<typeof key, { user: string }>(true)
    same<(typeof rows)[number]['page'], string | null>(true)
    same<ReturnType<typeof state.get>, { pages: bigint; last: string | null }>(true)
    state.update({ pages: 1 })
    // @ts-expect-error a string is no long
    state.update({ pages: 'x' })
    // @ts-expect-error pages is missing
    state.update({ last: 'x' })
    // @ts-expect-error there is no such column
    rows[0]!.nothing
    return { user: key.user, pages: state.get().pages }
  },
  { state: { pages: t.long(), last: t.string().nullable() }, output: { user: t.string(), pages: t.long() } },
)
counted.writeStream.outputMode('update').start()
// @ts-expect-error mapGroupsWithState needs update mode
counted.writeStream.start()
// @ts-expect-error and not complete mode
counted.writeStream.outputMode('complete')
counted.select(({ user, pages }) => ({ user, more: pages.add(1) }))
// @ts-expect-error no such column
counted.select('page')

clicks.groupBy('user').mapGroupsWithState(
  // @ts-expect-error the row is not that of the output
  () => ({ user: 1 }),
  { state: t.int(), output: { user: t.string() } },
)
clicks.groupBy('user').mapGroupsWithState(
  (_, __, state) => {
    same<ReturnType<typeof state.get>, number>(true)
    return Promise.resolve({ user: 'later' })
  },
  { state: t.int(), output: { user: t.string() }, timeout: 'ProcessingTimeTimeout', initialState: table },
)
// @ts-expect-error there is no such timeout
clicks.groupBy('user').mapGroupsWithState(() => ({ user: '' }), { state: t.int(), output: { user: t.string() }, timeout: 'Never' })
// @ts-expect-error an initial state is a table
clicks.groupBy('user').mapGroupsWithState(() => ({ user: '' }), { state: t.int(), output: { user: t.string() }, initialState: clicks })

// --- modes
const appended = clicks.groupBy('user').flatMapGroupsWithState(() => [{ user: '' }], { state: t.int(), output: { user: t.string() } })
appended.writeStream.start()
// @ts-expect-error append only
appended.writeStream.outputMode('update')
appended.groupBy('user').count().writeStream.outputMode('complete').start()
const updated = clicks.groupBy('user').flatMapGroupsWithState(
  function* () {
    yield { user: '' }
  },
  { state: 'int', output: { user: t.string() }, outputMode: 'update' },
)
updated.writeStream.outputMode('update').start()
// @ts-expect-error update only
updated.writeStream.start()
const collected: Promise<{ user: string }[]> = table
  .groupBy('user')
  .flatMapGroupsWithState(() => [{ user: '' }], { state: t.int(), output: { user: t.string() } })
  .collect()
void collected

// --- processors
class Counter implements StatefulProcessor<{ user: string }, { page: string | null }, { user: string; n: bigint }> {
  count!: ValueState<bigint, bigint | number>
  init(handle: StatefulProcessorHandle) {
    this.count = handle.getValueState('count', t.long())
    const map = handle.getMapState('map', t.string(), { n: t.int() })
    same<ReturnType<typeof map.getValue>, { n: number } | null>(true)
    map.updateValue('a', { n: 1 })
    // @ts-expect-error the key is a string
    map.getValue(1)
    const list = handle.getListState('list', t.timestamp(), { ttlDuration: '1 hour' })
    list.appendValue(new Date())
  }
  handleInputRows({ user }: { user: string }, _rows: readonly { page: string | null }[]) {
    return [{ user, n: this.count.get() ?? 0n }]
  }
}
const transformed = clicks.groupBy('user').transformWithState(() => new Counter(), { output: { user: t.string(), n: t.long() } })
transformed.writeStream.start()
transformed.writeStream.outputMode('update').start()
// @ts-expect-error complete needs an aggregation
transformed.writeStream.outputMode('complete')
const few = clicks.select('user').groupBy('user')
// @ts-expect-error the processor wants a column that the rows have not
few.transformWithState(() => new Counter(), { output: { user: t.string(), n: t.long() } })
// @ts-expect-error the output lacks a column
clicks.groupBy('user').transformWithState(() => new Counter(), { output: { user: t.string(), m: t.long() } })

const passed = clicks
  .withWatermark('at', '1 minute')
  .groupBy('user')
  .transformWithState(() => ({ init() {}, handleInputRows: (_, rows) => rows.map(({ at }) => ({ at })) }), {
    output: { at: t.timestamp() },
    timeMode: 'EventTime',
    eventTimeColumnName: 'at',
  })
passed.groupBy('at').count().writeStream.start()
clicks.groupBy('user').transformWithState(() => ({ init() {}, handleInputRows() {} }), {
  output: { at: t.timestamp() },
  // @ts-expect-error the output has no such column
  eventTimeColumnName: 'then',
})

const tester = new TwsTester(() => new Counter(), { key: { user: t.string() }, output: { user: t.string(), n: t.long() } })
tester.testOneRow({ user: 'a' }, { page: null }).then((rows) => same<typeof rows, { user: string; n: bigint }[]>(true))
// @ts-expect-error the key has a user
tester.testOneRow({ name: 'a' }, { page: null })
