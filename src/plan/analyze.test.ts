import { describe, expect, test } from 'vitest'
import { typeText } from '../data/types.ts'
import {
  alias,
  batchScan,
  distinct,
  drop,
  filter,
  groupBy,
  join,
  limit,
  project,
  renameColumn,
  sort,
  streamScan,
  union,
  watermark,
  withColumns,
} from './analyze.ts'
import type { UnresolvedExpression } from './expression.ts'
import { expressionText } from './expression-tree.ts'
import type { LogicalPlan } from './logical-plan.ts'
import { parseDdl } from './schema-text.ts'

const scan = (ddl: string) => batchScan({ format: 'parquet', options: {}, paths: ['/in'], schema: parseDdl(ddl) })
const clicks = scan(
  'id bigint not null, at timestamp not null, price double, geo struct<lat: double not null, lon: double> not null, tags array<string>, props map<string,int>',
)
const a = (name: string): UnresolvedExpression => ({ kind: 'attribute', name })
const lit = (value: number | string | boolean): UnresolvedExpression => ({
  kind: 'literal',
  value,
  type: typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'boolean' : 'int',
})
const c = (name: string, ...args: UnresolvedExpression[]): UnresolvedExpression => ({ kind: 'call', name, args })
const columns = (plan: LogicalPlan) =>
  plan.schema.fields.map(
    (f) =>
      `${f.qualifier ? `${f.qualifier}.` : ''}${f.name}:${typeText(f.type)}${f.nullable ? '?' : ''}${f.watermarkDelayMs === undefined ? '' : `@${f.watermarkDelayMs}`}`,
  )
const code = (expected: string) => expect.objectContaining({ code: expected })

describe('names', () => {
  test('case does not matter, structs and maps have fields, backticks quote', () => {
    const plan = project(scan('`a.b` int, S struct<X: int>, m map<string,int> not null'), [
      a('`A.B`'),
      a('s.x'),
      a('m.k'),
      { kind: 'star' },
    ])
    expect(columns(plan)).toEqual(['A.B:int?', 'x:int?', 'k:int?', 'a.b:int?', 'S:struct<X:int>?', 'm:map<string,int>'])
    expect(plan.columns.map((column) => expressionText(column.expression)).slice(0, 3)).toEqual(['a.b', 'S.X', 'element_at(m, k)'])
  })
  test('a qualifier comes from alias and is kept until the column is renamed', () => {
    const named = alias(clicks, 'c')
    expect(columns(project(named, [a('c.id'), { kind: 'alias', input: a('price'), name: 'p' }]))).toEqual(['c.id:bigint', 'p:double?'])
    expect(() => project(clicks, [a('c.id')])).toThrow(code('UNRESOLVED_COLUMN.WITH_SUGGESTION'))
  })
  test('an unknown column is told the nearest', () => {
    expect(() => filter(clicks, c('>', a('prize'), lit(1)))).toThrow(/`prize` cannot be resolved\n.*\[`price`\]/)
    expect(() => project(clicks, [a('geo.lot')])).toThrow(/no such struct field `lot` in `lat`, `lon`\n.*\[`lat`, `lon`\]/)
    expect(() => project(scan('s struct<a:int, A:int>'), [a('s.a')])).toThrow(code('AMBIGUOUS_REFERENCE_TO_FIELDS'))
    expect(() => project(clicks, [a('price.x')])).toThrow(code('INVALID_EXTRACT_BASE_FIELD_TYPE'))
  })
  test.each(['', 'a.', '.a', 'a..b', '`a'])('%j is no name', (name) => {
    expect(() => project(clicks, [a(name)])).toThrow(code('INVALID_ATTRIBUTE_NAME_SYNTAX'))
  })
  test('unnamed columns are called as in Spark', () => {
    const cast: UnresolvedExpression = { kind: 'cast', input: a('price'), type: 'long', mode: 'ansi' }
    expect(
      project(clicks, [c('+', a('id'), lit(1)), cast, c('upper', lit('x')), c('window', a('at'), lit('1 minute'))]).schema.names,
    ).toEqual(['(id + 1)', 'price', 'upper(x)', 'window'])
    expect(groupBy(clicks, [], [{ expression: c('sum', cast) }]).schema.names).toEqual(['sum(CAST(price AS BIGINT))'])
  })
})

