import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type LoadSettings, type LoadState, nextLoad, smallestLoad, startLoad } from './load-controller.ts'

/** A machine: a batch of load x takes overhead + cost × x, give or take `noise`, and makes the process hold base + x × bytesPerLoad (and never less than before). */
interface Machine {
  readonly overheadMs: number
  readonly costMs: number
  readonly bytesPerLoad?: number
  readonly noise?: number
}
const gigabyte = 2 ** 30
/** Runs batches over a backlog that never ends (or over what `arrives` says), and gives what each took. */
function simulate(
  machine: Machine,
  settings: LoadSettings,
  batches: number,
  arrives: (batch: number) => number = () => Number.POSITIVE_INFINITY,
) {
  let state: LoadState = startLoad(gigabyte / 10)
  let memoryBytes = gigabyte / 10
  let random = 12345
  const seen: { load: number; durationMs: number; limit: number; memoryBytes: number }[] = []
  for (let batch = 0; batch < batches; batch++) {
    const load = Math.min(state.limit, arrives(batch))
    random = (random * 1103515245 + 12345) % 2 ** 31
    const wobble = 1 + (machine.noise ?? 0) * ((random / 2 ** 31) * 2 - 1)
    const durationMs = (machine.overheadMs + machine.costMs * load) * wobble
    memoryBytes = Math.max(memoryBytes, gigabyte / 10 + load * (machine.bytesPerLoad ?? 0))
    seen.push({ load, durationMs, limit: state.limit, memoryBytes })
    state = nextLoad(state, settings, { load, durationMs, memoryBytes })
  }
  return seen
}
const toTarget = (targetMs: number): LoadSettings => ({ targetMs, memoryLimitBytes: null })

describe('duration', () => {
  test('over a backlog, batches come to last as long as they should, whatever a load costs', () => {
    fc.assert(
      fc.property(
        fc.record({
          targetMs: fc.integer({ min: 100, max: 60_000 }),
          overhead: fc.double({ min: 0, max: 0.4, noNaN: true }),
          times: fc.double({ min: -7, max: 7, noNaN: true }),
        }),
        ({ targetMs, overhead, times }) => {
          const machine = { overheadMs: targetMs * overhead, costMs: targetMs * 2 ** times }
          for (const { durationMs } of simulate(machine, toTarget(targetMs), 40).slice(-5)) {
            expect(durationMs).toBeGreaterThan(targetMs * 0.85)
            expect(durationMs).toBeLessThan(targetMs * 1.15)
          }
        },
      ),
    )
  })

  test('also where durations are noisy: their mean is near the target', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.25, noNaN: true }), fc.double({ min: -4, max: 4, noNaN: true }), (noise, times) => {
        const last = simulate({ overheadMs: 50, costMs: 1000 * 2 ** times, noise }, toTarget(1000), 120).slice(-60)
        const mean = last.reduce((sum, { durationMs }) => sum + durationMs, 0) / last.length
        expect(mean).toBeGreaterThan(700)
        expect(mean).toBeLessThan(1300)
      }),
    )
  })

  test('where overhead alone is over the target, batches are not cut to pieces: at least a good third of the time is work', () => {
    fc.assert(
      fc.property(fc.double({ min: 1.2, max: 20, noNaN: true }), fc.double({ min: -3, max: 3, noNaN: true }), (overhead, times) => {
        const machine = { overheadMs: 1000 * overhead, costMs: 1000 * 2 ** times }
        for (const { load, durationMs } of simulate(machine, toTarget(1000), 60).slice(-10))
          expect((machine.costMs * load) / durationMs).toBeGreaterThan(0.35)
      }),
    )
  })

  test('a limit never more than doubles or halves, and stays above the smallest', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            load: fc.double({ min: 0, max: 100, noNaN: true }),
            durationMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
            memoryBytes: fc.integer({ min: 0, max: 1e10 }),
          }),
          { maxLength: 50 },
        ),
        (batches) => {
          let state = startLoad(1e8)
          for (const batch of batches) {
            const next = nextLoad(state, { targetMs: 1000, memoryLimitBytes: 1e9 }, batch)
            expect(next.limit).toBeLessThanOrEqual(state.limit * 2)
            expect(next.limit).toBeGreaterThanOrEqual(Math.max(smallestLoad, Math.min(state.limit / 2, state.limit)) * 0.999)
            expect(Number.isFinite(next.limit)).toBe(true)
            state = next
          }
        },
      ),
    )
  })

  test('small batches do not make the limit grow: nobody knows what a large one would cost', () => {
    const seen = simulate({ overheadMs: 10, costMs: 100 }, toTarget(10_000), 30, () => 0.1)
    expect(seen.every(({ limit }) => limit <= 1)).toBe(true)
  })

  test('a burst of ten times the load is worked off in batches near the target, and no batch is over twice of it', () => {
    // a load of 5 a second arrives; the machine does 20 a second; the burst brings 50 a second for ten seconds
    const machine = { overheadMs: 20, costMs: 50 }
    const targetMs = 1000
    let backlog = 0
    let nowMs = 0
    let state = startLoad(0)
    const lasted: number[] = []
    const arrived = (ms: number) => 5 * (ms / 1000) + (45 * Math.max(0, Math.min(ms, 30_000) - 20_000)) / 1000
    let taken = 0
    while (nowMs < 80_000) {
      backlog = arrived(nowMs) - taken
      const load = Math.min(backlog, state.limit)
      const durationMs = machine.overheadMs + machine.costMs * load
      taken += load
      lasted.push(durationMs)
      state = nextLoad(state, toTarget(targetMs), { load, durationMs, memoryBytes: 0 })
      nowMs = Math.max(nowMs + durationMs, Math.ceil((nowMs + 1) / targetMs) * targetMs)
    }
    expect(Math.max(...lasted)).toBeLessThan(2 * targetMs)
    expect(arrived(nowMs) - taken).toBeLessThan(2 * 5)
  })
})

describe('memory', () => {
  test('stays under the limit, however much a load needs, once the first batch has shown what it is', () => {
    fc.assert(
      fc.property(fc.double({ min: -4, max: 3, noNaN: true }), (times) => {
        const bytesPerLoad = gigabyte * 0.4 * 2 ** times
        const seen = simulate({ overheadMs: 1, costMs: 1, bytesPerLoad }, { targetMs: null, memoryLimitBytes: gigabyte }, 60)
        const last = seen.slice(-20).map(({ load }) => gigabyte / 10 + load * bytesPerLoad)
        expect(Math.max(...last)).toBeLessThan(gigabyte)
        // and what there is, is used
        expect(Math.min(...last)).toBeGreaterThan(gigabyte * 0.2)
      }),
    )
  })

  test('of two limits the tighter one counts, and is named', () => {
    const settings = { targetMs: 1_000_000, memoryLimitBytes: gigabyte }
    let state = startLoad(gigabyte / 10)
    for (let batch = 0; batch < 30; batch++) {
      const load = state.limit
      state = nextLoad(state, settings, { load, durationMs: load, memoryBytes: gigabyte / 10 + load * gigabyte * 0.1 })
    }
    expect(state.reason).toBe('memory')
    expect(state.limit).toBeLessThan(8)
  })
})
