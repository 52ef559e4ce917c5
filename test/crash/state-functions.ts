import {
  type GroupedData,
  type ListState,
  type MapState,
  type StatefulProcessorHandle,
  type StreamFrame,
  t,
  type ValueState,
} from 'millrace'

type Marked = StreamFrame<any, any>
type Grouped = { groupBy(key: string): GroupedData<any, any, 'rows'> }
interface Row {
  readonly k: string
  readonly at: { readonly epochMilliseconds: number }
}

/** Windows of ten seconds kept by a program: a map of counts by window, a list of its rows, a value, and a timer at each window's end. */
export function windowsByTimers(rows: Marked): Marked {
  return (rows as unknown as Grouped).groupBy('k').transformWithState(
    () => {
      let handle: StatefulProcessorHandle
      let counts: MapState<bigint, bigint, bigint | number, bigint | number>
      let seen: ListState<bigint, bigint | number>
      let all: ValueState<bigint, bigint | number>
      return {
        init(given) {
          handle = given
          counts = given.getMapState('counts', t.long(), t.long())
          seen = given.getListState('seen', t.long())
          all = given.getValueState('all', t.long())
        },
        // both handlers wait in the middle, so that a crash may come between two changes of one key
        async handleInputRows(_, given) {
          for (const { at } of given as readonly Row[]) {
            const end = Math.floor(at.epochMilliseconds / 10_000) * 10_000 + 10_000
            counts.updateValue(end, (counts.getValue(end) ?? 0n) + 1n)
            handle.registerTimer(end)
            await Promise.resolve()
            seen.appendValue(end)
            all.update((all.get() ?? 0n) + 1n)
          }
        },
        async handleExpiredTimer({ k }, _, info) {
          await new Promise((resolve) => setImmediate(resolve))
          const end = BigInt(info.getExpiryTimeInMs())
          const listed = seen.get()
          const own = listed.filter((each) => each === end).length
          const rest = listed.filter((each) => each !== end)
          if (rest.length > 0) seen.put(rest)
          else seen.clear()
          const n = counts.getValue(end)
          counts.removeKey(end)
          // all three must say the same
          const agrees = BigInt(own) === n && (all.get() ?? 0n) >= n
          return [{ start: new Date(Number(end) - 10_000), k: String(k), n: agrees ? n : -1n }]
        },
      }
    },
    { output: { start: t.timestamp(), k: t.string(), n: t.long() }, timeMode: 'EventTime' },
  )
}

/** Counts by key, in the newest row of each. */
export function countsByKey(rows: Marked): Marked {
  return (rows as unknown as Grouped).groupBy('k').mapGroupsWithState(
    ({ k }, given, state) => {
      const n = (state.getOption() ?? 0n) + BigInt(given.length)
      state.update(n)
      return { k: String(k), n }
    },
    { state: t.long(), output: { k: t.string(), n: t.long() } },
  )
}