describe('columns', () => {
  test('withColumns replaces in place, adds at the end, and sees the input only', () => {
    const plan = withColumns(clicks, [
      { name: 'PRICE', expression: c('+', a('price'), lit(1)) },
      { name: 'double', expression: c('*', a('price'), lit(2)) },
    ])
    expect(columns(drop(plan, ['geo', 'tags', 'props']))).toEqual(['id:bigint', 'at:timestamp', 'PRICE:double?', 'double:double?'])
    expect(expressionText(plan.columns.at(-1)!.expression)).toBe('(price * 2.0)')
    expect(() =>
      withColumns(clicks, [
        { name: 'x', expression: lit(1) },
        { name: 'X', expression: lit(2) },
      ]),
    ).toThrow(code('COLUMN_ALREADY_EXISTS'))
  })
  test('drop and withColumnRenamed want names that exist', () => {
    expect(renameColumn(clicks, 'ID', 'key').schema.names[0]).toBe('key')
    expect(() => drop(clicks, ['prise'])).toThrow(/\[`price`\]/)
    expect(() => renameColumn(clicks, 'prise', 'x')).toThrow(code('UNRESOLVED_COLUMN.WITH_SUGGESTION'))
  })
  test('a cast that can not work is refused', () => {
    const cast = (name: string, type: 'int' | 'timestamp' | 'boolean'): UnresolvedExpression => ({
      kind: 'cast',
      input: a(name),
      type,
      mode: 'ansi',
    })
    expect(() => project(clicks, [cast('tags', 'int')])).toThrow(code('DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION'))
    expect(columns(project(clicks, [cast('id', 'timestamp'), { kind: 'cast', input: a('id'), type: 'int', mode: 'try' }]))).toEqual([
      'id:timestamp',
      'id:int?',
    ])
  })
  test('case: values meet in one type, and no else means null', () => {
    const when = (otherwise: UnresolvedExpression | null): UnresolvedExpression => ({
      kind: 'alias',
      name: 'x',
      input: { kind: 'case', branches: [{ condition: c('>', a('id'), lit(1)), value: lit(1) }], otherwise },
    })
    expect(columns(project(clicks, [when(null), when(a('id'))]))).toEqual(['x:int?', 'x:bigint'])
    expect(() => project(clicks, [when(lit(true))])).toThrow(code('DATATYPE_MISMATCH.DATA_DIFF_TYPES'))
  })
  test('intervals move timestamps and dates', () => {
    const interval = (text: string) => c('interval', lit(text))
    const dates = scan('d date not null, t timestamp')
    const plan = project(dates, [
      c('+', a('t'), interval('1 hour')),
      c('-', a('d'), interval('2 days')),
      c('+', interval('1 day 1 second'), a('d')),
      c('+', a('t'), interval('1 month 2 days')),
      c('-', a('d'), interval('1 month')),
      c('-', a('t'), a('d')),
      c('-', a('d'), a('d')),
      c('*', interval('1 day'), lit(2)),
    ])
    expect(plan.columns.map((column) => `${expressionText(column.expression)}:${typeText(column.expression.type)}`)).toEqual([
      "(t + INTERVAL '01' HOUR):timestamp",
      "(d - INTERVAL '2' DAY):date",
      "(cast(d as timestamp) + INTERVAL '1 00:00:01' DAY TO SECOND):timestamp",
      "((t + INTERVAL '1' MONTH) + INTERVAL '2' DAY):timestamp",
      "(d - INTERVAL '1' MONTH):date",
      '(t - cast(d as timestamp)):interval day to second',
      '(d - d):interval day',
      "(cast(INTERVAL '1' DAY as interval day to second) * 2):interval day to second",
    ])
    expect(() => project(dates, [c('-', interval('1 hour'), a('t'))])).toThrow(code('DATATYPE_MISMATCH.BINARY_OP_WRONG_TYPE'))
    expect(() => project(dates, [c('-', interval('1 hour'), interval('1 month'))])).toThrow(code('DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES'))
    expect(() => project(dates, [c('*', interval('1 hour'), interval('1 hour'))])).toThrow(code('DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE'))
    expect(() => project(dates, [c('+', lit(true), interval('1 hour'))])).toThrow(code('DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE'))
    expect(() => project(dates, [interval('1 month 1 hour')])).toThrow(code('UNSUPPORTED_CALENDAR_INTERVAL'))
  })
  test('getItem counts from 0', () => {
    expect(expressionText(project(clicks, [c('get_item', a('tags'), lit(0))]).columns[0]!.expression)).toBe('array_item(tags, 0)')
    expect(expressionText(project(clicks, [c('get_item', a('props'), lit('k'))]).columns[0]!.expression)).toBe('element_at(props, k)')
  })
})

