// Expected rows are those of Spark 4.2.0.
import {
  col,
  explode,
  explode_outer,
  expr,
  inline,
  json_tuple,
  MemoryStream,
  posexplode,
  posexplode_outer,
  stack,
  t,
  udf,
  window,
} from 'millrace'
import { addData, checkAnswer, processAllAvailable, startStream, testStream } from 'millrace/testing'
import { describe, expect, test } from 'vitest'
import { planOf } from '../../src/api/data-frame.ts'
import { explainLogical } from '../../src/plan/explain.ts'
import { optimize } from '../../src/plan/rules.ts'
import { useEngine } from '../cases/harness.ts'
import { code, columnsOf, ordered } from './rows.ts'

const engine = useEngine()
const shape = {
  id: t.int(),
  arr: t.array(t.int().nullable()).nullable(),
  m: t.map(t.string(), t.int()).nullable(),
  st: t.array(t.struct({ p: t.int(), q: t.string() }).nullable()).nullable(),
  j: t.string().nullable(),
}
const rows = () =>
  engine().createDataFrame(
    [
      {
        id: 1,
        arr: [1, null, 3],
        m: new Map([['k', 7]]),
        st: [{ p: 1, q: 'z' }, null],
        j: '{"a":1.50,"b":"x","c":{"d":[1]},"a.b":true,"n":null}',
      },
      { id: 2, arr: [], m: new Map(), st: [], j: '[1]' },
      { id: 3, arr: null, m: null, st: null, j: null },
    ],
    shape,
  )

describe('rows and columns', () => {
  test('explode', async () => {
    const made = rows().select('id', explode(col('arr')))
    expect(columnsOf(made)).toEqual(['id int', 'col int?'])
    expect(await ordered(made)).toEqual(['1 1', '1 null', '1 3'])
    expect(await ordered(rows().select((c) => ({ e: explode(c.arr), id: c.id })))).toEqual(['1 1', 'null 1', '3 1'])
    expect(
      await ordered(
        rows()
          .withColumn('id', ({ arr }) => explode(arr))
          .select('id'),
      ),
    ).toEqual(['1', 'null', '3'])
  })
  test('explode of a map', async () => {
    expect(columnsOf(rows().select(explode(col('m'))))).toEqual(['key string', 'value int'])
    expect(await ordered(rows().select('id', explode(col('m')).as('k', 'v')))).toEqual(['1 k 7'])
  })
  test('the outer ones keep rows without elements', async () => {
    const made = rows().select('id', explode_outer(col('arr')))
    expect(columnsOf(made)).toEqual(['id int', 'col int?'])
    expect(await ordered(made)).toEqual(['1 1', '1 null', '1 3', '2 null', '3 null'])
    expect(await ordered(rows().select('id', posexplode_outer(col('m'))))).toEqual(['1 0 k 7', '2 null null null', '3 null null null'])
    expect(await ordered(rows().selectExpr('id', 'inline_outer(st)'))).toEqual(['1 1 z', '1 null null', '2 null null', '3 null null'])
  })
  test('posexplode', async () => {
    const made = rows().select('id', posexplode(col('arr')))
    expect(columnsOf(made)).toEqual(['id int', 'pos int', 'col int?'])
    expect(await ordered(made)).toEqual(['1 0 1', '1 1 null', '1 2 3'])
    expect(await ordered(rows().selectExpr('posexplode(m) AS (i, k, v)'))).toEqual(['0 k 7'])
  })
  test('inline', async () => {
    const made = rows().select('id', inline(col('st')))
    expect(columnsOf(made)).toEqual(['id int', 'p int?', 'q string?'])
    expect(await ordered(made)).toEqual(['1 1 z', '1 null null'])
    expect(
      await ordered(
        rows()
          .select(inline(col('st')).as('x', 'y'))
          .select('y'),
      ),
    ).toEqual(['z', 'null'])
  })
  test('stack', async () => {
    const made = rows()
      .where('id = 1')
      .select('id', stack(2, 1, 'a', 2))
    expect(columnsOf(made)).toEqual(['id int', 'col0 int', 'col1 string?'])
    expect(await ordered(made)).toEqual(['1 1 a', '1 2 null'])
    expect(await ordered(rows().where('id = 1').selectExpr('stack(2, id, "a", null, "b") AS (n, s)'))).toEqual(['1 a', 'null b'])
  })
  test('json_tuple gives one row, whatever the text is', async () => {
    const made = rows().select('id', json_tuple(col('j'), 'a', 'b', 'c', 'a.b', 'n', 'zz'))
    expect(columnsOf(made).slice(1)).toEqual(['c0 string?', 'c1 string?', 'c2 string?', 'c3 string?', 'c4 string?', 'c5 string?'])
    expect(await ordered(made)).toEqual([
      '1 1.5 x {"d":[1]} true null null',
      '2 null null null null null null',
      '3 null null null null null null',
    ])
    const broken = engine().createDataFrame([{ j: 'nope' }], { j: t.string() })
    expect(await ordered(broken.selectExpr("json_tuple(j, 'a') AS a"))).toEqual(['null'])
  })
  test('several generators give every combination, and a column may use an earlier one by name', async () => {
    const made = rows().selectExpr('explode(arr) AS e', 'explode(m) AS (k, v)', 'e + v AS s')
    expect(await ordered(made)).toEqual(['1 k 7 8', 'null k 7 null', '3 k 7 10'])
  })
  test('of what a user function gives', async () => {
    const upTo = udf((n: number) => Array.from({ length: n }, (_, i) => i), t.array(t.int()))
    expect(await ordered(rows().select(({ id }) => ({ id, n: explode(upTo(id)) })))).toEqual(['1 0', '2 0', '2 1', '3 0', '3 1', '3 2'])
  })
  test('a column that nobody reads still multiplies the rows', async () => {
    expect(
      await rows()
        .select('id', explode(col('arr')))
        .select('id')
        .count(),
    ).toBe(3)
    expect(
      await rows()
        .select('id', posexplode(col('m')))
        .count(),
    ).toBe(1)
  })
  test('strings are split and exploded, then counted', async () => {
    const lines = engine().createDataFrame([{ line: 'a b a' }, { line: '' }], { line: t.string() })
    const words = lines.select(() => ({ word: explode(expr("split(line, ' ')") as never) }))
    expect((await ordered(words.groupBy('word').count() as never)).sort()).toEqual([' 1', 'a 2', 'b 1'])
  })
})

