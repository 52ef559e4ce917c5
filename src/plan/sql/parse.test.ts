import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { UnresolvedExpression } from '../expression.ts'
import { unresolvedText } from '../resolve.ts'
import { parseCondition, parseExpression } from './parse.ts'

/** The tree in brackets, with types on literals, so that nothing of it is left to the reader's guess. */
function treeText(e: UnresolvedExpression): string {
  switch (e.kind) {
    case 'literal':
      return `${typeof e.type === 'string' ? e.type : JSON.stringify(e.type).replaceAll('"', '')}:${valueText(e.value)}`
    case 'attribute':
      return e.name
    case 'call': {
      const clauses = [
        ...(e.distinct ? ['distinct'] : []),
        ...(e.withinGroup ? [`within group ${e.withinGroup.map(treeText).join(' ')}`] : []),
        ...(e.filter ? [`filter ${treeText(e.filter)}`] : []),
      ]
      return `(${[e.name, ...e.args.map(treeText)].join(' ')})${clauses.map((clause) => `{${clause}}`).join('')}`
    }
    case 'cast':
      return `(cast-${e.mode} ${treeText(e.input)} ${typeof e.type === 'string' ? e.type : JSON.stringify(e.type).replaceAll('"', '')})`
    case 'case':
      return `(case ${e.branches.map(({ condition, value }) => `[${treeText(condition)} ${treeText(value)}]`).join(' ')}${e.otherwise ? ` else ${treeText(e.otherwise)}` : ''})`
    case 'field':
      return `(field ${treeText(e.input)} ${e.field})`
    case 'alias':
      return `(as ${treeText(e.input)} ${e.name})`
    case 'sort':
      return `(${e.descending ? 'desc' : 'asc'} ${e.nullsFirst ? 'nulls-first' : 'nulls-last'} ${treeText(e.input)})`
    case 'lambda':
      return `(lambda [${e.params.join(' ')}] ${treeText(e.body)})`
    case 'multi-alias':
      return `(as ${treeText(e.input)} [${e.names.join(' ')}])`
    case 'named-argument':
      return `(${e.name} => ${treeText(e.value)})`
    default:
      return unresolvedText(e)
  }
}
function valueText(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v)) ?? String(value)
}

