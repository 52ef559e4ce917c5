import type { AnomalyKind } from './anomalies.ts'
import { type FaultKind, faultKinds } from './plan.ts'
import type { RoundReport } from './round.ts'

const anomalyKinds: readonly AnomalyKind[] = ['aborted read', 'lost write', 'duplicate', 'torn transaction', 'wrong result']

/** Adds rounds up, and says what came of them. */
export class Totals {
  readonly #seed: number
  readonly #rounds: RoundReport[] = []
  #differences = 0
  constructor(seed: number) {
    this.#seed = seed
  }
  add(report: RoundReport): void {
    this.#rounds.push(report)
  }
  /** Between two readers of the output, over all rounds. */
  addDifferences(texts: readonly string[]): void {
    this.#differences += texts.length
  }
  get isGood(): boolean {
    return this.#differences === 0 && this.#rounds.every(({ anomalies, problems }) => anomalies.length === 0 && problems.length === 0)
  }

  lines({ round, target, windowed, struck, anomalies, problems, ends, results }: RoundReport, ms: number, isVerbose: boolean): string[] {
    const faults = struck.map(({ kind, place }) => `${kind} (${place})`).join(', ')
    const line = `round ${round} → ${target}${windowed ? ', windows' : ''}: ${results} results, ${ends.length} processes, ${(ms / 1000).toFixed(1)} s; ${faults || 'no faults'}`
    const isBad = anomalies.length > 0 || problems.length > 0
    const details = struck.map(
      ({ kind, place, how, inTransaction, inBatch }) =>
        `    ${kind}, ${place}: ${how}${inTransaction ? ', in a transaction' : ''}${inBatch ? ', in a batch' : ''}`,
    )
    const ended = ends.map((end) => `    process ended: ${end.end === 'error' ? `${end.name} ${end.code}: ${end.message}` : end.end}`)
    return [
      line,
      ...(isBad || isVerbose ? [...details, ...ended] : []),
      ...anomalies.slice(0, 12).map(({ kind, what }) => `  ANOMALY ${kind}: ${what}`),
      ...problems.map((text) => `  PROBLEM ${text}`),
    ]
  }

  summary(): string[] {
    const { rounds, windowed, faults, anomalies, problems, transactions, abortedRanges, results, ends } = this.json()
    const rows = faultKinds.map((kind) => {
      const { count, inTransaction, inBatch, kafka, delta } = faults[kind]
      return `  ${kind.padEnd(15)}${pad(count)}${pad(kafka)}${pad(inTransaction)}${pad(delta)}${pad(inBatch)}`
    })
    return [
      `${rounds.kafka} rounds Kafka → Kafka, ${rounds.delta} rounds Kafka → Delta (${windowed} of them with state: counts by window), ${results} results, ${transactions} transactions begun, ${abortedRanges} aborted in a partition`,
      `  ${'fault'.padEnd(15)}${['all', '→ Kafka', 'in a tx', '→ Delta', 'in a batch'].map(pad).join('')}`,
      ...rows,
      `processes: ${Object.entries(ends)
        .map(([how, count]) => `${count} ${how}`)
        .join(', ')}`,
      `anomalies: ${anomalyKinds.map((kind) => `${anomalies[kind]} ${kind}`).join(', ')}; ${problems} other problems`,
    ]
  }
  json() {
    const [rounds, struck] = [this.#rounds, this.#rounds.flatMap(({ struck, target }) => struck.map((each) => ({ ...each, target })))]
    const faults = Object.fromEntries(
      faultKinds.map((kind) => {
        const own = struck.filter((each) => each.kind === kind)
        const [kafka, delta] = [own.filter(({ target }) => target === 'kafka'), own.filter(({ target }) => target === 'delta')]
        const inTransaction = kafka.filter((each) => each.inTransaction).length
        const inBatch = delta.filter((each) => each.inBatch).length
        return [kind, { count: own.length, kafka: kafka.length, inTransaction, delta: delta.length, inBatch }]
      }),
    ) as Record<FaultKind, { count: number; kafka: number; inTransaction: number; delta: number; inBatch: number }>
    const found = rounds.flatMap(({ anomalies }) => anomalies)
    const anomalies = Object.fromEntries(anomalyKinds.map((kind) => [kind, found.filter((each) => each.kind === kind).length])) as Record<
      AnomalyKind,
      number
    >
    return {
      bench: 'faults',
      seed: this.#seed,
      rounds: { kafka: count(rounds, 'kafka'), delta: count(rounds, 'delta') },
      windowed: rounds.filter((each) => each.windowed).length,
      faults,
      anomalies,
      problems: rounds.flatMap(({ problems }) => problems).length + this.#differences,
      results: sum(rounds.map(({ results }) => results)),
      transactions: sum(rounds.map(({ transactions }) => transactions)),
      abortedRanges: sum(rounds.map(({ abortedRanges }) => abortedRanges)),
      ends: countEach(rounds.flatMap(({ ends }) => ends.map((end) => (end.end === 'error' ? end.code || end.name : end.end)))),
    }
  }
}
const pad = (value: number | string) => String(value).padStart(12)
const sum = (values: readonly number[]) => values.reduce((all, each) => all + each, 0)
const count = (rounds: readonly RoundReport[], target: string) => rounds.filter((each) => each.target === target).length
function countEach(names: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, own]) => [name, own.length]))
}
