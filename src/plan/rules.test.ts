import { expect, test } from 'vitest'
import { alias, batchScan, distinct, filter, groupBy, join, project, streamScan, union, watermark } from './analyze.ts'
import { explainLogical } from './explain.ts'
import type { UnresolvedExpression } from './expression.ts'
import type { JoinType, LogicalPlan } from './logical-plan.ts'
import { optimize } from './rules.ts'
import { parseDdl } from './schema-text.ts'

const stream = streamScan({ format: 'json', options: { path: '/in' }, schema: parseDdl('at timestamp, k string, n int') })
const table = batchScan({ format: 'parquet', options: {}, paths: ['/t'], schema: parseDdl('k string, m int') })
const marked = watermark(stream, 'at', '10 seconds')
const a = (name: string, side?: 'left' | 'right'): UnresolvedExpression => ({ kind: 'attribute', name, ...(side ? { side } : {}) })
const lit = (value: number | string): UnresolvedExpression => ({
  kind: 'literal',
  value,
  type: typeof value === 'string' ? 'string' : 'int',
})
const c = (name: string, ...args: UnresolvedExpression[]): UnresolvedExpression => ({ kind: 'call', name, args })
const and = (...parts: UnresolvedExpression[]) => parts.reduce((x, y) => c('and', x, y))
const lines = (plan: LogicalPlan) => explainLogical(optimize(plan)).trimEnd().split('\n')

test('a filter goes below a watermark but for what reads the event time or the clock', () => {
  const plan = filter(
    marked,
    and(c('>', a('n'), lit(1)), c('isnotnull', a('at')), c('==', a('k'), lit('x')), c('<', c('current_date'), lit('2030-01-01'))),
  )
  expect(lines(plan)).toEqual([
    'Filter ((at IS NOT NULL) AND (current_date() < cast(2030-01-01 as date)))',
    '+- EventTimeWatermark at, 10 seconds',
    '   +- Filter ((n > 1) AND (k = x))',
    '      +- StreamingRelation json /in [at, k, n]',
  ])
  const stays = filter(marked, c('isnotnull', a('at')))
  expect(optimize(stays)).toBe(stays)
})

test('it finds its way through projections, aliases and other filters', () => {
  const plan = filter(
    filter(project(alias(marked, 's'), [a('s.at'), { kind: 'alias', input: c('+', a('n'), lit(1)), name: 'm' }]), c('>', a('m'), lit(5))),
    c('>', a('at'), lit('2020-01-01')),
  )
  expect(lines(plan)).toEqual([
    'Project [at, (n + 1) AS m]',
    '+- SubqueryAlias s',
    '   +- Filter (at > cast(2020-01-01 as timestamp))',
    '      +- EventTimeWatermark at, 10 seconds',
    '         +- Filter ((n + 1) > 5)',
    '            +- StreamingRelation json /in [at, k, n]',
  ])
})

test('it does not pass a window, which multiplies rows', () => {
  const windows = project(marked, [c('window', a('at'), lit('10 seconds'), lit('5 seconds')), a('n')])
  expect(lines(filter(windows, c('>', a('n'), lit(1))))[0]).toBe('Filter (n > 1)')
})

test('below a union it goes to every input, below an aggregation only by its keys', () => {
  expect(lines(filter(union([marked, marked]), c('>', a('n'), lit(1)))).filter((line) => line.includes('Filter'))).toEqual(
    [':  +- Filter (n > 1)', '   +- Filter (n > 1)'].map((l) => l.padStart(0)),
  )
  const counted = groupBy(marked, [{ expression: a('k') }], [{ name: 'c', expression: c('count') }])
  expect(lines(filter(counted, and(c('==', a('k'), lit('x')), c('>', a('c'), lit(1)))))).toEqual([
    'Filter (c > 1)',
    '+- Aggregate [k], [k, count(1) AS c]',
    '   +- EventTimeWatermark at, 10 seconds',
    '      +- Filter (k = x)',
    '         +- StreamingRelation json /in [at, k, n]',
  ])
})

