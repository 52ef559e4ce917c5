/** `npm run bench -- <name> [--json] [--short] [--events n] [--only q0,q5]`: answers one question with ratios measured in one run. */
import { readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'

/** What a bench gives back: the figures that `--json` prints behind its name. */
export type BenchResult = Readonly<Record<string, unknown>>
export interface BenchOptions {
  /** Prints a line of the report (nothing under --json). */
  readonly say: (line: string) => void
  /** A much smaller run that only shows that the bench works. */
  readonly short: boolean
  /** How many events to measure over, where a bench has such a size (nexmark): more of them make what a query costs once count for less. */
  readonly events: number | undefined
  /** Which questions are asked, where a bench has several (nexmark); all where undefined. */
  readonly only: readonly string[] | undefined
}
export type Bench = (options: BenchOptions) => Promise<BenchResult>

const helpers = new Set(['run.ts', 'flow.ts'])
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && !helpers.has(file))
  .map((file) => file.slice(0, -3))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    events: { type: 'string' },
    only: { type: 'string' },
  },
})
const [name] = positionals
if (!name || !names.includes(name)) {
  console.error(`usage: npm run bench -- <${names.join(' | ')}> [--json] [--short] [--events n] [--only q0,q5]`)
  process.exit(2)
}
const events = values.events === undefined ? undefined : Number(values.events)
if (events !== undefined && !(Number.isInteger(events) && events >= 1000)) {
  console.error(`--events ${values.events}: give a whole number from 1000`)
  process.exit(2)
}
const { default: bench } = (await import(`./${name}.ts`)) as { default: Bench }
const result = await bench({ say: (line) => values.json || console.log(line), short: values.short, events, only: values.only?.split(',') })
console.log(values.json ? JSON.stringify({ bench: name, ...result }) : result)
