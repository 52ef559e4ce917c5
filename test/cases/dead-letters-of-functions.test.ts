// Functions with state that throw, where dead letters are kept: the rows of the call are letters, the key's state is what it was before, other keys go on.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { MemoryStream, type Row, t } from 'millrace'
import { ManualClock } from 'millrace/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { account, keepingLetters, textOf } from './letters-kit.ts'

const clock = new ManualClock(0)
const engine = useEngine({ print: () => {}, clock })
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-letters-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** One batch over what is new, and what it gives and sets aside. */
async function batchOf(frame: any, { mode = 'update', limits = { userFunctions: true } }: { mode?: string; limits?: object } = {}) {
  const rows: Row[] = []
  const sink = (writer: any) => writer.foreachBatch(async (found: any) => void rows.push(...(await found.collect())))
  const { letters, progresses } = await keepingLetters(frame, join(folder, 'checkpoint'), { sink, mode, limits })
  return { rows, letters, progress: progresses.at(-1)! }
}
const events = () => new MemoryStream(engine(), { k: t.string(), v: t.int() })
const said = (letters: readonly Row[]) => letters.map(({ reason, stage, raw }) => [reason, stage, textOf(raw)])

describe('mapGroupsWithState', () => {
  const sums = (stream: any) =>
    stream
      .toDF()
      .groupBy('k')
      .flatMapGroupsWithState(
        (key: any, rows: any, state: any) => {
          let sum = state.getOption() ?? 0
          for (const { v } of rows) {
            sum += v
            state.update(sum)
            if (v < 0) throw new Error(`the sum of ${key.k} is ${sum}`)
          }
          return [{ k: key.k, sum }]
        },
        { state: t.int(), output: { k: t.string(), sum: t.int() }, outputMode: 'update' },
      )

  test('the rows of the key are letters, its state stays, other keys go on', async () => {
    const stream = events()
    stream.addData({ k: 'a', v: 1 }, { k: 'b', v: 10 })
    expect((await batchOf(sums(stream))).rows).toEqual([
      { k: 'a', sum: 1 },
      { k: 'b', sum: 10 },
    ])
    stream.addData({ k: 'a', v: 2 }, { k: 'b', v: 20 }, { k: 'a', v: -1 }, { k: 'c', v: 5 }, { k: 'a', v: 7 })
    const second = await batchOf(sums(stream))
    expect(second.rows).toEqual([
      { k: 'b', sum: 30 },
      { k: 'c', sum: 5 },
    ])
    const code = 'FLATMAPGROUPSWITHSTATE_USER_FUNCTION_ERROR'
    expect(said(second.letters)).toEqual([2, -1, 7].map((v) => [code, 'function', `{"k":"a","v":${v}}`]))
    expect(second.letters[0]!['message']).toContain('threw for the key {"k":"a"}: the sum of a is 2')
    expect(second.letters.map(({ batch_id }) => batch_id)).toEqual([1n, 1n, 1n])
    expect(second.progress.books).toContainEqual(account('function of flatMapGroupsWithState 0', 5, 3))
    expect(second.progress.balance).toEqual({ rowsIn: 5, rowsOn: 2, lateRows: 0, deadLetters: 3 })
    stream.addData({ k: 'a', v: 4 })
    expect((await batchOf(sums(stream))).rows).toEqual([{ k: 'a', sum: 5 }])
  })

  test('without userFunctions, and above the limit, the query ends and nothing of the batch counts', async () => {
    for (const limits of [{}, { userFunctions: true, maxPerBatch: 1 }]) {
      const stream = events()
      stream.addData({ k: 'a', v: -1 }, { k: 'a', v: 1 }, { k: 'b', v: 1 })
      const code = 'maxPerBatch' in limits ? 'DEAD_LETTER_LIMIT_EXCEEDED' : 'FLATMAPGROUPSWITHSTATE_USER_FUNCTION_ERROR'
      await expect(batchOf(sums(stream), { limits })).rejects.toMatchObject({ code })
      await rm(join(folder, 'checkpoint'), { recursive: true, force: true })
    }
  })

  test('a timeout for which the function throws: a letter of the key; the state stays, the timeout is over', async () => {
    const stream = events()
    const frame = (stream.toDF() as any).groupBy('k').mapGroupsWithState(
      (key: any, rows: any, state: any) => {
        if (state.hasTimedOut) {
          state.update(-1)
          throw new Error('too late')
        }
        const sum = [...rows].reduce((total, { v }) => total + v, state.getOption() ?? 0)
        state.update(sum)
        if (sum < 10) state.setTimeoutDuration(1000)
        return { k: key.k, sum }
      },
      { state: t.int(), output: { k: t.string(), sum: t.int() }, timeout: 'ProcessingTimeTimeout' },
    )
    stream.addData({ k: 'a', v: 1 })
    await batchOf(frame)
    clock.advance(5000)
    stream.addData({ k: 'b', v: 2 })
    const { letters, progress } = await batchOf(frame)
    expect(said(letters)).toEqual([['FLATMAPGROUPSWITHSTATE_USER_FUNCTION_ERROR', 'function', '{"k":"a"}']])
    expect(progress.books).toContainEqual(account('calls without rows of flatMapGroupsWithState 0', 1, 1))
    expect(progress.balance).toEqual({ rowsIn: 2, rowsOn: 1, lateRows: 0, deadLetters: 1 })
    stream.addData({ k: 'b', v: 9 })
    expect((await batchOf(frame)).letters).toEqual([])
    stream.addData({ k: 'a', v: 20 })
    expect((await batchOf(frame)).rows).toEqual([{ k: 'a', sum: 21 }])
  })

  test('a row that the output has not is the call’s too; a misuse of the state is no row’s fault', async () => {
    const frame = (stream: any, misuse: boolean) =>
      stream
        .toDF()
        .groupBy('k')
        .flatMapGroupsWithState(
          (key: any, rows: any, state: any) => {
            const sum = [...rows].reduce((total, { v }) => total + v, state.getOption() ?? 0)
            state.update(sum)
            if (misuse) state.setTimeoutDuration(5)
            return [{ k: key.k, sum }, ...(sum === 3 ? [{ k: key.k, sum: 'three' }] : [])]
          },
          { state: t.int(), output: { k: t.string(), sum: t.int() }, outputMode: 'update' },
        )
    const stream = events()
    stream.addData({ k: 'a', v: 3 }, { k: 'b', v: 4 })
    const { rows, letters } = await batchOf(frame(stream, false))
    expect(rows).toEqual([{ k: 'b', sum: 4 }])
    expect(said(letters)).toEqual([['UDF_RETURN_TYPE', 'function', '{"k":"a","v":3}']])
    stream.addData({ k: 'a', v: 5 })
    expect((await batchOf(frame(stream, false))).rows).toEqual([{ k: 'a', sum: 5 }])
    stream.addData({ k: 'a', v: 1 })
    await expect(batchOf(frame(stream, true))).rejects.toMatchObject({ code: 'CANNOT_SET_TIMEOUT_DURATION' })
  })

  test('rows of a file keep file and line', async () => {
    await mkdir(join(folder, 'in'))
    const lines = ['{"k":"a","v":1}', '{"k":"b","v":-1}', '{"k":"a","v":2}']
    await writeFile(join(folder, 'in', 'a.json'), `${lines.join('\n')}\n`)
    const read = { toDF: () => engine().readStream.schema({ k: t.string(), v: t.int() }).json(join(folder, 'in')) }
    const { letters } = await batchOf(sums(read))
    expect(letters.map(({ source, line, raw }) => [source, line, textOf(raw)])).toEqual([['0', 2n, lines[1]]])
  })
})

