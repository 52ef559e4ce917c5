import { describe, expect, test } from 'vitest'
import { families } from '../../test/functions/examples/index.ts'
import { typeText } from '../data/types.ts'
import type { UnresolvedExpression } from './expression.ts'
import { expressionText } from './expression-tree.ts'
import { functionTable, resolveCall } from './functions.ts'
import { resolveExpression } from './resolve.ts'
import { parseDdl } from './schema-text.ts'

// A column for each type: capital letters are nullable
const { fields } =
  parseDdl(`y byte not null, h short not null, i int not null, l bigint not null, f float not null, d double not null, m decimal(10,2) not null, n decimal(38,10) not null,
  s string not null, b boolean not null, z binary not null, dt date not null, t timestamp not null, w timestamp_ntz not null,
  I_ int, L_ bigint, D_ double, M_ decimal(10,2), S_ string, B_ boolean, T_ timestamp, DT_ date,
  a array<int> not null, as array<string> not null, mp map<string,int> not null, st struct<x: int, y: string> not null, win struct<start: timestamp, end: timestamp> not null`)

type Arg = string | number | bigint | boolean | null
/** '$x' is text, other text a column. */
function argument(arg: Arg): UnresolvedExpression {
  if (typeof arg === 'string')
    return arg.startsWith('$') ? { kind: 'literal', value: arg.slice(1), type: 'string' } : { kind: 'attribute', name: arg }
  if (arg === null) return { kind: 'literal', value: null, type: 'void' }
  if (typeof arg === 'boolean') return { kind: 'literal', value: arg, type: 'boolean' }
  return { kind: 'literal', value: arg, type: typeof arg === 'bigint' ? 'long' : Number.isInteger(arg) ? 'int' : 'double' }
}
function resolved(name: string, ...args: Arg[]) {
  return resolveExpression({ kind: 'call', name, args: args.map(argument) }, { fields })
}
function shape(name: string, args: readonly Arg[]): string {
  const e = resolved(name, ...args)
  return `${expressionText(e)} : ${typeText(e.type)}${e.nullable ? '?' : ''}`
}