const pushed = (how: JoinType, above: boolean): string[] => {
  const parts = (side?: 'left' | 'right') => [c('>', a('n', side && 'left'), lit(1)), c('>', a('m', side && 'right'), lit(2))]
  const plan = above
    ? filter(join(marked, table, { using: ['k'] }, how), and(...parts()))
    : join(marked, table, { condition: and(c('==', a('k', 'left'), a('k', 'right')), ...parts('left')) }, how)
  const text = lines(plan)
  const watermarkAt = text.findIndex((line) => line.includes('EventTimeWatermark'))
  return text.flatMap((line, i) =>
    /Filter/.test(line)
      ? [
          `${/n > 1/.test(line) ? 'n' : ''}${/m > 2/.test(line) ? 'm' : ''} ${i === 0 ? 'above' : i > watermarkAt && line.includes('n > 1') ? 'below watermark' : 'below join'}`,
        ]
      : [],
  )
}

test('a filter above a join goes to a side whose rows the join keeps', () => {
  expect(pushed('inner', true)).toEqual(['n below watermark', 'm below join'])
  expect(pushed('left', true)).toEqual(['m above', 'n below watermark'])
  expect(pushed('right', true)).toEqual(['n above', ' below join', 'm below join'])
  expect(pushed('full', true)).toEqual(['nm above'])
})

test('a one-sided part of a join condition goes to a side whose failing rows the join leaves out', () => {
  expect(pushed('inner', false)).toEqual(['n below watermark', 'm below join'])
  expect(pushed('left', false)).toEqual(['m below join'])
  expect(pushed('right', false)).toEqual(['n below watermark'])
  expect(pushed('full', false)).toEqual([])
  expect(pushed('semi', false)).toEqual(['n below watermark', 'm below join'])
  expect(pushed('anti', false)).toEqual(['m below join'])
})

test('filters by a key of a full join stay above it', () => {
  const plan = filter(join(stream, table, { using: ['k'] }, 'full'), c('==', a('k'), lit('x')))
  expect(lines(plan)[0]).toBe('Filter (k = x)')
  const right = filter(join(stream, table, { using: ['k'] }, 'right'), c('==', a('k'), lit('x')))
  expect(lines(right)).toEqual([
    'Join RightOuter, (k = k)',
    ':- Filter ((k IS NOT NULL) AND (k = x))', // follows from the key
    ':  +- StreamingRelation json /in [at, k, n]',
    '+- Filter (k = x)',
    '   +- Relation parquet /t [k, m]',
  ])
})

test('what a join says of the stream alone goes below the watermark: keys without null, and what is said of the equal column', () => {
  const other = filter(table, and(c('>', a('k'), lit('b')), c('==', c('/', lit(1), a('m')), lit(1))))
  const condition = and(c('==', a('k', 'left'), a('k', 'right')), c('<', a('n', 'left'), a('m', 'right')))
  const below = (how: JoinType) => lines(join(marked, other, { condition }, how)).filter((line) => /Filter|Watermark/.test(line))
  const ofTable = '+- Filter ((k > b) AND ((1.0 / cast(m as double)) = 1.0))'
  for (const how of ['inner', 'semi'] as const)
    expect(below(how), how).toEqual([
      ':- EventTimeWatermark at, 10 seconds',
      ':  +- Filter (((k IS NOT NULL) AND (n IS NOT NULL)) AND (k > b))',
      ofTable,
    ])
  for (const how of ['left', 'anti', 'full'] as const) expect(below(how), how).toEqual([':- EventTimeWatermark at, 10 seconds', ofTable])
})

