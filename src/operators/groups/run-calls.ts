/** Calls of a function with state, begun in their order, as many at a time as may be. */
import { CallsInFlight } from '../calls-in-flight.ts'
import { Breather, type CallPlace, type CollectedRows, RowsInTurn, type RowTaker } from './user-rows.ts'

export interface Call {
  /** The number of its key. */
  readonly index: number
  readonly place: CallPlace
  /** Asked when the calls with the key before it are over. */
  readonly isWanted?: () => boolean
  /** Makes the call; its rows go where it is told. Throws, and rejects, with what the query ends with. */
  readonly run: (rows: RowTaker | null) => undefined | Promise<void>
}
export interface Calling {
  /** The next call; undefined: there are no more. */
  readonly next: () => Call | undefined
  readonly concurrency: number
  /** Null where calls give no rows. */
  readonly output: CollectedRows | null
  /** Writes what the calls have changed into the state; no call is under way. */
  readonly flush: () => void
  /** After so many calls, and at the end; null: only at the end. */
  readonly flushEvery: number | null
  /** Throws where the batch is to be left. */
  readonly checkStop: () => void
}

/**
 * One key's calls are made one after the other. What comes out, and what is written, is what one call after the other would give: rows in the order of the calls, the
 * state when all are over. Where one fails, no more begin, those under way are waited for, and the first error by the order of the calls is thrown.
 */
export async function runCalls({ next, concurrency, output, flush, flushEvery, checkStop }: Calling): Promise<void> {
  const inFlight = new CallsInFlight(checkStop)
  const turns = output === null || concurrency === 1 ? null : new RowsInTurn(output)
  const busy = new Set<number>()
  const breather = new Breather()
  const begin = ({ index, place, run }: Call): void => {
    const turn = turns?.begin(place)
    try {
      const pending = run(turn ? turn.rows : output)
      if (pending === undefined) return turn?.over()
      busy.add(index)
      inFlight.add(
        pending.then(() => {
          busy.delete(index)
          turn?.over()
        }),
      )
    } catch (error) {
      inFlight.failed(error)
    }
  }
  let begun = 0
  for (let call = next(); call !== undefined; call = next()) {
    while (busy.has(call.index) && !inFlight.hasFailed) await inFlight.oneEnds()
    if (inFlight.hasFailed) break
    if (call.isWanted?.() === false) continue
    begin(call)
    while (inFlight.count > 0 && !inFlight.hasFailed && (inFlight.count >= concurrency || turns?.isFull)) await inFlight.oneEnds()
    if (inFlight.hasFailed) break
    if (flushEvery !== null && ++begun % flushEvery === 0) {
      if (inFlight.count > 0) await inFlight.finish()
      flush()
    }
    const pause = breather.pause()
    if (pause === undefined) continue
    await pause
    inFlight.lookForStop()
  }
  await inFlight.finish()
  flush()
}
