// Scenarios with side outputs: every row of the input is with the query's rows or set aside, whatever crash comes between the sinks.
import { join } from 'node:path'
import { count, type DataFrame, type StreamFrame, type StreamingQuery, t, window } from 'millrace'
import type { Input, Place, Scenario } from './scenarios.ts'

/** What they have in common with the other scenarios. */
export interface Kit {
  readonly stream: (place: Place) => StreamFrame<{ k: 'string'; at: 'timestamp'; v: 'double' | null }>
  readonly table: (place: Place) => DataFrame<{ k: 'string'; at: 'timestamp'; v: 'double' | null }>
  readonly checkpoint: (place: Place) => string
  readonly out: (place: Place) => string
  readonly untilDone: (query: Promise<StreamingQuery>) => Promise<void>
  readonly availableNow: { readonly availableNow: true }
  readonly fiveFiles: Input
}

const lettersOut = ({ root }: Place) => join(root, 'letters')
const lateOut = ({ root }: Place) => join(root, 'late')
/** For which each line is malformed whose `v` is not null. */
const strictStream = ({ engine, input }: Place) =>
  engine.readStream
    .schema({ k: t.string(), v: t.array(t.int()).nullable() })
    .option('maxFilesPerTrigger', 1)
    .json(input)

export const sideOutputScenarios = ({ stream, table, checkpoint, out, untilDone, availableNow, fiveFiles }: Kit): Scenario[] => [
  {
    // most lines are malformed
    name: 'dead letters beside rows, both into json',
    input: fiveFiles,
    intoFiles: true,
    severalSinks: true,
    run: (place) =>
      untilDone(
        strictStream(place)
          .writeStream.format('json')
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .deadLetters((letters) => letters.output.format('json').option('path', lettersOut(place)))
          .start(out(place)),
      ),
    output: async (place) => {
      const kept = await place.engine.read.json(out(place), { k: t.string() }).collect()
      const letters = await place.engine.read.json(lettersOut(place), { line: t.long(), raw: t.binary() }).collect()
      const raw = letters.map((letter) => JSON.parse(Buffer.from(letter.raw).toString()) as { k: string; v: number })
      return [...kept.map(({ k }) => ({ k, v: null })), ...raw.map(({ k, v }) => ({ k, v }))]
    },
    expected: (place) =>
      table(place)
        .select(({ k, v }) => ({ k, v }))
        .collect(),
  },
  {
    // a quarter of the rows is poison for one of the outputs, and goes on to the other
    name: 'two outputs, and dead letters of one of them',
    input: fiveFiles,
    intoFiles: true,
    severalSinks: true,
    run: (place) =>
      untilDone(
        stream(place)
          .writeStream.trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .outputs((rows) => ({
            all: rows.select('k').output.format('json').option('path', out(place)),
            shares: rows
              .selectExpr('k', '100 div cast(right(k, 1) as int) as share')
              .output.format('parquet')
              .option('path', join(place.root, 'shares')),
          }))
          .deadLetters((letters) => letters.output.format('json').option('path', lettersOut(place)))
          .start(),
      ),
    output: async (place) => {
      const all = await place.engine.read.json(out(place), { k: t.string() }).collect()
      const shares = await place.engine.read.parquet(join(place.root, 'shares'), { k: t.string(), share: t.long() }).collect()
      const letters = await place.engine.read.json(lettersOut(place), { raw: t.binary() }).collect()
      const raw = letters.map((letter) => JSON.parse(Buffer.from(letter.raw).toString()) as { k: string })
      return [
        ...all.map(({ k }) => ({ k, of: 'all' })),
        ...shares.map(({ k }) => ({ k, of: 'shares' })),
        ...raw.map(({ k }) => ({ k, of: 'letters' })),
      ]
    },
    expected: async (place) => {
      const rows = await table(place)
        .select(({ k }) => ({ k }))
        .collect()
      return rows.flatMap(({ k }) => [
        { k, of: 'all' },
        { k, of: k === 'key-0' ? 'letters' : 'shares' },
      ])
    },
  },
  {
    // of one key every call fails, after it has changed the state; the others count their rows through all batches
    name: 'a function with state that throws, and the rows of its key among the dead letters',
    input: fiveFiles,
    intoFiles: true,
    severalSinks: true,
    run: (place) =>
      untilDone(
        (stream(place).groupBy('k') as any)
          .flatMapGroupsWithState(
            ({ k }: { k: string }, rows: readonly unknown[], state: any) => {
              let n = state.getOption() ?? 0
              const counted = rows.map(() => ({ k, n: ++n }))
              state.update(n)
              if (k === 'key-0') throw new Error(`${k} has ${n} rows`)
              return counted
            },
            { state: t.int(), output: { k: t.string(), n: t.int() }, outputMode: 'append' },
          )
          .writeStream.format('json')
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .deadLetters((letters: any) => letters.output.format('json').option('path', lettersOut(place)), { userFunctions: true })
          .start(out(place)),
      ),
    output: async (place) => {
      const counted = await place.engine.read.json(out(place), { k: t.string(), n: t.int() }).collect()
      const letters = await place.engine.read.json(lettersOut(place), { raw: t.binary() }).collect()
      const raw = letters.map((letter) => JSON.parse(Buffer.from(letter.raw).toString()) as { k: string })
      return [...counted, ...raw.map(({ k }) => ({ k, n: -1 }))]
    },
    expected: async (place) => {
      const seen = new Map<string, number>()
      const rows = await table(place)
        .select(({ k }) => ({ k }))
        .collect()
      return rows.map(({ k }) => {
        seen.set(k, (seen.get(k) ?? 0) + 1)
        return { k, n: k === 'key-0' ? -1 : seen.get(k)! }
      })
    },
  },
  {
    // which rows are late depends on which no-data batches a crash has cut off; that each is in its window or in the side output does not
    name: 'late rows beside a windowed aggregation',
    input: fiveFiles,
    intoFiles: true,
    severalSinks: true,
    run: (place) =>
      untilDone(
        stream(place)
          .withWatermark('at', '1 second')
          .groupBy(({ at, k }) => ({ window: window(at, '5 seconds'), k }))
          .agg(() => ({ n: count() }))
          .select(({ k, n }) => ({ k, n }))
          .writeStream.format('parquet')
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .lateRows({ k: t.string() }, (late) => late.output.format('json').option('path', lateOut(place)))
          .start(out(place)),
      ),
    output: async (place) => {
      const kept = await place.engine.read.parquet(out(place), { k: t.string(), n: t.long() }).collect()
      const late = await place.engine.read.json(lateOut(place), { k: t.string() }).collect()
      const byKey = new Map<string, bigint>()
      for (const { k, n } of [...kept, ...late.map(({ k }) => ({ k, n: 1n }))]) byKey.set(k, (byKey.get(k) ?? 0n) + n)
      return [...byKey].map(([k, n]) => ({ k, n }))
    },
    expected: (place) =>
      table(place)
        .groupBy('k')
        .agg(() => ({ n: count() }))
        .collect(),
  },
]
