import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DuckDb } from '../../test/planner/duckdb.ts'
import { as, call, col, eq, item, lit, window } from '../../test/planner/plans.ts'
import { nestedSql } from '../../test/planner/run-plan.ts'
import { Schema } from '../data/schema.ts'
import type { DataType } from '../data/types.ts'
import * as plan from '../plan/analyze.ts'
import type { JoinType, LogicalPlan } from '../plan/logical-plan.ts'
import { planBatch } from './streaming.ts'

let duckdb: DuckDb
beforeAll(async () => {
  duckdb = await DuckDb.open()
})
afterAll(() => duckdb.close())

const table = (name: string, ...columns: (readonly [string, DataType])[]) =>
  plan.batchScan({
    format: 'table',
    options: {},
    paths: [name],
    schema: new Schema(columns.map(([column, type]) => ({ name: column, type, nullable: true }))),
  })
const contents: Readonly<Record<string, string>> = {
  left: "(SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (2, 'c'), (NULL, 'd')) AS v(c0, c1))",
  right: "(SELECT * FROM (VALUES (2, 'x'), (3, 'y'), (NULL, 'z')) AS v(c0, c1))",
  numbers: "(SELECT * FROM (VALUES (-0e0), (0e0), (CAST('nan' AS DOUBLE)), (CAST('nan' AS DOUBLE)), (NULL), (NULL)) AS v(c0))",
  times: "(SELECT CAST(c0 AS TIMESTAMP) AS c0 FROM (VALUES ('1970-01-01 00:00:07'), (NULL)) AS v(c0))",
}
const left = () => table('left', ['id', 'int'], ['l', 'string'])
const right = () => table('right', ['id', 'int'], ['r', 'string'])
async function rows(logical: LogicalPlan): Promise<(string | null)[][]> {
  return duckdb.texts(
    `SELECT * FROM ${nestedSql(planBatch(logical), (node) => (node.kind === 'scan' ? contents[node.scan.paths[0]!]! : 'nothing'))}`,
  )
}
const sorted = (values: (string | null)[][]) => values.map((row) => JSON.stringify(row)).sort()