test('an outer join of streams completes no rows that a filter above refuses', () => {
  const other = streamScan({ format: 'json', options: { path: '/other' }, schema: parseDdl('when timestamp, key string, m int') })
  const joined = (how: JoinType) => join(stream, other, { condition: c('==', a('k', 'left'), a('key', 'right')) }, how)
  const under = (condition: UnresolvedExpression, how: JoinType) =>
    lines(filter(joined(how), condition))
      .find((line) => line.includes('Join'))!
      .match(/Join (\w+)/)![1]
  const left = c('>', a('n'), lit(1))
  const right = c('isnotnull', a('m'))
  expect((['left', 'right', 'full'] as const).map((how) => under(left, how))).toEqual(['LeftOuter', 'Inner', 'LeftOuter'])
  expect((['left', 'right', 'full'] as const).map((how) => under(right, how))).toEqual(['Inner', 'RightOuter', 'RightOuter'])
  expect(under(and(left, right), 'full')).toBe('Inner')
  expect(under(c('<', a('n'), c('+', a('m'), lit(1))), 'full')).toBe('Inner')
  const either = (...parts: UnresolvedExpression[]) => parts.reduce((x, y) => c('or', x, y))
  expect(under(either(right, c('>', a('m'), lit(3))), 'left')).toBe('Inner')
  expect(under(c('not', c('isnull', a('m'))), 'left')).toBe('Inner')
  expect(under(c('in', a('m'), lit(1), lit(2)), 'left')).toBe('Inner')
  for (const keeps of [
    either(right, left),
    c('isnull', a('m')),
    c('>', c('coalesce', a('m'), lit(5)), lit(1)),
    c('<=>', a('m'), lit(1)),
    c('not', right),
  ])
    expect(under(keeps, 'left'), JSON.stringify(keeps)).toBe('LeftOuter')
})

test('rows without a time are in no window, so that an outer join below completes no times', () => {
  const other = streamScan({ format: 'json', options: { path: '/other' }, schema: parseDdl('when timestamp, key string, m int') })
  const joined = join(stream, other, { condition: c('==', a('k', 'left'), a('key', 'right')) }, 'left')
  const windowed = (time: string) => groupBy(joined, [{ name: 'w', expression: c('window', a(time), lit('5 seconds')) }], [])
  const joinsOf = (plan: LogicalPlan) => lines(plan).filter((line) => line.includes('Join'))
  expect(joinsOf(windowed('when'))).toEqual([expect.stringContaining('Join Inner')])
  expect(joinsOf(windowed('at'))).toEqual([expect.stringContaining('Join LeftOuter')])
})

test('a semi or anti join with a table goes below the steps with state', () => {
  const other = streamScan({ format: 'json', options: { path: '/other' }, schema: parseDdl('when timestamp, key string, o int') })
  const words = batchScan({ format: 'parquet', options: {}, paths: ['/w'], schema: parseDdl('word string') })
  const kept = (plan: LogicalPlan, column: string, how: JoinType) =>
    lines(join(plan, words, { condition: c('==', a(column, 'left'), a('word', 'right')) }, how)).map((line) =>
      line.replaceAll(/[ :+-]*(\w+).*/g, '$1'),
    )
  const grouped = groupBy(
    marked,
    [
      { name: 'g', expression: a('k') },
      { name: 'w', expression: c('window', a('at'), lit('5 seconds')) },
    ],
    [],
  )
  const renamed = project(grouped, [{ kind: 'alias', name: 'h', input: a('g') }])
  for (const how of ['semi', 'anti'] as const) expect(kept(renamed, 'h', how).slice(0, 3), how).toEqual(['Project', 'Aggregate', 'Join'])
  expect(kept(renamed, 'h', 'inner')[0]).toBe('Join')
  const counted = groupBy(marked, [], [{ name: 'k', expression: c('max', a('k')) }])
  expect(kept(counted, 'k', 'semi')[0]).toBe('Join')
  const both = (how: JoinType) => join(stream, other, { condition: c('==', a('k', 'left'), a('key', 'right')) }, how)
  const joins = (plan: LogicalPlan, column: string) =>
    lines(join(plan, words, { condition: c('==', a(column, 'left'), a('word', 'right')) }, 'semi')).flatMap(
      (line) => line.match(/Join (\w+)/)?.[1] ?? [],
    )
  expect(joins(both('left'), 'k')).toEqual(['LeftOuter', 'LeftSemi'])
  expect(joins(both('right'), 'key')).toEqual(['RightOuter', 'LeftSemi'])
  // a key that a table has is not null
  expect(joins(both('left'), 'key')).toEqual(['Inner', 'LeftSemi'])
  expect(joins(both('full'), 'key')).toEqual(['RightOuter', 'LeftSemi'])
})

