/**
 * `npm run crash [-- --json] [--short] [--only <text>]`: crashes each scenario before and after every durable step in the simulated file
 * system, and again during recovery, then some real processes by SIGKILL; compares what readers see in the end with one batch.
 */
import { parseArgs } from 'node:util'
import { losses, runTrial, trialsOf } from './matrix.ts'
import { scenarios } from './scenarios.ts'
import { killRounds } from './sigkill.ts'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, short: { type: 'boolean', default: false }, only: { type: 'string', default: '' } },
})
const say = (line: string) => values.json || console.log(line)
let points = 0
let notReached = 0
const mismatches: string[] = []

for (const scenario of scenarios.filter(({ name }) => name.includes(values.only))) {
  // a stride that shares no factor with the number of losses meets each of them
  const trials = await trialsOf(scenario, values.short ? 23 : 1)
  const startMs = Date.now()
  for (const trial of trials) {
    const result = await runTrial(trial)
    if (result.crashed) points++
    else notReached++
    if (result.mismatch === null) continue
    const text = `${scenario.name}: crash ${trial.point.when} step ${trial.point.operation} (${result.label}), ${JSON.stringify(trial.loss)}, again after ${trial.again}: ${result.mismatch}`
    mismatches.push(text)
    say(`MISMATCH ${text}`)
  }
  say(`${scenario.name}: ${trials.length} trials in ${Math.round((Date.now() - startMs) / 1000)} s, ${mismatches.length} mismatches so far`)
}
const kills = await killRounds(scenarios.filter(({ name }) => name.includes(values.only)), values.short ? 1 : 5, say)
points += kills.points
mismatches.push(...kills.mismatches)
say(`${points} points tried (${kills.points} by SIGKILL; losses: ${losses.length} kinds; ${notReached} ended before their point), ${mismatches.length} mismatches`)
if (values.json) console.log(JSON.stringify({ bench: 'crash', points, mismatches: mismatches.length }))
process.exitCode = mismatches.length === 0 ? 0 : 1
