/**
 * `npm run faults [-- --rounds N] [--seed S] [--target kafka|delta] [--short] [--json]`: queries from Kafka into Kafka and into Delta, in processes of their own, while
 * processes are killed and frozen, the broker is restarted and a proxy delays, repeats and drops messages, at places drawn inside transactions and batches.
 * After each round an independent reader must see every result exactly once; Jepsen's anomalies are looked for by name. The seed draws the faults.
 * `--first` ends at the first round that failed. `--reader read_uncommitted` lets the reader see what was aborted: rounds must then fail.
 */
import { parseArgs } from 'node:util'
import { installBroker, whyNoBroker } from '../install.ts'
import { Totals } from './report.ts'
import { runRound } from './round.ts'
import { Stage } from './stage.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    target: { type: 'string', default: '' },
    short: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    first: { type: 'boolean', default: false },
    reader: { type: 'string', default: 'read_committed' },
  },
})
const say = (line: string) => values.json || console.log(line)
process.exitCode = await main()

async function main(): Promise<number> {
  const reason = whyNoBroker()
  if (reason !== undefined) {
    say(`no rounds: ${reason}`)
    if (values.json) console.log(JSON.stringify({ bench: 'faults', skipped: reason }))
    return process.env['CI'] ? 1 : 0
  }
  installBroker()
  const rounds = Number(values.rounds ?? (values.short ? 6 : 40))
  const seed = Number(values.seed)
  const targets = (['kafka', 'delta'] as const).filter((kind) => values.target === '' || values.target === kind)
  if (!(rounds > 0) || !Number.isSafeInteger(seed) || targets.length === 0) {
    console.error('usage: npm run faults [-- --rounds N] [--seed S] [--target kafka|delta] [--short] [--json] [--verbose]')
    return 2
  }
  say(`seed ${seed}, ${rounds} rounds`)
  const totals = new Totals(seed)
  const stage = await Stage.open(values.reader)
  try {
    for (let round = 0; round < rounds; round++) {
      const startMs = performance.now()
      // both kinds of rounds for either target: two of each, and twice as many into Kafka
      const target = targets.length === 1 ? targets[0]! : round % 6 < 4 ? 'kafka' : 'delta'
      const report = await runRound(stage, {
        round,
        seed: seed * 100_003 + round,
        kind: target,
        transactionTimeoutMs: values.short ? 1500 : 3000,
      })
      totals.add(report)
      for (const line of totals.lines(report, performance.now() - startMs, values.verbose)) say(line)
      if (values.first && !totals.isGood) break
    }
    if (!values.short) {
      const differences = await stage.differencesOfSecondReader()
      totals.addDifferences(differences)
      for (const text of differences.slice(0, 12)) say(`  PROBLEM ${text}`)
    }
  } finally {
    await stage.close()
  }
  for (const line of totals.summary()) say(line)
  if (values.json) console.log(JSON.stringify(totals.json()))
  return totals.isGood ? 0 : 1
}