test('of two aggregations of a stream one that changes nothing goes', () => {
  const keys = [{ expression: a('k') }, { name: 'w', expression: c('window', a('at'), lit('5 seconds')) }]
  const grouped = groupBy(marked, keys, [{ name: 'c', expression: c('count') }])
  const count = (plan: LogicalPlan) => lines(plan).filter((line) => /Aggregate|Distinct/.test(line)).length
  const again = (value: UnresolvedExpression, ...by: string[]) =>
    count(
      groupBy(
        grouped,
        by.map((name) => ({ expression: a(name) })),
        [{ name: 'x', expression: value }],
      ),
    )
  expect(count(distinct(grouped))).toBe(1)
  expect(count(distinct(filter(grouped, c('>', a('c'), lit(1)))))).toBe(1)
  expect(count(distinct(project(grouped, [a('w'), a('k')])))).toBe(1)
  expect(count(distinct(project(grouped, [a('w'), { kind: 'alias', name: 'l', input: c('upper', a('k')) }])))).toBe(1)
  expect(again(c('max', a('k')), 'w')).toBe(1)
  expect(count(distinct(project(distinct(marked), [a('at'), a('k')])))).toBe(1)
  const filtered = lines(filter(distinct(marked), c('>', a('n'), lit(1)))).map((line) => line.replaceAll(/[ :+-]*(\w+).*/g, '$1'))
  expect(filtered.slice(0, 3)).toEqual(['Distinct', 'EventTimeWatermark', 'Filter'])
  // what the lower one counts is read, or how many rows it gives
  expect(count(distinct(project(grouped, [a('w'), a('c')])))).toBe(2)
  expect(count(distinct(project(filter(grouped, c('>', a('c'), lit(1))), [a('w')])))).toBe(2)
  expect(again(c('max', a('c')), 'w')).toBe(2)
  expect(again(c('count'), 'w')).toBe(2)
  const sessions = groupBy(marked, [{ expression: a('k') }, { name: 'w', expression: c('session_window', a('at'), lit('5 seconds')) }], [])
  expect(count(groupBy(sessions, [{ expression: a('w') }], [{ name: 'x', expression: c('max', a('k')) }]))).toBe(2)
})

test('a condition does not grow without bound on its way down', () => {
  let plan: LogicalPlan = project(marked, [a('at'), a('n')])
  for (let i = 0; i < 60; i++) plan = project(plan, [a('at'), { kind: 'alias', name: 'n', input: c('+', a('n'), a('n')) }])
  const text = lines(filter(plan, c('>', a('n'), lit(1)))).join('\n')
  expect(text.length).toBeLessThan(20_000)
  expect(text).toMatch(/^Project/)
})

test('a plan that is joined with itself stays one below both sides', () => {
  const shared = filter(marked, c('>', a('n'), lit(1)))
  const plan = optimize(join(alias(shared, 'x'), alias(shared, 'y'), { condition: c('==', a('x.k'), a('y.k')) }))
  if (plan.kind !== 'join' || plan.left.kind !== 'alias' || plan.right.kind !== 'alias') throw new Error('not the plan that was made')
  expect(plan.left.input).toBe(plan.right.input)
  expect(explainLogical(plan.left.input).split('\n')[0]).toContain('EventTimeWatermark')
})