describe('errors', () => {
  const wrong: readonly (readonly [string, string])[] = [
    ['explode(arr) + 1', 'UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS'],
    ['explode(explode(array(arr)))', 'UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS'],
    ['explode(id)', 'DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE'],
    ['inline(arr)', 'DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE'],
    ['explode(m) AS x', 'UDTF_ALIAS_NUMBER_MISMATCH'],
    ['explode(arr) AS (x, y)', 'UDTF_ALIAS_NUMBER_MISMATCH'],
    ['posexplode(arr) AS (x, x)', 'COLUMN_ALREADY_EXISTS'],
    ['id AS (x, y)', 'MULTI_ALIAS_WITHOUT_GENERATOR'],
    ['explode()', 'WRONG_NUM_ARGS.WITHOUT_SUGGESTION'],
    ['stack(2, 1, "a", "x", "b")', 'DATATYPE_MISMATCH.STACK_COLUMN_DIFF_TYPES'],
    ['stack(0, 1)', 'DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE'],
    ['stack(id, 1)', 'DATATYPE_MISMATCH.NON_FOLDABLE_INPUT'],
    ['json_tuple(j)', 'WRONG_NUM_ARGS.WITHOUT_SUGGESTION'],
  ]
  test.each(wrong)('%s: %s', (text, expected) => {
    expect(() => rows().selectExpr(text)).toThrow(code(expected))
  })
  test('outside of a select', () => {
    expect(() => rows().where('explode(arr) > 1')).toThrow(code('UNSUPPORTED_GENERATOR.OUTSIDE_SELECT'))
    expect(() => rows().orderBy(expr('explode(arr)'))).toThrow(code('UNSUPPORTED_GENERATOR.OUTSIDE_SELECT'))
  })
})

test('filters of the input go below, filters of what is generated stay', () => {
  const plan = rows()
    .select('id', posexplode(col('arr')).as('i', 'e'))
    .where('id > 1 AND e > 2')
  expect(explainLogical(optimize(planOf(plan)))).toBe(
    'Project [id, i, e]\n+- Filter (e > 2)\n   +- Generate posexplode(arr) [i, e]\n      +- Filter (id > 1)\n         +- LocalRelation [id, arr, m, st, j]\n',
  )
})

test('in a stream, with the watermark of a column that is passed through', async () => {
  const input = new MemoryStream(engine(), { at: t.timestamp(), tags: t.array(t.string()) })
  const at = (second: number) => new Date(second * 1000)
  const counted = input
    .toDF()
    .withWatermark('at', '5 seconds')
    .select(({ at, tags }) => ({ at, tag: explode(tags) }))
    .groupBy(({ at, tag }) => ({ window: window(at, '10 seconds'), tag }))
    .agg(() => ({ n: expr('count(*)') as never }))
    .select(({ window, tag, n }) => ({ start: window.start, tag, n })) as never
  await testStream(counted, [
    startStream(),
    addData(input as never, { at: at(1), tags: ['a', 'b', 'a'] } as never, { at: at(2), tags: [] } as never),
    addData(input as never, { at: at(30), tags: ['c'] } as never),
    processAllAvailable(),
    checkAnswer({ start: at(0), tag: 'a', n: 2n } as never, { start: at(0), tag: 'b', n: 1n } as never),
  ])
})
