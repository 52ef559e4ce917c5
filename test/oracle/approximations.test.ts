// The error bounds of the approximations, over the path that a stream takes: many batches merged.
import { approx_count_distinct, MemoryStream, percentile_approx, t } from 'millrace'
import { addData, processAllAvailable, type StreamAction, startStream, stopStream, testStream } from 'millrace/testing'
import { expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'

const engine = useEngine()

/** The rows in blocks, with a restart in the middle; then a look at the last row that came out. */
function actionsOf(
  input: { addData(...rows: never[]): unknown },
  rows: readonly object[],
  blocks: number,
  check: (row: Record<string, unknown>) => void,
): StreamAction[] {
  const size = Math.ceil(rows.length / blocks)
  return [
    ...Array.from({ length: blocks }, (_, b): StreamAction[] => [
      addData(input as never, ...(rows.slice(b * size, (b + 1) * size) as never[])),
      processAllAvailable(),
      ...(b === 1 ? [stopStream(), startStream()] : []),
    ]).flat(),
    {
      name: 'compare with what is true',
      run: async (one) => {
        await one.settle()
        check(one.sink.lastBatch[0]!)
      },
    },
  ]
}

test.each([100, 1_000, 40_000])(
  'approx_count_distinct of %i values is within four standard deviations',
  { timeout: 120_000 },
  async (distinct) => {
    const input = new MemoryStream(engine(), { v: t.int() })
    const rows = Array.from({ length: 60_000 }, (_, i) => ({ v: (i * 7919) % distinct }))
    const frame = input
      .toDF()
      .groupBy()
      .agg(({ v }) => ({ fine: approx_count_distinct(v, 0.01), plain: approx_count_distinct(v), rough: approx_count_distinct(v, 0.2) }))
    await testStream(frame, { outputMode: 'complete' }, [
      ...actionsOf(input, rows, 4, (row) => {
        for (const [name, rsd] of [
          ['fine', 0.01],
          ['plain', 0.05],
          ['rough', 0.2],
        ] as const)
          expect(Math.abs(Number(row[name]) / distinct - 1), `${name}: ${row[name]} of ${distinct}`).toBeLessThan(4 * rsd)
      }),
    ])
  },
)

test('percentile_approx is within 1 / accuracy of the ranks', { timeout: 120_000 }, async () => {
  const count = 40_000
  const input = new MemoryStream(engine(), { v: t.long() })
  const rows = Array.from({ length: count }, (_, i) => ({ v: BigInt((i * 7919) % count) }))
  const asked = [0, 0.01, 0.5, 0.9, 0.999, 1] as const
  const frame = input
    .toDF()
    .groupBy()
    .agg(({ v }) => ({ hundred: percentile_approx(v, asked, 100), fine: percentile_approx(v, asked) }))
  await testStream(frame, { outputMode: 'complete' }, [
    ...actionsOf(input, rows, 4, (row) => {
      for (const [name, accuracy] of [
        ['hundred', 100],
        ['fine', 10_000],
      ] as const) {
        // a value is its own rank
        for (const [i, p] of asked.entries())
          expect(Math.abs(Number((row[name] as bigint[])[i]) - p * count), `${name} ${p}`).toBeLessThanOrEqual(count / accuracy + 1)
      }
    }),
  ])
})