describe('filter', () => {
  test('wants a boolean without aggregates and windows', () => {
    expect(filter(clicks, c('>', a('price'), lit(1))).condition.type).toBe('boolean')
    expect(() => filter(clicks, a('price'))).toThrow(code('DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN'))
    expect(() => filter(clicks, c('>', c('sum', a('price')), lit(1)))).toThrow(code('INVALID_WHERE_CONDITION'))
    expect(() => filter(clicks, c('isnull', c('window', a('at'), lit('1 minute'))))).toThrow(code('INVALID_WHERE_CONDITION'))
  })
})

describe('groupBy', () => {
  const window = c('window', a('at'), lit('10 minutes'), lit('5 minutes'), lit('1 minute'))
  test('keys come first, and may be used in the aggregates', () => {
    const plan = groupBy(
      watermark(clicks, 'at', '1 minute'),
      [{ name: 'w', expression: window }, { expression: a('id') }],
      [
        { name: 'n', expression: c('count') },
        { name: 'x', expression: c('+', a('ID'), c('max', a('price'))) },
        { name: 'start', expression: { kind: 'field', input: window, field: 'start' } },
      ],
    )
    expect(columns(plan)).toEqual([
      'w:struct<start:timestamp,end:timestamp>@60000',
      'id:bigint',
      'n:bigint',
      'x:double?',
      'start:timestamp',
    ])
    expect(plan.keys[0]!.expression).toMatchObject({
      kind: 'window',
      durationUs: 600_000_000n,
      slideUs: 300_000_000n,
      startUs: 60_000_000n,
    })
  })
  test('what is neither grouped nor aggregated is MISSING_AGGREGATION', () => {
    expect(() => groupBy(clicks, [{ expression: a('id') }], [{ expression: c('+', a('price'), c('count')) }])).toThrow(
      /"price" is not among the grouping keys \(id\)\n.*any_value\(price\)/,
    )
    expect(() => groupBy(clicks, [], [{ expression: a('id') }])).toThrow(code('MISSING_AGGREGATION'))
    expect(groupBy(clicks, [], [{ name: 'one', expression: lit(1) }]).schema.names).toEqual(['one'])
  })
  test('aggregates do not nest, do not group, and maps are no keys', () => {
    expect(() => groupBy(clicks, [], [{ expression: c('sum', c('max', a('price'))) }])).toThrow(code('NESTED_AGGREGATE_FUNCTION'))
    expect(() => groupBy(clicks, [{ expression: c('count') }], [])).toThrow(code('GROUP_BY_AGGREGATE'))
    expect(() => groupBy(clicks, [{ expression: a('props') }], [])).toThrow(code('GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE'))
    const twice = ['n', 'N'].map((name) => ({ name, expression: c('count') }))
    expect(() => groupBy(clicks, [{ expression: a('id') }], twice)).toThrow(code('COLUMN_ALREADY_EXISTS'))
    expect(groupBy(clicks, [{ expression: a('id') }], [{ name: 'ID', expression: c('count') }]).schema.names).toEqual(['id', 'ID'])
    expect(() => project(clicks, [c('sum', a('price'))])).toThrow(code('MISSING_GROUP_BY'))
  })
  test.each([
    [['0 seconds'], 'DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE'],
    [['-1 second'], 'DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE'],
    [['5 seconds', '10 seconds'], 'DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE'],
    [['10 seconds', '5 seconds', '5 seconds'], 'DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE'],
    [['1 month'], 'UNSUPPORTED_MONTH_INTERVAL'],
    [['ten seconds'], 'CANNOT_PARSE_INTERVAL'],
    [[], 'WRONG_NUM_ARGS.WITHOUT_SUGGESTION'],
  ])('window(at, %j) is %s', (texts, expected) => {
    expect(() => groupBy(clicks, [{ expression: c('window', a('at'), ...texts.map(lit)) }], [])).toThrow(code(expected))
  })
  test('a window is of a time, one to an operator', () => {
    expect(() => groupBy(clicks, [{ expression: c('window', a('id'), lit('1 second')) }], [])).toThrow(
      code('DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE'),
    )
    expect(() => groupBy(clicks, [{ expression: window }, { name: 'w2', expression: c('window', a('at'), lit('1 second')) }], [])).toThrow(
      code('MULTIPLE_TIME_WINDOWS'),
    )
    const windows = groupBy(watermark(clicks, 'at', '1 minute'), [{ expression: window }], [])
    const again = groupBy(windows, [{ expression: c('window', a('window'), lit('1 hour')) }], [])
    expect(expressionText(again.keys[0]!.expression)).toBe('window(window_time(window), 1 hour)')
    expect(again.keys[0]!.watermarkDelayMs).toBe(60_000)
  })
})