describe('joins', () => {
  const expected: Readonly<Record<JoinType, (string | null)[][]>> = {
    inner: [
      ['2', 'b', 'x'],
      ['2', 'c', 'x'],
    ],
    left: [
      ['1', 'a', null],
      ['2', 'b', 'x'],
      ['2', 'c', 'x'],
      [null, 'd', null],
    ],
    right: [
      ['2', 'b', 'x'],
      ['2', 'c', 'x'],
      ['3', null, 'y'],
      [null, null, 'z'],
    ],
    full: [
      ['1', 'a', null],
      ['2', 'b', 'x'],
      ['2', 'c', 'x'],
      ['3', null, 'y'],
      [null, 'd', null],
      [null, null, 'z'],
    ],
    semi: [
      ['2', 'b'],
      ['2', 'c'],
    ],
    anti: [
      ['1', 'a'],
      [null, 'd'],
    ],
    cross: [
      ['2', 'b', 'x'],
      ['2', 'c', 'x'],
    ],
  }
  test.each(Object.keys(expected) as JoinType[])('%s with using: the key once and first', async (how) => {
    const joined = plan.join(left(), right(), { using: ['id'] }, how)
    expect(sorted(await rows(joined))).toEqual(sorted(expected[how]))
    const keyLast = plan.join(
      plan.project(left(), [col('l'), col('id')]),
      plan.project(right(), [col('r'), col('id')]),
      { using: ['id'] },
      how,
    )
    expect(sorted(await rows(keyLast))).toEqual(sorted(expected[how]))
  })
  test('on a condition: left columns, then right', async () => {
    const joined = plan.join(plan.alias(left(), 'a'), plan.alias(right(), 'b'), { condition: call('<', col('a.id'), col('b.id')) })
    expect(sorted(await rows(joined))).toEqual(
      sorted([
        ['1', 'a', '2', 'x'],
        ['1', 'a', '3', 'y'],
        ['2', 'b', '3', 'y'],
        ['2', 'c', '3', 'y'],
      ]),
    )
  })
  test('cross', async () => {
    expect(await rows(plan.join(left(), right(), null, 'cross'))).toHaveLength(12)
  })
  test('of computed, filtered and joined sides', async () => {
    const one = plan.filter(plan.project(left(), [as(call('+', col('id'), lit(1)), 'id'), col('l')]), call('isnotnull', col('id')))
    const two = plan.filter(
      plan.join(right(), plan.project(left(), [col('id'), as(call('upper', col('l')), 'u')]), { using: ['id'] }, 'left'),
      call('!=', col('r'), lit('z')),
    )
    expect(sorted(await rows(plan.join(one, two, { using: ['id'] }, 'full')))).toEqual(
      sorted([
        ['2', 'a', 'x', 'B'],
        ['2', 'a', 'x', 'C'],
        ['3', 'b', 'y', null],
        ['3', 'c', 'y', null],
      ]),
    )
    expect(sorted(await rows(plan.join(two, one, { using: ['id'] }, 'right')))).toEqual(
      sorted([
        ['2', 'x', 'B', 'a'],
        ['2', 'x', 'C', 'a'],
        ['3', 'y', null, 'b'],
        ['3', 'y', null, 'c'],
      ]),
    )
  })
  test('a filter of the left side stays with the left side', async () => {
    const filtered = plan.filter(left(), eq(col('l'), lit('b')))
    expect(sorted(await rows(plan.join(filtered, right(), { using: ['id'] }, 'full')))).toEqual(
      sorted([
        ['2', 'b', 'x'],
        ['3', null, 'y'],
        [null, null, 'z'],
      ]),
    )
    expect(sorted(await rows(plan.join(filtered, right(), { using: ['id'] }, 'left')))).toEqual(sorted([['2', 'b', 'x']]))
  })
})

