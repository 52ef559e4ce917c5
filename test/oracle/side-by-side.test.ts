// The oracle for several queries of one engine, which share its thread, its database and memory that is used again: each of them gives what it gives alone.
import { join } from 'node:path'
import fc from 'fast-check'
import { collect_list, count, expr, MemoryStream, millrace, min, session_window, sum, t, window } from 'millrace'
import { describe, expect, test } from 'vitest'
import { differenceOfRows } from '../../src/testing/compare-rows.ts'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { confOf, holds, providers, timeout } from './property.ts'

interface Event {
  readonly k: string | null
  /** Seconds. */
  readonly at: number
  readonly v: number | null
}
const event: fc.Arbitrary<Event> = fc.record({
  k: fc.option(fc.constantFrom('a', 'b', 'ü', 'a key that is longer than twelve bytes'), { nil: null, freq: 8 }),
  at: fc.integer({ min: 1, max: 60 }),
  v: fc.option(fc.integer({ min: -9, max: 9 }), { nil: null, freq: 6 }),
})
/** Blocks of rows, with event time on the rise by less than rows may be late, so that no row is. */
const feed = fc.array(fc.record({ rows: fc.array(event, { maxLength: 30 }), lift: fc.integer({ min: 0, max: 90 }) }), {
  minLength: 1,
  maxLength: 5,
})

type Untyped = any
const shapes: Readonly<Record<string, (frame: Untyped) => Untyped>> = {
  stateless: (frame) => frame.where(({ v }: Untyped) => v.gt(0)).selectExpr('k', 'v * 2 AS twice'),
  windowed: (frame) =>
    frame
      .groupBy(({ at, k }: Untyped) => ({ window: window(at, '10 seconds'), k }))
      .agg(({ v }: Untyped) => ({ n: count(), total: sum(v), least: min(v) }))
      .selectExpr('window.start AS start', 'k', 'n', 'total', 'least'),
  'windowed, with lists': (frame) =>
    frame
      .groupBy(({ at, k }: Untyped) => ({ window: window(at, '10 seconds'), k }))
      .agg(({ v }: Untyped) => ({ list: collect_list(v) }))
      .selectExpr('window.start AS start', 'k', 'sort_array(list) AS list'),
  sessions: (frame) =>
    frame
      .groupBy(({ at, k }: Untyped) => ({ session: session_window(at, '5 seconds'), k }))
      .agg(() => ({ n: count() }))
      .selectExpr('session.start AS start', 'session.end AS end', 'k', 'n'),
  distinct: (frame) => frame.dropDuplicates(['k', 'at', 'v']),
  join: (frame) => {
    const side = (name: string) => frame.selectExpr(`k AS ${name}K`, `at AS ${name}At`, `v AS ${name}V`)
    return side('l').join(side('r').where('rV > 0'), () => expr('lK = rK AND rAt BETWEEN lAt AND lAt + INTERVAL 3 SECONDS'), 'left_outer')
  },
}
const queries = fc.array(
  fc.record({
    shape: fc.constantFrom(...Object.keys(shapes)),
    format: fc.constantFrom('parquet', 'json', 'memory'),
    feed,
    /** So often the event loop comes round before each step goes on. */
    turns: fc.array(fc.nat(6), { minLength: 1, maxLength: 8 }),
  }),
  { minLength: 2, maxLength: 4 },
)

const fields = { k: t.string().nullable(), at: t.timestamp(), v: t.int().nullable() }
const toRow = ({ k, at, v }: Event) => ({ k, at: new Date(at * 1000), v })
/** Closes all that is open; no shape has a row of it in the end but those that keep all rows. */
const closingSecond = 1_000_000
const closing = toRow({ k: 'closing', at: closingSecond, v: 1 })
const withoutClosing = "k IS NULL OR k <> 'closing'"

function rowsOf(blocks: typeof feed extends fc.Arbitrary<infer T> ? T : never): ReturnType<typeof toRow>[][] {
  let base = 0
  return blocks.map(({ rows, lift }) => {
    base += lift
    return rows.map((row) => toRow({ ...row, at: row.at + base }))
  })
}

describe.each(providers)('%s', (provider) => {
  test('queries side by side give what each of them gives alone', { timeout }, async () => {
    await holds(
      queries,
      async (specs) => {
        await using folder = await tempFolder()
        const steps = new Map(specs.map((_, i) => [`q${i}`, 0]))
        const engine = await millrace.local({
          threads: 2,
          conf: confOf(provider),
          async observeStep({ queryName }) {
            const at = steps.get(queryName!)!
            steps.set(queryName!, at + 1)
            const { turns } = specs[Number(queryName!.slice(1))]!
            for (let i = turns[at % turns.length]!; i > 0; i--) await new Promise((resolve) => setImmediate(resolve))
          },
        })
        try {
          await Promise.all(
            specs.map(async ({ shape, format, feed }, i) => {
              const blocks = rowsOf(feed)
              const alone = shapes[shape]!(engine.createDataFrame(blocks.flat(), fields))
              const expected = await alone.collect()
              const input = new MemoryStream(engine, fields)
              const output = join(folder.path, `q${i}`)
              const query = await shapes[shape]!(input.toDF().withWatermark('at', '150 seconds'))
                .writeStream.queryName(`q${i}`)
                .option('checkpointLocation', `${output}-checkpoint`)
                .format(format)
                .start(...(format === 'memory' ? [] : [output]))
              for (const rows of [...blocks, [closing]]) {
                input.addData(...rows)
                await query.processAllAvailable()
              }
              await query.stop()
              const written: Untyped =
                format === 'memory' ? engine.table(`q${i}`) : engine.read.schema(alone.schema).format(format).load(output)
              const key = shape === 'join' ? withoutClosing.replaceAll('k ', 'lK ') : withoutClosing
              expect(differenceOfRows(await (await written).where(key).collect(), expected), shape).toBeNull()
            }),
          )
        } finally {
          await engine.close()
        }
      },
      20,
    )
  })
})
