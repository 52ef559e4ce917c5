/**
 * `npm run crash [-- --json] [--short] [--only <text>] [--stride <n>] [--first] [--provider <p>]`: crashes each scenario before and after every durable step in the simulated
 * file system, and again during recovery, then some real processes by SIGKILL; compares what readers see in the end with one batch.
 * Scenarios with state run with both providers (`--provider memory` or `rocksdb`: with one).
 * `--only` takes the scenarios whose names have the text, `--stride` every n-th point, `--first` ends at the first mismatch.
 */
import { parseArgs } from 'node:util'
import { closeEngines, losses, referenceOf, runTrial, type Trial, trialsOf } from './matrix.ts'
import { allScenarios } from './providers.ts'
import { killRounds } from './sigkill.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    stride: { type: 'string', default: '1' },
    first: { type: 'boolean', default: false },
    provider: { type: 'string', default: '' },
  },
})
const say = (line: string) => values.json || console.log(line)
const startMs = Date.now()
const seconds = () => `${Math.round((Date.now() - startMs) / 1000)} s`
const chosen = allScenarios.filter(
  ({ name, provider }) => name.includes(values.only) && (values.provider === '' || values.provider === (provider ?? 'memory')),
)
/** Shares no factor with the number of losses and fates, so that the short form meets each of them. */
const stride = values.short ? 89 : Number(values.stride)
let points = 0
let again = 0
let notReached = 0
const mismatches: string[] = []

function report(text: string): void {
  mismatches.push(text)
  say(`MISMATCH ${text}`)
  if (values.first) finish()
}
function finish(): never {
  say(
    `${points} points tried, ${again} of them with a second crash during recovery, ${losses.length} kinds of loss and the plain kill; ${notReached} ended before their point; ${mismatches.length} mismatches; ${seconds()}`,
  )
  if (values.json) console.log(JSON.stringify({ bench: 'crash', points, mismatches: mismatches.length }))
  process.exit(mismatches.length === 0 ? 0 : 1)
}
function describe({ point, fates, again }: Trial, label: string): string {
  return `crash ${point.when} step ${point.operation} (${label}), again ${typeof again === 'number' ? `after ${again} steps` : `when ${again} has a new entry`}, fates ${JSON.stringify(fates)}`
}

for (const scenario of chosen) {
  const reference = await referenceOf(scenario)
  // without state it is the same scenario twice
  if (scenario.provider !== undefined && !reference.trace.some(({ label }) => label.includes('checkpoint/state/'))) continue
  const trials = trialsOf(scenario, reference).filter((_, i) => i % stride === 0)
  const before = mismatches.length
  for (const [i, trial] of trials.entries()) {
    const { crashes, label, mismatch } = await runTrial(scenario, reference, trial)
    if (crashes > 0) points++
    else notReached++
    if (crashes > 1) again++
    if (mismatch !== null) report(`${scenario.name}: ${describe(trial, label)}: ${mismatch}`)
    if (i % 100 === 99) say(`  ${scenario.name}: ${i + 1} of ${trials.length} (${seconds()})`)
  }
  say(`${scenario.name}: ${reference.trace.length} steps, ${trials.length} trials, ${mismatches.length - before} mismatches (${seconds()})`)
}
await closeEngines()
const kills = await killRounds(values.short ? chosen.slice(0, 2) : chosen, values.short ? 1 : 5, say)
points += kills.points
for (const text of kills.mismatches) report(text)
finish()