const cases: readonly (readonly [call: readonly [string, ...Arg[]], shape: string])[] = [
  // arithmetic: the wider integer, literals are ints
  [['+', 'y', 'y'], '(y + y) : tinyint'],
  [['+', 'y', 'h'], '(cast(y as smallint) + h) : smallint'],
  [['+', 'i', 1], '(i + 1) : int'],
  [['+', 'h', 1], '(cast(h as int) + 1) : int'],
  [['+', 'l', 1], '(l + 1) : bigint'],
  [['+', 'i', 'L_'], '(cast(i as bigint) + L_) : bigint?'],
  [['-', 'f', 'f'], '(f - f) : float'],
  [['*', 'f', 'i'], '(cast(f as double) * cast(i as double)) : double'],
  [['*', 'd', 2], '(d * 2.0) : double'],
  [['+', 'd', 'm'], '(d + cast(m as double)) : double'],
  [['+', 's', 1], '(cast(s as bigint) + 1) : bigint'],
  [['+', 's', 's'], '(cast(s as double) + cast(s as double)) : double'],
  [['+', 'i', null], '(i + NULL) : int?'],
  [['/', 'i', 'l'], '(cast(i as double) / cast(l as double)) : double?'],
  [['%', 'i', 'l'], '(cast(i as bigint) % l) : bigint?'],
  [['mod', 'i', 2], '(i % 2) : int?'],
  // decimals: p and s by Spark's rules
  [['+', 'm', 'm'], '(m + m) : decimal(11,2)'],
  [['-', 'm', 1], '(m - 1) : decimal(11,2)'],
  [['+', 'm', 'i'], '(m + cast(i as decimal(10,0))) : decimal(13,2)'],
  [['*', 'm', 'm'], '(m * m) : decimal(21,4)'],
  [['/', 'm', 'm'], '(m / m) : decimal(23,13)?'],
  [['%', 'm', 'm'], '(m % m) : decimal(10,2)?'],
  [['*', 'n', 'n'], '(n * n) : decimal(38,6)'],
  [['+', 'n', 'n'], '(n + n) : decimal(38,9)'],
  [['/', 'n', 'm'], '(n / m) : decimal(38,8)?'],
  [['+', 'm', 'l'], '(m + cast(l as decimal(20,0))) : decimal(23,2)'],
  [['negative', 'M_'], '(- M_) : decimal(10,2)?'],
  [['negative', 's'], '(- cast(s as double)) : double'],
  [['+', 'dt', 'i'], 'date_add(dt, i) : date'],
  [['-', 'DT_', 1], 'date_sub(DT_, 1) : date?'],
  [['+', 1, 'dt'], 'date_add(dt, 1) : date'],
  // comparisons
  [['==', 'i', 'l'], '(cast(i as bigint) = l) : boolean'],
  [['==', 's', 'i'], '(cast(s as bigint) = cast(i as bigint)) : boolean'],
  [['!=', 'S_', 's'], '(NOT (S_ = s)) : boolean?'],
  [['<', 't', '$2020-01-01'], '(t < cast(2020-01-01 as timestamp)) : boolean'],
  [['<=', 'dt', 't'], '(cast(dt as timestamp) <= t) : boolean'],
  [['>', 'm', 'i'], '(cast(m as decimal(12,2)) > cast(i as decimal(12,2))) : boolean'],
  [['>=', 'm', 'd'], '(cast(m as double) >= d) : boolean'],
  [['<=>', 'I_', null], '(I_ <=> NULL) : boolean'],
  [['<', 'w', 't'], '(cast(w as timestamp) < t) : boolean'],
  [['==', 'b', '$true'], '(b = cast(true as boolean)) : boolean'],
  [['and', 'b', 'B_'], '(b AND B_) : boolean?'],
  [['or', 'b', 'b'], '(b OR b) : boolean'],
  [['not', 'B_'], '(NOT B_) : boolean?'],
  [['isnull', 'I_'], '(I_ IS NULL) : boolean'],
  [['isnotnull', 'I_'], '(I_ IS NOT NULL) : boolean'],
  [['isnan', 'D_'], 'isnan(D_) : boolean'],
  [['isnan', 'f'], 'isnan(f) : boolean'],
  [['in', 'i', 1, 2n], '(cast(i as bigint) IN (1, 2)) : boolean'],
  [['in', 's', '$a', null], '(s IN (a, NULL)) : boolean?'],
  [['in', 'i'], 'false : boolean'],
  [['between', 'i', 1, 'l'], '((i >= 1) AND (cast(i as bigint) <= l)) : boolean'],
  [['between', 'I_', 1, 2], '((I_ >= 1) AND (I_ <= 2)) : boolean?'],
  [['like', 's', '$a%'], '(s LIKE a%) : boolean'],
  [['ilike', 'S_', '$a%'], '(S_ ILIKE a%) : boolean?'],
  [['rlike', 's', '$a+'], '(s RLIKE a+) : boolean'],
  [['startswith', 's', '$a'], 'startswith(s, a) : boolean'],
  [['endswith', 's', '$a'], 'endswith(s, a) : boolean'],
  [['contains', 's', '$a'], 'contains(s, a) : boolean'],
  // conditions
  [['coalesce', 'I_', 'l'], 'coalesce(cast(I_ as bigint), l) : bigint'],
  [['coalesce', 'I_', null], 'coalesce(I_, NULL) : int?'],
  [['nvl', 'S_', '$x'], 'coalesce(S_, x) : string'],
  [['ifnull', 'I_', 0], 'coalesce(I_, 0) : int'],
  [['nullif', 'i', 1], 'CASE WHEN (i = 1) THEN NULL ELSE i END : int?'],
  [['greatest', 'i', 'L_'], 'greatest(cast(i as bigint), L_) : bigint'],
  [['least', 'I_', 'D_'], 'least(cast(I_ as double), D_) : double?'],
  [['if', 'b', 'i', 2n], 'if(b, cast(i as bigint), 2) : bigint'],
  // strings
  [['upper', 'S_'], 'upper(S_) : string?'],
  [['lower', 's'], 'lower(s) : string'],
  [['upper', 'i'], 'upper(cast(i as string)) : string'],
  [['length', 'z'], 'length(z) : int'],
  [['length', 'i'], 'length(cast(i as string)) : int'],
  [['trim', 's'], 'trim(s) : string'],
  [['ltrim', '$x', 's'], 'ltrim(s, x) : string'],
  [['rtrim', 's'], 'rtrim(s) : string'],
  [['concat', 's', 'i'], 'concat(s, cast(i as string)) : string'],
  [['concat', 'z', 'z'], 'concat(z, z) : binary'],
  [['concat', 'a', 'a'], 'concat(a, a) : array<int>'],
  [['concat_ws', '$-', 'S_', 'as'], 'concat_ws(-, S_, as) : string'],
  [['substring', 's', 1, 2], 'substring(s, 1, 2) : string'],
  [['substring', 's', 2], 'substring(s, 2) : string'],
  [['replace', 's', '$a'], 'replace(s, a, ) : string'],
  [['regexp_replace', 's', '$a', '$b'], 'regexp_replace(s, a, b, 1) : string'],
  [['regexp_extract', 's', '$(a)'], 'regexp_extract(s, (a), 1) : string'],
  [['split', 's', '$,'], 'split(s, ,, -1) : array<string>'],
  [['lpad', 's', 5], 'lpad(s, 5,  ) : string'],
  [['rpad', 's', 5, '$x'], 'rpad(s, 5, x) : string'],
  [['instr', 's', '$a'], 'instr(s, a) : int'],
  [['reverse', 's'], 'reverse(s) : string'],
  [['reverse', 'a'], 'reverse(a) : array<int>'],
  [['repeat', 's', 'i'], 'repeat(s, i) : string'],
  [['md5', 's'], 'md5(s) : string'],
  [['sha2', 's', 256], 'sha2(s, 256) : string?'],
  // numbers
  [['abs', 'y'], 'abs(y) : tinyint'],
  [['abs', 's'], 'abs(cast(s as double)) : double'],
  [['ceil', 'd'], 'ceil(d) : bigint'],
  [['ceil', 'i'], 'ceil(cast(i as double)) : bigint'],
  [['floor', 'm'], 'floor(m) : decimal(9,0)'],
  [['floor', 'l'], 'floor(l) : bigint'],
  [['round', 'd', 2], 'round(d, 2) : double'],
  [['round', 'm'], 'round(m, 0) : decimal(9,0)'],
  [['round', 'm', 1], 'round(m, 1) : decimal(10,1)'],
  [['round', 'm', -1], 'round(m, -1) : decimal(9,0)'],
  [['round', 'i'], 'round(i, 0) : int'],
  [['sqrt', 'i'], 'sqrt(cast(i as double)) : double'],
  [['exp', 'D_'], 'exp(D_) : double?'],
  [['ln', 'd'], 'ln(d) : double?'],
  [['log10', 'd'], 'log10(d) : double?'],
  [['pow', 'i', 2], 'pow(cast(i as double), 2.0) : double'],
  [['sign', 'm'], 'sign(cast(m as double)) : double'],
  // dates
  [['year', 't'], 'year(cast(t as date)) : int'],
  [['month', 'dt'], 'month(dt) : int'],
  [['day', 'DT_'], 'day(DT_) : int?'],
  [['dayofmonth', 'dt'], 'day(dt) : int'],
  [['quarter', 'dt'], 'quarter(dt) : int'],
  [['dayofweek', 'dt'], 'dayofweek(dt) : int'],
  [['dayofyear', 's'], 'dayofyear(cast(s as date)) : int'],
  [['weekofyear', 'dt'], 'weekofyear(dt) : int'],
  [['hour', 't'], 'hour(t) : int'],
  [['minute', 'w'], 'minute(w) : int'],
  [['second', 'dt'], 'second(cast(dt as timestamp)) : int'],
  [['date_trunc', '$HOUR', 't'], 'date_trunc(HOUR, t) : timestamp'],
  [['date_trunc', '$fortnight', 't'], 'date_trunc(fortnight, t) : timestamp?'],
  [['to_date', 's'], 'cast(s as date) : date'],
  [['to_date', 's', '$yyyy'], 'to_date(s, yyyy) : date'],
  [['to_date', 't'], 'cast(t as date) : date'],
  [['to_timestamp', 'S_'], 'cast(S_ as timestamp) : timestamp?'],
  [['to_timestamp', 's', '$yyyy'], 'to_timestamp(s, yyyy) : timestamp'],
  [['to_timestamp', 't'], 't : timestamp'],
  [['unix_timestamp'], 'unix_timestamp(current_timestamp()) : bigint'],
  [['unix_timestamp', 't'], 'unix_timestamp(t) : bigint'],
  [['unix_timestamp', 's'], 'unix_timestamp(s, yyyy-MM-dd HH:mm:ss) : bigint'],
  [['unix_seconds', 't'], 'unix_seconds(t) : bigint'],
  [['unix_millis', 'T_'], 'unix_millis(T_) : bigint?'],
  [['unix_micros', 't'], 'unix_micros(t) : bigint'],
  [['timestamp_seconds', 'i'], 'timestamp_seconds(cast(i as bigint)) : timestamp'],
  [['timestamp_seconds', 'd'], 'timestamp_seconds(d) : timestamp?'],
  [['timestamp_seconds', 'm'], 'timestamp_seconds(m) : timestamp'],
  [['timestamp_millis', 'i'], 'timestamp_millis(cast(i as bigint)) : timestamp'],
  [['timestamp_micros', 'L_'], 'timestamp_micros(L_) : timestamp?'],
  [['date_add', 't', 1], 'date_add(cast(t as date), 1) : date'],
  [['date_sub', 'dt', 'y'], 'date_sub(dt, cast(y as int)) : date'],
  [['datediff', 'dt', 't'], 'datediff(dt, cast(t as date)) : int'],
  [['current_timestamp'], 'current_timestamp() : timestamp'],
  [['current_date'], 'current_date() : date'],
  [['window_time', 'win'], 'window_time(win) : timestamp'],
  // nested
  [['struct', 'i', 'S_'], 'named_struct(i, i, S_, S_) : struct<i:int,S_:string>'],
  [['named_struct', '$a', 'i'], 'named_struct(a, i) : struct<a:int>'],
  [['array', 'i', 'L_'], 'array(cast(i as bigint), L_) : array<bigint>'],
  [['size', 'a'], 'size(a) : int'],
  [['size', 'mp'], 'size(mp) : int'],
  [['element_at', 'a', 1], 'element_at(a, 1) : int?'],
  [['element_at', 'mp', '$k'], 'element_at(mp, k) : int?'],
  [['array_contains', 'a', 1], 'array_contains(a, 1) : boolean?'],
  [['map_keys', 'mp'], 'map_keys(mp) : array<string>'],
  [['map_values', 'mp'], 'map_values(mp) : array<int>'],
  // aggregates
  [['count'], 'count(1) : bigint'],
  [['count', 'I_'], 'count(I_) : bigint'],
  [['sum', 'i'], 'sum(i) : bigint?'],
  [['sum', 'd'], 'sum(d) : double?'],
  [['sum', 'f'], 'sum(f) : double?'],
  [['sum', 'm'], 'sum(m) : decimal(20,2)?'],
  [['sum', 'n'], 'sum(n) : decimal(38,10)?'],
  [['sum', 's'], 'sum(cast(s as double)) : double?'],
  [['avg', 'i'], 'avg(i) : double?'],
  [['avg', 'm'], 'avg(m) : decimal(14,6)?'],
  [['mean', 'd'], 'avg(d) : double?'],
  [['min', 's'], 'min(s) : string?'],
  [['max', 't'], 'max(t) : timestamp?'],
  [['first', 'i'], 'first(i) : int?'],
  [['first', 'i', true], 'first(i, true) : int?'],
  [['last', 's', false], 'last(s) : string?'],
  [['any_value', 'i'], 'any_value(i) : int?'],
  [['count_if', 'B_'], 'count_if(B_) : bigint'],
  [['bool_and', 'b'], 'bool_and(b) : boolean?'],
  [['bool_or', 'b'], 'bool_or(b) : boolean?'],
  [['stddev_samp', 'i'], 'stddev_samp(cast(i as double)) : double?'],
  [['stddev_pop', 'd'], 'stddev_pop(d) : double?'],
  [['var_samp', 'd'], 'var_samp(d) : double?'],
  [['var_pop', 'm'], 'var_pop(cast(m as double)) : double?'],
  [['variance', 'd'], 'var_samp(d) : double?'],
  [['try_sum', 'h'], 'try_sum(h) : bigint?'],
  [['try_sum', 'm'], 'try_sum(m) : decimal(20,2)?'],
  [['try_avg', 'm'], 'try_avg(m) : decimal(14,6)?'],
  [['product', 'i'], 'product(cast(i as double)) : double?'],
  [['bit_and', 'h'], 'bit_and(h) : smallint?'],
  [['bit_or', 'l'], 'bit_or(l) : bigint?'],
  [['bit_xor', 'y'], 'bit_xor(y) : tinyint?'],
  [['min_by', 's', 'i'], 'min_by(s, i) : string?'],
  [['max_by', 'mp', 'a'], 'max_by(mp, a) : map<string,int>?'],
  [['skewness', 'i'], 'skewness(cast(i as double)) : double?'],
  [['kurtosis', 'd'], 'kurtosis(d) : double?'],
  [['corr', 'd', 'i'], 'corr(d, cast(i as double)) : double?'],
  [['covar_pop', 'd', 'd'], 'covar_pop(d, d) : double?'],
  [['covar_samp', 'd', 'd'], 'covar_samp(d, d) : double?'],
  [['regr_count', 'd', 'D_'], 'regr_count(d, D_) : bigint'],
  ...['avgx', 'avgy', 'sxx', 'syy', 'sxy', 'slope', 'intercept', 'r2'].map(
    (name) => [[`regr_${name}`, 'd', 'D_'], `regr_${name}(d, D_) : double?`] as const,
  ),
  [['collect_list', 'I_'], 'collect_list(I_) : array<int>'],
  [['array_agg', 'mp'], 'collect_list(mp) : array<map<string,int>>'],
  [['collect_set', 'st'], 'collect_set(st) : array<struct<x:int,y:string>>'],
  [['listagg', 's'], 'listagg(s) : string?'],
  [['string_agg', 'i', '$,'], 'listagg(cast(i as string), ,) : string?'],
  [['listagg', 'z', null], 'listagg(z) : binary?'],
  [['percentile', 'i', 0.5], 'percentile(i, 0.5) : double?'],
  [['percentile', 'm', 1, 'h'], 'percentile(m, 1.0, h) : double?'],
  [['median', 's'], 'percentile(cast(s as double), 0.5) : double?'],
  [['mode', 'st', true], 'mode(st) : struct<x:int,y:string>?'],
  [['percentile_approx', 'dt', 0.5], 'percentile_approx(dt, 0.5, 10000) : date?'],
  [['approx_percentile', 'm', 0.5, 100], 'percentile_approx(m, 0.5, 100) : decimal(10,2)?'],
  [['histogram_numeric', 'i', 5], 'histogram_numeric(i, 5) : array<struct<x:int,y:double>>?'],
  [['approx_count_distinct', 'a'], 'approx_count_distinct(a, 0.05) : bigint'],
  [['approx_count_distinct', 's', 0.2], 'approx_count_distinct(s, 0.2) : bigint'],
]