describe('rows', () => {
  test('distinct: -0 is 0, NaN is NaN, null is null', async () => {
    expect(sorted(await rows(plan.distinct(table('numbers', ['x', 'double']))))).toEqual(sorted([['0'], ['NaN'], [null]]))
  })
  test('groups: -0 is 0, NaN is NaN, null is null', async () => {
    expect(sorted(await rows(plan.groupBy(table('numbers', ['x', 'double']), [item('x', col('x'))], [item('n', call('count'))])))).toEqual(
      sorted([
        ['0', '2'],
        ['NaN', '2'],
        [null, '2'],
      ]),
    )
  })
  test('sort, limit and what comes after', async () => {
    const down = plan.sort(left(), [{ kind: 'sort', input: col('l'), descending: true, nullsFirst: false }])
    expect(await rows(plan.limit(down, 2))).toEqual([
      [null, 'd'],
      ['2', 'c'],
    ])
    expect(await rows(plan.filter(plan.limit(down, 2), call('isnotnull', col('id'))))).toEqual([['2', 'c']])
    expect(await rows(plan.limit(plan.limit(down, 1), 3))).toEqual([[null, 'd']])
    expect(await rows(plan.project(plan.limit(down, 2), [as(call('concat', col('l'), lit('!')), 'l')]))).toEqual([['d!'], ['c!']])
    expect(await rows(plan.sort(plan.limit(down, 2), [col('l')]))).toEqual([
      ['2', 'c'],
      [null, 'd'],
    ])
    expect(await rows(plan.groupBy(plan.limit(down, 2), [], [item('n', call('count'))]))).toEqual([['2']])
    expect(sorted(await rows(plan.union([plan.limit(down, 1), plan.limit(down, 1)])))).toEqual(
      sorted([
        [null, 'd'],
        [null, 'd'],
      ]),
    )
    expect(await rows(plan.distinct(plan.limit(down, 1)))).toEqual([[null, 'd']])
  })
  test('nulls first and last', async () => {
    const order = (descending: boolean, nullsFirst: boolean) =>
      rows(plan.project(plan.sort(left(), [{ kind: 'sort', input: col('id'), descending, nullsFirst }, col('l')]), [col('l')]))
    expect((await order(false, true)).flat().join('')).toBe('dabc')
    expect((await order(true, false)).flat().join('')).toBe('bcad')
  })
  test('union by position', async () => {
    expect(sorted(await rows(plan.union([left(), right()])))).toHaveLength(7)
  })
  test('a computed column that is read twice is computed once', async () => {
    const once = plan.project(left(), [as(call('*', col('id'), lit(10)), 'x')])
    const twice = planBatch(plan.project(once, [as(call('+', col('x'), col('x')), 'y')]))
    expect(twice.kind === 'fragment' && twice.sql).toBe(
      'SELECT (t1.c0 + t1.c0) AS c0 FROM (SELECT (t0.c0 * 10) AS c0 FROM ⟦0⟧ AS t0) AS t1',
    )
  })
  test('nothing to do is no fragment', () => {
    expect(planBatch(plan.alias(left(), 'a')).kind).toBe('scan')
    expect(planBatch(plan.renameColumn(left(), 'l', 'm')).schema.names).toEqual(['id', 'm'])
  })
  test('distinct aggregates of a batch', async () => {
    const distinct = (name: string, ...columns: string[]) => ({ kind: 'call' as const, name, args: columns.map(col), distinct: true })
    expect(
      await rows(
        plan.groupBy(
          left(),
          [],
          [
            item('n', distinct('count', 'id')),
            item('s', distinct('sum', 'id')),
            item('p', distinct('count', 'id', 'l')),
            item('a', distinct('avg', 'id')),
          ],
        ),
      ),
    ).toEqual([['2', '3', '3', '1.5']])
  })
  test('an aggregate over keys and aggregates', async () => {
    const grouped = plan.groupBy(
      left(),
      [item('k', call('+', col('id'), lit(1)))],
      [item('x', call('*', call('+', col('id'), lit(1)), call('count')))],
    )
    expect(sorted(await rows(grouped))).toEqual(
      sorted([
        ['2', '2'],
        ['3', '6'],
        [null, null],
      ]),
    )
  })
  test('a column that is no key is refused', () => {
    const grouped = plan.groupBy(left(), [item('id', col('id'))], [item('n', call('count'))])
    const broken: LogicalPlan = {
      ...grouped,
      aggregates: [{ name: 'n', expression: { kind: 'column', name: 'l', index: 1, type: 'string', nullable: true } }],
    }
    expect(() => planBatch(broken)).toThrow('MISSING_AGGREGATION')
  })
})

describe('windows in a projection', () => {
  const times = () => table('times', ['t', 'timestamp'])
  const starts = (...texts: string[]) =>
    plan.project(plan.project(times(), [as(window('t', ...texts), 'w')]), [
      as(call('unix_seconds', col('w.start')), 's'),
      as(call('unix_seconds', col('w.end')), 'e'),
    ])
  test('tumbling: a struct; rows without a time go', async () => {
    expect(await rows(starts('5 seconds'))).toEqual([['5', '10']])
  })
  test('sliding: a row for each window', async () => {
    expect(sorted(await rows(starts('5 seconds', '2 seconds')))).toEqual(
      sorted([
        ['4', '9'],
        ['6', '11'],
      ]),
    )
    expect(sorted(await rows(starts('6 seconds', '2 seconds', '1 second')))).toEqual(
      sorted([
        ['3', '9'],
        ['5', '11'],
        ['7', '13'],
      ]),
    )
  })
  test('rows are multiplied also where nobody reads the window', async () => {
    const unread = plan.project(plan.project(times(), [as(window('t', '6 seconds', '2 seconds'), 'w'), as(lit(1), 'one')]), [col('one')])
    expect(await rows(unread)).toHaveLength(3)
  })
})
