// The oracle of joins of two streams: over any cut into batches and any restarts, the pairs, and the rows without a match, are those of the batch join.
import fc from 'fast-check'
import { expr, MemoryStream, t } from 'millrace'
import { addData, multiAddData, processAllAvailable, type StreamAction, testStream } from 'millrace/testing'
import { describe, expect, test } from 'vitest'
import { differenceOfRows } from '../../src/testing/compare-rows.ts'
import { useEngine } from '../cases/harness.ts'
import { confOf, holds, providers, restarts, restartWith, timeout } from './property.ts'

interface Event {
  readonly k: string | null
  readonly at: number
  readonly v: number
}
const event: fc.Arbitrary<Event> = fc.record({
  k: fc.option(fc.constantFrom('a', 'b', 'ü'), { nil: null, freq: 8 }),
  // a watermark begins at 0, so that a row of that very second is late in the first batch, as in Spark
  at: fc.integer({ min: 1, max: 20 }),
  v: fc.integer({ min: 0, max: 9 }),
})
const rows = fc.array(event, { maxLength: 6 })
const feed = fc.array(
  fc.record({ left: rows, right: rows, lift: fc.integer({ min: 0, max: 25 }), together: fc.boolean(), restart: restarts() }),
  {
    minLength: 1,
    maxLength: 6,
  },
)
type Feed = typeof feed extends fc.Arbitrary<infer T> ? T : never

/** Times rise from block to block by less than rows may be late, so that no row is late. */
function lifted(blocks: Feed): Feed {
  let base = 0
  return blocks.map((block) => {
    base += block.lift
    const lift = (events: Event[]) => events.map((row) => ({ ...row, at: row.at + base }))
    return { ...block, left: lift(block.left), right: lift(block.right) }
  })
}
const fields = { k: t.string().nullable(), at: t.timestamp(), v: t.int() }
const toRow = ({ k, at, v }: Event) => ({ k, at: new Date(at * 1000), v })
// its value passes what the conditions ask of one side: rows that do not never move a watermark
const closing = toRow({ k: 'closing', at: 1_000_000, v: 9 })

type Untyped = any
function joined(l: Untyped, r: Untyped, condition: string, how: string): Untyped {
  const side = (frame: Untyped, name: string) => frame.selectExpr(`k AS ${name}K`, `at AS ${name}At`, `v AS ${name}V`)
  const windows = (frame: Untyped, name: string) => frame.selectExpr(`${name}K`, `window(${name}At, '10 seconds') AS ${name}W`, `${name}V`)
  const prepare = condition.includes('lW') ? windows : (frame: Untyped) => frame
  const both = prepare(side(l, 'l'), 'l').join(prepare(side(r, 'r'), 'r'), () => expr(condition), how)
  if (!condition.includes('lW')) return both
  return both.selectExpr('lK', 'lW.end AS lEnd', 'lV', ...(how === 'semi' ? [] : ['rK', 'rW.end AS rEnd', 'rV']))
}

function actionsOf(left: MemoryStream<Untyped>, right: MemoryStream<Untyped>, blocks: Feed): StreamAction[] {
  return blocks.flatMap((block) => {
    const [l, r] = [block.left.map(toRow), block.right.map(toRow)]
    const add = block.together
      ? [multiAddData([left, l], [right, r])]
      : [addData(left as Untyped, ...(l as never[])), processAllAvailable(), addData(right as Untyped, ...(r as never[]))]
    return [...add, processAllAvailable(), ...restartWith(block.restart)]
  })
}

const conditions = {
  windows: 'lK = rK AND lW = rW',
  'windows and more': 'lK <=> rK AND lW = rW AND lV > 3 AND lV + rV < 12',
  'a range of times': 'lK = rK AND lAt BETWEEN rAt - INTERVAL 5 SECONDS AND rAt + INTERVAL 7 SECONDS',
  // a right row may come when the watermark has passed all that it could match
  'times apart': 'lK = rK AND lAt BETWEEN rAt - INTERVAL 9 SECONDS AND rAt - INTERVAL 3 SECONDS',
  'a strict range and more': 'lK <=> rK AND lAt > rAt - INTERVAL 5 SECONDS AND lAt < rAt + INTERVAL 7 SECONDS AND rV > 2 AND lV <> rV',
}

describe.each(providers)('%s', (provider) => {
  const engine = useEngine({ conf: confOf(provider) })
  const kinds = ['inner', 'left', 'right', 'full', 'semi'] as const
  const cases = kinds.flatMap((how) => Object.entries(conditions).map(([name, condition]) => [how, name, condition] as const))

  test.each(cases)('%s join by %s', { timeout }, async (how, _, condition) => {
    const check = async (generated: Feed) => {
      const blocks = lifted(generated)
      const [left, right] = [new MemoryStream(engine(), fields), new MemoryStream(engine(), fields)]
      const table = (side: 'left' | 'right') =>
        engine().createDataFrame([...blocks.flatMap((block) => block[side].map(toRow)), closing], fields)
      const expected = await joined(table('left'), table('right'), condition, how).collect()
      const stream = (input: MemoryStream<Untyped>) => (input.toDF() as Untyped).withWatermark('at', '21 seconds')
      await testStream(joined(stream(left), stream(right), condition, how), [
        ...actionsOf(left, right, blocks),
        // two more rows close everything before them; what becomes of themselves does not count
        multiAddData([left, [closing]], [right, [closing]]),
        {
          name: 'compare with the batch',
          run: async (running) => {
            await running.settle()
            const isData = (row: Record<string, unknown>) => row['lK'] !== 'closing' && row['rK'] !== 'closing'
            expect(differenceOfRows(running.sink.allRows.filter(isData), expected.filter(isData))).toBeNull()
          },
        },
      ])
    }
    await holds(feed, check, 3)
  })
})