const groups: Readonly<Record<string, readonly string[]>> = {
  literals: [
    '1',
    '-1',
    '- 1',
    '2147483647',
    '2147483648',
    '-2147483648',
    '9223372036854775807',
    '9223372036854775808',
    '-9223372036854775808',
    '1L',
    '-9223372036854775808L',
    '32767S',
    '-128Y',
    '1.0D',
    '1D',
    '1.5F',
    '1e3',
    '1.5E-2',
    '.5',
    '1.',
    '1.50',
    '0.001',
    '1.5BD',
    '12bd',
    '12345678901234567890123456789012345678',
    'null',
    'TRUE',
    'false',
    "'a'",
    '"double"',
    "'it''s'",
    '"a ""b"""',
    "'a' 'b'\n'c'",
    String.raw`'a\nb\tc\\d\'e\0'`,
    String.raw`'\u0041\U0001F600\101'`,
    String.raw`'100\%\_\q'`,
    String.raw`r'a\nb'`,
    String.raw`R"a\d"`,
    "X'1fA'",
    "x''",
    "DATE '2026-01-31'",
    "date'2026-1-5'",
    "DATE '2026-07'",
    "TIMESTAMP '2026-01-31 12:34:56.789'",
    "TIMESTAMP '2026-01-31T12:34:56+05:30'",
    "TIMESTAMP '2026-01-31'",
    "TIMESTAMP_NTZ '2026-01-31 01:02:03'",
    "TIMESTAMP_LTZ '2026-01-31 01:02:03Z'",
    'INTERVAL 1 day 2 hours',
    "INTERVAL '1' DAY",
    "INTERVAL '1 2:3:4.5' DAY TO SECOND",
    "interval '10 minutes'",
    'interval -3 seconds',
    "interval -'1-2' year to month",
    'interval 1 day + x',
  ],
  names: [
    'a',
    'A1',
    'a.b.c',
    '`a b`',
    '`a.b`.c',
    '`tick``ed`',
    'date',
    'timestamp',
    'interval',
    'interval + 1',
    'window.start',
    'window.end',
    'end > start',
    'values',
    'user',
    'current_date',
    'größe',
    '名前',
    '1a',
    'a[0]',
    "a['k']",
    'a[i + 1].b',
    'f(x).y.z',
    '(a).b',
    '*',
    't.*',
    'a.b.*',
    '* EXCEPT (a, b.c)',
    't.* except(x)',
  ],
  operators: [
    'a or b and not c',
    'not a = b',
    '!a and b',
    'not not a',
    'a and b and c and d and e',
    'a or b or c or d',
    'a + b * c',
    '(a + b) * c',
    'a - b - c',
    'a -1',
    'a - -1',
    '-a * b',
    '- - a',
    '+a',
    '~a & b',
    'a | b ^ c & d',
    'a << 1 + 2',
    'a >> b >>> c',
    'a || b || c',
    'a + b || c',
    'a div b % c / d',
    'a = b',
    'a == b',
    'a <=> b',
    'a <> b',
    'a != b',
    'a < b = c >= d',
    'a <= b',
    'a > b',
    'a & b = c',
    'a::int',
    '-a::int',
    '-1::string',
    'a::decimal(10, 2)::string || b',
    "a.b::map<string, array<int>>['k']",
    'x::array<array<int>>>=y',
  ],
  predicates: [
    'a is null',
    'a is not null',
    'a is true',
    'a is not true',
    'a is false',
    'a is unknown',
    'a is not unknown',
    'a is distinct from b + 1',
    'a is not distinct from b',
    'a + 1 between b and c * 2 and d',
    'a not between 1 and 2',
    'a in (1)',
    'a in (1, 2, b)',
    'a not in (1, 2)',
    '(a, b) in ((1, 2), (3, 4))',
    "a like 'x%'",
    "a not like 'x%'",
    "a like '!%' escape '!'",
    "a ilike b || '%'",
    "a rlike '^x' or b regexp 'y'",
    "a not rlike '^x'",
    "a like any ('x%', 'y%')",
    "a like some ('x%')",
    "a like all ('x%', 'y%')",
    "a not like any ('x%', 'y%')",
    "a not ilike all ('x%', 'y%')",
    'not a is null and b',
    'a is null = b is null'.replace(' = b is null', ''),
  ],
  calls: [
    'f()',
    'Foo(a, 1)',
    'count(*)',
    'count(DISTINCT a, b)',
    'sum(ALL a)',
    'count(t.*)',
    'sum(a) FILTER (WHERE b > 1)',
    'percentile_cont(0.5) WITHIN GROUP (ORDER BY x DESC NULLS FIRST)',
    'first(a)',
    'first(a IGNORE NULLS)',
    'last(a) IGNORE NULLS',
    'any_value(a) RESPECT NULLS',
    'f(a, name => b, other => 1)',
    'transform(a, x -> x + 1)',
    'aggregate(a, 0, (acc, x) -> acc + x, acc -> acc * 2)',
    'transform(a, (`x y`, i) -> `x y`.f + i)',
    'filter(a, x -> exists(b, y -> y = x))',
    'cast(a as bigint)',
    'try_cast(a AS struct<x: int, y: array<decimal(5,1)>>)',
    'case when a then 1 end',
    "case when a > 1 then 'x' when b then 'y' else 'z' end",
    "case a when 1 then 'x' when 2 then 'y' end",
    'case when a then case b when 1 then 2 end else 3 end',
    'extract(year from ts)',
    "extract('dow' from a + b)",
    'position(a in b)',
    'position(a, b)',
    'substring(a from 2)',
    'substring(a from 2 for 3)',
    'substr(a, 2, 3)',
    'trim(a)',
    'trim(both from a)',
    "trim(leading 'x' from a)",
    "trim(trailing from a || 'y')",
    "trim('x' from a)",
    'trim(from a)',
    'overlay(a placing b from 3)',
    'overlay(a placing b from 3 for 2)',
    'struct(a, b + 1 as c)',
    "named_struct('x', a)",
    'array(1, 2)',
    "map('k', 1)",
    '(a, b)',
    '(a as x, b)',
    'if(a, b, c)',
    'left(a, 2)',
    'right(a, 2)',
    'date(a)',
    'dateadd(MONTH, 2, d)',
    'date_add(d, 2)',
    'datediff(day, a, b)',
    'datediff(a, b)',
    "window(ts, '10 minutes', '5 minutes')",
    '`my func`(a)',
  ],
  aliases: [
    'a AS b',
    'a b',
    'a `b c`',
    'a + 1 as `b c`',
    'a as end',
    "a as 'b'".replace("'b'", '`b`'),
    'explode(m) as (k, v)',
    'posexplode(a) (i, x)',
    'a -- the column\n as /* a /* nested */ comment */ b',
  ],
}

describe('trees', () => {
  test.each(Object.entries(groups))('%s', async (name, texts) => {
    const lines = texts.map((text) => `${text.replaceAll('\n', '⏎')}\n    ${treeText(parseExpression(text))}`)
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`golden/${name}.txt`)
  })

  test('a chain of ten thousand conditions is no deep tree', () => {
    const text = Array.from({ length: 10_000 }, (_, i) => `a = ${i}`).join(' or ')
    const depth = (e: UnresolvedExpression): number => (e.kind === 'call' ? 1 + Math.max(...e.args.map(depth)) : 0)
    expect(depth(parseCondition(text))).toBeLessThan(20)
  })
})