test.each(cases.map(([[name, ...args], expected]) => ({ call: `${name}(${args.join(', ')})`, name, args, expected })))(
  '$call',
  ({ name, args, expected }) => {
    expect(shape(name, args)).toBe(expected)
  },
)

test('every row of the table has a case here, or examples from Spark', () => {
  const tried = new Set([
    ...cases.map(([[name]]) => name),
    ...Object.values(families).flatMap((functions) => functions.map(({ name }) => name)),
  ])
  expect(
    functionTable.filter((row) => !row.internal && ![row.name, ...row.aliases].some((name) => tried.has(name))).map((row) => row.name),
  ).toEqual([])
})

test('names and aliases are unique', () => {
  const names = functionTable.flatMap((row) => [row.name, ...row.aliases])
  expect(new Set(names).size).toBe(names.length)
})

test('only the clock, chance and errors are not deterministic', () => {
  expect(functionTable.filter((row) => !row.deterministic).map((row) => row.name)).toEqual([
    'raise_error',
    'rand',
    'randn',
    'uniform',
    'randstr',
    'current_timestamp',
    'current_date',
    'localtimestamp',
    'shuffle',
    'uuid',
  ])
})

describe('what does not fit is refused under Spark’s error class', () => {
  test.each<[code: string, name: string, ...args: Arg[]]>([
    ['DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES', '+', 'i', 'b'],
    ['DATATYPE_MISMATCH.BINARY_OP_WRONG_TYPE', '+', 'b', 'b'],
    ['DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES', '==', 'i', 'b'],
    ['DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES', '==', 't', 'i'],
    ['DATATYPE_MISMATCH.INVALID_ORDERING_TYPE', '<', 'mp', 'mp'],
    ['DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE', 'and', 'i', 'b'],
    ['DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE', 'upper', 'a'],
    ['DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE', 'sum', 't'],
    ['DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE', 'repeat', 's', 'b'],
    ['DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE', 'size', 's'],
    ['DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE', 'window_time', 'st'],
    ['DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE', 'hour', 'i'],
    ['DATATYPE_MISMATCH.DATA_DIFF_TYPES', 'coalesce', 'i', 'b'],
    ['DATATYPE_MISMATCH.NON_FOLDABLE_INPUT', 'round', 'd', 'i'],
    ['DATATYPE_MISMATCH.INVALID_ORDERING_TYPE', 'greatest', 'mp', 'mp'],
    ['DATATYPE_MISMATCH.INVALID_ORDERING_TYPE', 'max', 'mp'],
    ['DATATYPE_MISMATCH.INVALID_ORDERING_TYPE', 'max_by', 'i', 'mp'],
    ['DATATYPE_MISMATCH.UNSUPPORTED_INPUT_TYPE', 'collect_set', 'mp'],
    ['DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE', 'bit_and', 'm'],
    ['DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE', 'percentile', 'dt', 0.5],
    ['DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE', 'percentile', 'i', 1.5],
    ['DATATYPE_MISMATCH.NON_FOLDABLE_INPUT', 'percentile', 'i', 'd'],
    ['DATATYPE_MISMATCH.UNEXPECTED_NULL', 'percentile_approx', 'i', null],
    ['DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE', 'percentile_approx', 'i', 0.5, 0],
    ['DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE', 'histogram_numeric', 'i', 1],
    ['DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE', 'approx_count_distinct', 'i', 0.5],
    ['DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE', 'approx_count_distinct', 'i', 0.0001],
    ['DATATYPE_MISMATCH.HASH_MAP_TYPE', 'approx_count_distinct', 'mp'],
    ['DATATYPE_MISMATCH.NON_FOLDABLE_INPUT', 'listagg', 's', 's'],
    ['WRONG_NUM_ARGS.WITHOUT_SUGGESTION', 'upper'],
    ['COLUMN_ALREADY_EXISTS', 'named_struct', '$a', 'i', '$A', 's'],
    ['COLUMN_ALREADY_EXISTS', 'struct', 'i', 'i'],
    ['WRONG_NUM_ARGS.WITHOUT_SUGGESTION', 'sum', 'i', 'i'],
    ['WRONG_NUM_ARGS.WITHOUT_SUGGESTION', 'greatest', 'i'],
    ['UNRESOLVED_ROUTINE', 'upprr', 's'],
    ['UNRESOLVED_ROUTINE', 'constructor', 's'],
    ['NOT_SUPPORTED_YET', 'parse_json', 't'],
    ['INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX', 'upper!', 's'],
  ])('%s: %s', (code, name, ...args) => {
    const run = () =>
      name.endsWith('!')
        ? resolveCall(
            name.slice(0, -1),
            args.map((arg) => resolveExpression(argument(arg), { fields })),
            true,
          )
        : resolved(name, ...args)
    expect(run).toThrow(expect.objectContaining({ code }))
  })

  test('an unknown function is told the nearest', () => {
    expect(() => resolved('upprr', 's')).toThrow(/did you mean one of the following\? \[`upper`/)
  })
})
