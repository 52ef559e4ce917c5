import { expect, test } from 'vitest'
import type { UserFunction } from '../data/user-function.ts'
import { filter, groupBy, join, project, streamScan, watermark } from './analyze.ts'
import { explainLogical } from './explain.ts'
import type { UnresolvedExpression } from './expression.ts'
import type { LogicalPlan } from './logical-plan.ts'
import { optimize } from './rules.ts'
import { parseDdl } from './schema-text.ts'

const stream = () => streamScan({ format: 'json', options: { path: '/in' }, schema: parseDdl('at timestamp, k string, n int') })
const a = (name: string): UnresolvedExpression => ({ kind: 'attribute', name })
const one: UnresolvedExpression = { kind: 'literal', value: 1, type: 'int' }
const c = (name: string, ...args: UnresolvedExpression[]): UnresolvedExpression => ({ kind: 'call', name, args })
const as = (input: UnresolvedExpression, name: string): UnresolvedExpression => ({ kind: 'alias', input, name })
const userFunction = (name: string, deterministic = true): UserFunction => ({
  name,
  argumentTypes: null,
  returnType: 'int',
  nullable: true,
  deterministic,
  skipNulls: false,
  body: { kind: 'rows', call: (x) => x, concurrency: 1, timeoutMs: null },
})
const f = userFunction('f')
const dice = userFunction('dice', false)
const call = (...args: UnresolvedExpression[]): UnresolvedExpression => ({ kind: 'user-call', function: f, args })
const throwDice: UnresolvedExpression = { kind: 'user-call', function: dice, args: [] }
const lines = (plan: LogicalPlan) => explainLogical(optimize(plan)).trimEnd().split('\n')

test('a plan without user functions stays itself', () => {
  const plan = filter(stream(), c('>', a('n'), one))
  expect(optimize(plan)).toBe(plan)
})

test('equal calls are computed once, calls in calls first, calls that may differ each', () => {
  const plan = project(stream(), [
    as(call(a('n')), 'x'),
    as(c('+', call(a('n')), one), 'y'),
    as(call(call(a('n'))), 'z'),
    as(throwDice, 'd'),
    as(throwDice, 'e'),
  ])
  expect(lines(plan)).toEqual([
    'Project [f AS x, (f + 1) AS y, f AS z, dice AS d, dice AS e]',
    '+- UserCalls [f(f)]',
    '   +- UserCalls [f(n), dice(), dice()]',
    '      +- StreamingRelation json /in [at, k, n]',
  ])
})

test('a condition by a result stays above its projection; the rest goes below the call', () => {
  const plan = filter(project(stream(), [a('k'), as(call(a('n')), 'x')]), c('and', c('>', a('x'), one), c('isnotnull', a('k'))))
  expect(lines(plan)).toEqual([
    'Filter (x > 1)',
    '+- Project [k, f AS x]',
    '   +- UserCalls [f(n)]',
    '      +- Filter (k IS NOT NULL)',
    '         +- StreamingRelation json /in [at, k, n]',
  ])
})

test('a call in a condition: below it what needs no call, and below a watermark as in Spark', () => {
  const marked = watermark(stream(), 'at', '10 seconds')
  expect(
    lines(filter(marked, c('and', c('>', call(a('n')), one), c('==', a('k'), { kind: 'literal', value: 'x', type: 'string' })))),
  ).toEqual([
    'EventTimeWatermark at, 10 seconds',
    '+- Project [at, k, n]',
    '   +- Filter (f > 1)',
    '      +- UserCalls [f(n)]',
    '         +- Filter (k = x)',
    '            +- StreamingRelation json /in [at, k, n]',
  ])
})

test('keys and arguments of aggregates below, calls over aggregates above', () => {
  const sum = c('sum', call(a('n')))
  expect(
    lines(
      groupBy(
        stream(),
        [{ name: 'g', expression: call(a('n')) }],
        [
          { name: 's', expression: sum },
          { name: 'o', expression: call(c('max', a('n'))) },
        ],
      ),
    ),
  ).toEqual([
    'Project [g, sum AS s, f AS o]',
    '+- UserCalls [f(max)]',
    '   +- Aggregate [f], [f AS g, sum(f) AS aggregate0, max(n) AS aggregate1]',
    '      +- UserCalls [f(n)]',
    '         +- StreamingRelation json /in [at, k, n]',
  ])
})

test('a condition of a join: each side computes its own, and pairs are filtered by calls over both', () => {
  const [l, r] = [stream(), stream()]
  const left = (name: string): UnresolvedExpression => ({ kind: 'attribute', name, side: 'left' })
  const right = (name: string): UnresolvedExpression => ({ kind: 'attribute', name, side: 'right' })
  expect(lines(join(l, r, { condition: c('==', call(left('n')), right('n')) }))).toEqual([
    'Project [at, k, n, at, k, n]',
    '+- Join Inner, (f = n)',
    '   :- Project [at, k, n, f]',
    '   :  +- UserCalls [f(n)]',
    '   :     +- StreamingRelation json /in [at, k, n]',
    '   +- Filter (n IS NOT NULL)',
    '      +- StreamingRelation json /in [at, k, n]',
  ])
  expect(lines(join(l, r, { condition: c('==', call(left('n'), right('n')), one) }))).toEqual([
    'Project [at, k, n, at, k, n]',
    '+- Filter (f = 1)',
    '   +- UserCalls [f(n, n)]',
    '      +- Join Cross',
    '         :- StreamingRelation json /in [at, k, n]',
    '         +- StreamingRelation json /in [at, k, n]',
  ])
  expect(() => join(l, r, { condition: c('==', call(left('n'), right('n')), one) }, 'left')).toThrow(
    /UNSUPPORTED_FEATURE.PYTHON_UDF_IN_ON_CLAUSE/,
  )
})