/** What a call does, one thing a row, by the row's number. */
type Action = (parts: { value: any; list: any; map: any; handle: any; now: number }, n: number) => unknown
const actions: readonly Action[] = [
  ({ value }, n) => value.update(n),
  ({ value }) => value.clear(),
  ({ list }, n) => list.appendValue(n),
  ({ list }, n) => list.appendList([n, n + 1]),
  ({ list }, n) => list.put([n]),
  ({ list }) => list.clear(),
  ({ list }) => list.get(),
  ({ map }, n) => map.updateValue(n % 3, n),
  ({ map }, n) => map.removeKey(n % 3),
  ({ map }) => [...map.iterator()],
  ({ map }, n) => map.getValue(n % 3),
  ({ map }) => map.clear(),
  ({ handle, now }, n) => handle.registerTimer(now + 1000 + (n % 4) * 1000),
  ({ handle, now }, n) => handle.deleteTimer(now + 1000 + (n % 4) * 1000),
]
const poison = -1
/** When a run began. */
let startMs = 0

describe('transformWithState', () => {
  /** Gives the state as it is found, then does what the rows say; throws at a row that is poison, and at timers of a key that begins with `t`. */
  class Acting {
    #parts!: { value: any; list: any; map: any; handle: any; now: number }
    readonly #waits: boolean
    constructor(waits: boolean) {
      this.#waits = waits
    }
    init(handle: any) {
      const value = handle.getValueState('value', t.int())
      const list = handle.getListState('list', t.int())
      this.#parts = { value, list, map: handle.getMapState('map', t.int(), t.int()), handle, now: 0 }
    }
    handleInputRows(key: any, rows: Iterable<any>, timers: any) {
      return this.#waits ? this.#later(key, [...rows], timers) : this.#act(key, [...rows], timers, 0)
    }
    async #later(key: any, rows: any[], timers: any) {
      await Promise.resolve()
      return this.#act(key, rows, timers, 0)
    }
    #act(key: any, rows: any[], timers: any, from: number) {
      const parts = { ...this.#parts, now: timers.getCurrentProcessingTimeInMs() }
      const found = this.#found(key)
      for (const { v } of rows.slice(from)) {
        if (v === poison) throw new Error('poison')
        actions[v % actions.length]!(parts, v)
      }
      return [found]
    }
    #found(key: any) {
      const { value, list, map, handle } = this.#parts
      const entries = [...map.iterator()].sort(([a], [b]) => a - b)
      const timers = [...handle.listTimers()].map((atMs) => atMs - startMs)
      return { k: key.k, state: JSON.stringify([value.get(), list.get(), entries, timers]) }
    }
    handleExpiredTimer(key: any) {
      const { value, list } = this.#parts
      const before = this.#found(key)
      value.update(7)
      list.appendValue(99)
      if (key.k.startsWith('t')) throw new Error('no time')
      return [before]
    }
  }
  interface Doing {
    readonly k: string
    readonly v: number
  }
  const acting = (stream: any, concurrency: number) =>
    stream
      .toDF()
      .groupBy('k')
      .transformWithState(() => new Acting(concurrency > 1), {
        output: { k: t.string(), state: t.string() },
        timeMode: 'ProcessingTime',
        outputMode: 'Update',
        concurrency,
      })

  test.each([1, 4])('whatever the calls do: as if the calls that failed had not been made, concurrency %i', async (concurrency) => {
    const row: fc.Arbitrary<Doing> = fc.record({
      k: fc.constantFrom('a', 'b', 'c', 'd'),
      v: fc.oneof({ weight: 6, arbitrary: fc.nat(200) }, fc.constant(poison)),
    })
    const runs = async (batches: readonly (readonly Doing[])[]) => {
      await rm(join(folder, 'checkpoint'), { recursive: true, force: true })
      startMs = clock.nowMs()
      const stream = events()
      const found: string[][] = []
      let letters = 0
      for (const rows of batches) {
        stream.addData(...rows)
        const done = await batchOf(acting(stream, concurrency))
        // the order of timers that are due at once goes by the identity of their keys
        found.push(done.rows.map((row) => JSON.stringify(row)).sort())
        letters += done.letters.length
        clock.advance(1000)
      }
      return { found, letters }
    }
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(row, { minLength: 1, maxLength: 12 }), { minLength: 2, maxLength: 5 }), async (batches) => {
        // a key that nobody else has, so that each batch has a row
        const all = batches.map((rows) => [...rows, { k: 'z', v: 6 }])
        const spoilt = (rows: readonly Doing[]) => new Set(rows.filter(({ v }) => v === poison).map(({ k }) => k))
        const good = all.map((rows) => rows.filter(({ k }) => !spoilt(rows).has(k)))
        const [kept, expected] = [await runs(all), await runs(good)]
        expect(kept.found).toEqual(expected.found)
        expect(kept.letters).toBe(all.flat().length - good.flat().length)
      }),
      { numRuns: 6 },
    )
  })

  test('a timer that throws: a letter of the key, the timer is gone, the state stays', async () => {
    startMs = clock.nowMs()
    const stream = events()
    // a value of 14, and a timer
    stream.addData(...['t', 'u'].flatMap((k) => [14, 12].map((v) => ({ k, v }))))
    await batchOf(acting(stream, 1))
    clock.advance(5000)
    stream.addData({ k: 'x', v: 6 })
    const { rows, letters, progress } = await batchOf(acting(stream, 1))
    expect(rows).toEqual([
      { k: 'x', state: '[null,[],[],[]]' },
      { k: 'u', state: '[14,[],[],[1000]]' },
    ])
    expect(said(letters)).toEqual([['TRANSFORM_WITH_STATE_USER_FUNCTION_ERROR', 'function', '{"k":"t"}']])
    expect(letters[0]!['message']).toContain('handleExpiredTimer')
    expect(progress.books).toContainEqual(account('calls without rows of transformWithStateExec 0', 2, 1))
    stream.addData({ k: 't', v: 6 }, { k: 'u', v: 6 })
    const after = await batchOf(acting(stream, 1))
    expect(after.rows.map(({ state }) => state)).toEqual(['[14,[],[],[]]', '[7,[99],[],[]]'])
    expect(after.letters).toEqual([])
  })

  test('a row older than the watermark is the call’s own', async () => {
    class Late {
      init() {}
      handleInputRows(key: any, rows: Iterable<any>) {
        return [...rows].map(({ v }) => ({ k: key.k, at: new Date(v * 1000) }))
      }
    }
    const stream = new MemoryStream(engine(), { k: t.string(), v: t.int(), at: t.timestamp() })
    const frame = (stream.toDF() as any)
      .withWatermark('at', '0 seconds')
      .groupBy('k')
      .transformWithState(() => new Late(), {
        output: { k: t.string(), at: t.timestamp() },
        timeMode: 'EventTime',
        outputMode: 'Append',
        eventTimeColumnName: 'at',
      })
    const row = (k: string, v: number, second: number) => ({ k, v, at: new Date(second * 1000) })
    stream.addData(row('a', 50, 50))
    await batchOf(frame, { mode: 'append' })
    stream.addData(row('a', 60, 60), row('b', 3, 60))
    const { rows, letters } = await batchOf(frame, { mode: 'append' })
    expect(rows.map(({ k }) => k)).toEqual(['a'])
    expect(letters.map(({ reason }) => reason)).toEqual(['EMITTING_ROWS_OLDER_THAN_WATERMARK_NOT_ALLOWED'])
  })

  test('what fails before the first row ends the query', async () => {
    let made = 0
    class Broken {
      init() {
        // the first is made when the query is written
        if (made++ > 0) throw new Error('no')
      }
      handleInputRows() {
        return []
      }
    }
    const stream = events()
    stream.addData({ k: 'a', v: 1 })
    const frame = (stream.toDF() as any)
      .groupBy('k')
      .transformWithState(() => new Broken(), { output: { k: t.string() }, timeMode: 'None', outputMode: 'Update' })
    await expect(batchOf(frame)).rejects.toMatchObject({ code: 'TRANSFORM_WITH_STATE_USER_FUNCTION_ERROR' })
  })
})
