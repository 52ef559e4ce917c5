import { expect, test } from 'vitest'
import { exitCodes } from './exit-codes.ts'
import { decideRestart, type RunEnd, soundRunMs } from './restart-policy.ts'

const settings = { firstDelayMs: 1000, maxRestarts: 5 }
const unavailable: RunEnd = { code: exitCodes.unavailable, signal: null, ranMs: 10 }

test('what may pass is tried again, later each time, up to a minute', () => {
  const delays = [0, 1, 2, 3, 4, 5, 6, 7].map((failures) => decideRestart(unavailable, failures, { ...settings, maxRestarts: 0 }, 1))
  expect(delays.map((each) => each.kind === 'restart' && each.delayMs)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
})

test('jitter takes up to half', () => {
  expect(decideRestart(unavailable, 0, settings, 0)).toEqual({ kind: 'restart', delayMs: 500, failures: 1 })
  expect(decideRestart(unavailable, 0, settings, 0.5)).toEqual({ kind: 'restart', delayMs: 750, failures: 1 })
})

test('a process that was killed is started again', () => {
  expect(decideRestart({ code: null, signal: 'SIGKILL', ranMs: 5 }, 0, settings, 1).kind).toBe('restart')
})

test('everything else is the end, under its own code', () => {
  const { unavailable: _, signal: _2, ...others } = exitCodes
  for (const code of Object.values(others))
    expect(decideRestart({ code, signal: null, ranMs: 5 }, 0, settings, 1)).toEqual({ kind: 'end', code })
})

test('short runs in a row are a crash loop; a long one begins the count anew', () => {
  expect(decideRestart(unavailable, 4, settings, 1).kind).toBe('restart')
  expect(decideRestart(unavailable, 5, settings, 1)).toEqual({ kind: 'crash-loop', failures: 6 })
  expect(decideRestart({ ...unavailable, ranMs: soundRunMs }, 5, settings, 1)).toMatchObject({ kind: 'restart', failures: 1 })
  expect(decideRestart(unavailable, 1000, { ...settings, maxRestarts: 0 }, 1).kind).toBe('restart')
})