describe('withWatermark (cases A16 and A17)', () => {
  test('marks a top-level timestamp, also by qualifier; the mark goes with the column', () => {
    const marked = watermark(alias(clicks, 'a'), 'a.at', '1 day 2 hours')
    expect(marked).toMatchObject({ column: 'at', index: 1, delayMs: 93_600_000 })
    const renamed = project(renameColumn(marked, 'at', 'ts'), [
      a('ts'),
      { kind: 'alias', input: c('date_trunc', lit('hour'), a('ts')), name: 'hour' },
      { kind: 'alias', input: c('to_timestamp', a('ts')), name: 'same' },
    ])
    expect(columns(renamed)).toEqual(['ts:timestamp@93600000', 'hour:timestamp', 'same:timestamp'])
    expect(columns(filter(limit(distinct(scan('at timestamp')), 1), lit(true)))).toEqual(['at:timestamp?'])
  })
  test.each([
    ['nope', 'UNRESOLVED_COLUMN.WITH_SUGGESTION'],
    ['price', 'EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE'],
    ['geo.lat', 'EVENT_TIME_MUST_BE_TOP_LEVEL_COLUMN'],
    ['geo', 'EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE'],
  ])('%s is %s', (name, expected) => {
    expect(() => watermark(clicks, name, '1 day')).toThrow(code(expected))
  })
  test('a second mark takes the first one off', () => {
    const twice = watermark(watermark(scan('a timestamp, b timestamp'), 'a', '1 second'), 'b', '2 seconds')
    expect(columns(twice)).toEqual(['a:timestamp?', 'b:timestamp?@2000'])
  })
})