const wrong: readonly (readonly [text: string, code: string])[] = [
  ['', 'PARSE_EMPTY_STATEMENT'],
  ['  -- nothing', 'PARSE_EMPTY_STATEMENT'],
  ['a +', 'PARSE_SYNTAX_ERROR'],
  ['a b c', 'PARSE_SYNTAX_ERROR'],
  ['(a', 'PARSE_SYNTAX_ERROR'],
  ['f(a,)', 'PARSE_SYNTAX_ERROR'],
  ['a in ()', 'PARSE_SYNTAX_ERROR'],
  ['a like any ()', 'PARSE_SYNTAX_ERROR'],
  ['a is nul', 'PARSE_SYNTAX_ERROR'],
  ['a is null is null', 'PARSE_SYNTAX_ERROR'],
  ['case when a then 1', 'PARSE_SYNTAX_ERROR'],
  ['case a end', 'PARSE_SYNTAX_ERROR'],
  ['a, b', 'PARSE_SYNTAX_ERROR'],
  ['a ? b', 'PARSE_SYNTAX_ERROR'],
  ["'never ends", 'PARSE_SYNTAX_ERROR'],
  ['`never ends', 'PARSE_SYNTAX_ERROR'],
  ['a \u00a7 b', 'PARSE_SYNTAX_ERROR'],
  ['(a as b)', 'PARSE_SYNTAX_ERROR'],
  ['cast(a int)', 'PARSE_SYNTAX_ERROR'],
  ['extract(year ts)', 'PARSE_SYNTAX_ERROR'],
  ['extract(a)', 'PARSE_SYNTAX_ERROR'],
  ["trim(both 'x', a)", 'PARSE_SYNTAX_ERROR'],
  ['where a = 1', 'PARSE_SYNTAX_ERROR'],
  ['select a', 'PARSE_SYNTAX_ERROR'],
  ['a /* never ends', 'UNCLOSED_BRACKETED_COMMENT'],
  ['cast(a as nothing)', 'UNSUPPORTED_DATATYPE'],
  ['128Y', 'INVALID_NUMERIC_LITERAL_RANGE'],
  ['32768S', 'INVALID_NUMERIC_LITERAL_RANGE'],
  ['9223372036854775808L', 'INVALID_NUMERIC_LITERAL_RANGE'],
  ['1e400', 'INVALID_NUMERIC_LITERAL_RANGE'],
  ['1e39F', 'INVALID_NUMERIC_LITERAL_RANGE'],
  ['1.5L', 'INVALID_NUMERIC_LITERAL_RANGE'],
  ['123456789012345678901234567890123456789', 'DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION'],
  ['1e99999BD', 'DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION'],
  ["DATE '2026-02-30'", 'INVALID_TYPED_LITERAL'],
  ["DATE 'soon'", 'INVALID_TYPED_LITERAL'],
  ["TIMESTAMP '2026-01-31 25:00:00'", 'INVALID_TYPED_LITERAL'],
  ["X'0g'", 'INVALID_TYPED_LITERAL'],
  ["a like 'x' escape 'yz'", 'INVALID_ESCAPE_CHAR'],
  [':name', 'UNBOUND_SQL_PARAMETER'],
  ['db.f(a)', 'UNRESOLVED_ROUTINE'],
  ['a collate utf8_lcase', 'NOT_SUPPORTED_YET'],
  [`${'('.repeat(5000)}a${')'.repeat(5000)}`, 'FAILED_TO_PARSE_TOO_COMPLEX'],
  [`${'not '.repeat(50_000)}a`, 'FAILED_TO_PARSE_TOO_COMPLEX'],
  [`${'-'.repeat(1)}${' -'.repeat(50_000)}a`, 'FAILED_TO_PARSE_TOO_COMPLEX'],
]

describe('errors', () => {
  test.each(wrong.map(([text, code]) => [text.slice(0, 60), code, text] as const))('%s: %s', (_, code, text) => {
    expect(() => parseExpression(text)).toThrow(expect.objectContaining({ code }))
  })

  test('say where they are, with a mark', () => {
    const thrown = catching(() => parseExpression('a +\n\tb c d'))
    expect(thrown.message).toBe(
      "PARSE_SYNTAX_ERROR: syntax error at or near 'd': expected the end of the text at line 2, column 6:\n    \tb c d\n    \t    ^\n" +
        '  What to do: leave it out, or put an operator or a comma before it',
    )
    expect(catching(() => parseExpression('select a')).message).toContain('a column of the name select is written `select`')
  })
})
function catching(f: () => unknown): Error {
  try {
    f()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

test('no text makes the parser fail with anything but an error of its own', () => {
  const pieces = fc.constantFrom(
    ...`a b.c \`x y\` 1 2.5D 'x' "y" r'z' ( ) [ ] , . * + - / % || | & ^ ~ = == <=> <> < > >> :: -> => ! not and or in is null true case when then
    else end between like ilike any all escape cast try_cast as int array< > decimal( extract from trim both position overlay placing struct
    interval day date '2020-01-01' filter where over within group order by distinct f( explode( except /* */ -- ? : ;`.split(/\s+/),
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 14 }), (words) => {
      try {
        parseExpression(words.join(' '))
      } catch (error) {
        expect(error).toHaveProperty('code')
      }
    }),
    { numRuns: 3000 },
  )
})
