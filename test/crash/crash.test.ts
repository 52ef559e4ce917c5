// A part of `npm run crash` that every test run can afford. Each scenario is crashed at a few points; the whole matrix tries them all.
import { afterAll, describe, expect, test } from 'vitest'
import { closeEngines, losses, referenceOf, runTrial, trialsOf } from './matrix.ts'
import { allScenarios } from './providers.ts'
import { scenarios } from './scenarios.ts'
import { killRounds } from './sigkill.ts'

afterAll(closeEngines)

describe('crashed, crashed again while it recovers, and without power at its end, the output is that of one batch', () => {
  test.each(allScenarios.filter(({ pointsFrom }) => pointsFrom === undefined))('$name', async (scenario) => {
    const reference = await referenceOf(scenario)
    const hasState = reference.trace.some(({ label }) => label.includes('checkpoint/state/'))
    if (scenario.provider !== undefined && !hasState) return
    const trialsEach = scenario.provider === undefined ? 3 : 1
    const all = trialsOf(scenario, reference)
    // spread over the run, by a stride that meets every fate
    const stride = Math.floor(all.length / trialsEach / losses.length) * losses.length + 1
    let crashes = 0
    for (const trial of all.filter((_, i) => i % stride === 0)) {
      const result = await runTrial(scenario, reference, trial)
      expect(result.mismatch, JSON.stringify(trial)).toBeNull()
      crashes += result.crashes
    }
    expect(crashes).toBeGreaterThan(trialsEach)
  })
})

test('a run takes a batch for delivered by a commit whose name was not durable yet, and then the power goes', async () => {
  const scenario = scenarios.find(({ name }) => name === 'windowed aggregation, append, into delta')!
  const reference = await referenceOf(scenario)
  const commits = new Set(reference.trace.filter(({ label }) => /_delta_log\/0*[12]\.json$/.test(label)).map(({ number }) => number))
  const trials = trialsOf(scenario, reference).filter(({ point, again }) => commits.has(point.operation) && again === 'checkpoint/offsets')
  expect(trials).toHaveLength(2)
  for (const trial of trials) expect((await runTrial(scenario, reference, trial)).mismatch, JSON.stringify(trial)).toBeNull()
})

test('a real process that is killed twice', async () => {
  const { points, mismatches } = await killRounds(scenarios.slice(1, 2), 1, () => {})
  expect(mismatches).toEqual([])
  expect(points).toBe(2)
})