describe('join', () => {
  const l = scan('id int not null, x int not null')
  const r = scan('id bigint not null, y int not null')
  test.each([
    ['inner', ['id:int', 'x:int', 'y:int']],
    ['left', ['id:int', 'x:int', 'y:int?']],
    ['right', ['id:bigint', 'x:int?', 'y:int']],
    ['full', ['id:bigint', 'x:int?', 'y:int?']],
    ['semi', ['id:int', 'x:int']],
    ['anti', ['id:int', 'x:int']],
  ] as const)('using, %s', (how, expected) => {
    const plan = join(l, r, { using: ['ID'] }, how)
    expect(columns(plan)).toEqual(expected)
    expect(expressionText(plan.condition!)).toBe('(cast(id as bigint) = id)')
  })
  test('by condition: sides tell names apart, all columns stay', () => {
    const side = (name: string, of: 'left' | 'right'): UnresolvedExpression => ({ kind: 'attribute', name, side: of })
    const plan = join(l, r, { condition: c('==', side('id', 'left'), side('id', 'right')) }, 'left')
    expect(columns(plan)).toEqual(['id:int', 'x:int', 'id:bigint?', 'y:int?'])
    expect(plan.condition).toMatchObject({ args: [{ input: { index: 0 } }, { index: 2 }] })
    expect(() => project(plan, [a('id')])).toThrow(code('AMBIGUOUS_REFERENCE'))
    expect(() => join(l, r, { condition: c('==', a('id'), lit(1)) })).toThrow(/`id` is ambiguous/)
    expect(() => join(l, r, { condition: c('==', side('y', 'left'), lit(1)) })).toThrow(code('UNRESOLVED_COLUMN.WITH_SUGGESTION'))
    expect(columns(join(alias(l, 'l'), alias(r, 'r'), { condition: c('==', a('l.id'), a('r.id')) }))).toEqual([
      'l.id:int',
      'l.x:int',
      'r.id:bigint',
      'r.y:int',
    ])
  })
  test('what can not be joined', () => {
    expect(() => join(l, r, { using: ['x'] })).toThrow(/`x` cannot be resolved on the right side/)
    expect(() => join(l, r, { using: [] })).toThrow(code('MISSING_JOIN_CONDITION'))
    expect(() => join(l, r, null, 'left')).toThrow(code('MISSING_JOIN_CONDITION'))
    expect(() => join(l, r, { condition: a('x') })).toThrow(code('JOIN_CONDITION_IS_NOT_BOOLEAN_TYPE'))
    expect(join(l, r, null)).toMatchObject({ how: 'cross', condition: null })
  })
})

describe('union', () => {
  test('goes by position and widens types', () => {
    const plan = union([scan('a int not null, s string'), scan('b bigint, s string not null'), scan('c smallint not null, d string')])
    expect(columns(plan)).toEqual(['a:bigint?', 's:string?'])
    expect(plan.inputs.map((input) => input.kind)).toEqual(['project', 'scan', 'project'])
    expect(union([plan, scan('a bigint, s string')]).inputs).toHaveLength(4)
  })
  test('widths and types must fit', () => {
    expect(() => union([scan('a int'), scan('a int, b int')])).toThrow(code('NUM_COLUMNS_MISMATCH'))
    expect(() => union([scan('a int'), scan('a boolean')])).toThrow(code('INCOMPATIBLE_COLUMN_TYPE'))
  })
})

test('sort, limit and distinct check what they are given', () => {
  expect(sort(clicks, [a('price'), { kind: 'sort', input: a('id'), descending: true, nullsFirst: false }]).order).toMatchObject([
    { descending: false, nullsFirst: true },
    { descending: true, nullsFirst: false },
  ])
  expect(() => sort(clicks, [a('props')])).toThrow(code('DATATYPE_MISMATCH.INVALID_ORDERING_TYPE'))
  expect(() => limit(clicks, -1)).toThrow(code('INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE'))
  expect(() => limit(clicks, 1.5)).toThrow(code('INVALID_LIMIT_LIKE_EXPRESSION.DATA_TYPE'))
  expect(() => distinct(clicks)).toThrow(code('UNSUPPORTED_FEATURE.SET_OPERATION_ON_MAP_TYPE'))
  expect(() => project(clicks, [{ kind: 'sort', input: a('id'), descending: true, nullsFirst: false }])).toThrow(
    code('UNSUPPORTED_EXPR_FOR_OPERATOR'),
  )
})

test('two stream scans are two sources, unless they share a token', () => {
  const scanOf = (token?: string) => streamScan({ format: 'memory', options: {}, schema: parseDdl('a int'), ...(token ? { token } : {}) })
  expect(scanOf().token).not.toBe(scanOf().token)
  expect(scanOf('t').token).toBe('t')
})
