import { type FunctionExamples, of } from './example.ts'

const nan = "CAST('NaN' AS DOUBLE)"

export const conditional: readonly FunctionExamples[] = [
  of('isnull', ['isnull(value)', 'Whether there is no value; also `value IS NULL`.'], 'isnull(1)', 'isnull(NULL)', `isnull(${nan})`, '1 IS NULL'),
  of('isnotnull', ['isnotnull(value)', 'Whether there is a value; also `value IS NOT NULL`.'], 'isnotnull(1)', 'isnotnull(NULL)', "'' IS NOT NULL"),
  of('isnan', ['isnan(number)', 'Whether the number is NaN; false for null.'], `isnan(${nan})`, 'isnan(NULL)', 'isnan(1)', "isnan(CAST('NaN' AS FLOAT))", "isnan('x')"),
  of('coalesce', ['coalesce(value, …)', 'The first value that is not null.'], 'coalesce(NULL, 1, NULL)', 'coalesce(NULL, NULL)', "coalesce(NULL, 'a', 'b')", 'coalesce(1, 1 / 0)', 'coalesce(NULL, 1, 2.5)', "coalesce(1, 'a')"),
  of('nvl', ['nvl(value, otherwise)', 'The value, or another where it is null.'], 'nvl(NULL, array(2))', 'nvl(1, 2)', 'ifnull(NULL, NULL)', 'ifnull(NULL, 1.5)'),
  of('nvl2', ['nvl2(value, a, b)', '`a` where the value is not null, else `b`.'], 'nvl2(NULL, 2, 1)', 'nvl2(3, 2, 1)', 'nvl2(NULL, 2, NULL)', "nvl2(1, 'a', 'b')"),
  of('nullif', ['nullif(a, b)', 'Null where the two are equal, else the first.'], 'nullif(2, 2)', 'nullif(2, 1)', 'nullif(NULL, 2)', 'nullif(2, NULL)', `nullif(${nan}, ${nan})`),
  of('nullifzero', ['nullifzero(number)', 'Null instead of 0.'], 'nullifzero(0)', 'nullifzero(2)', 'nullifzero(NULL)', 'nullifzero(0.0)'),
  of('zeroifnull', ['zeroifnull(number)', '0 instead of null.'], 'zeroifnull(NULL)', 'zeroifnull(2)', 'zeroifnull(1.5)', "zeroifnull('a')"),
  of('nanvl', ['nanvl(a, b)', 'The first number unless it is NaN.'], `nanvl(${nan}, 123)`, 'nanvl(1.5D, 2)', `nanvl(NULL, 1)`, `nanvl(${nan}, NULL)`, 'nanvl(1, 2)'),
  of('if', ['if(condition, a, b)', '`a` where the condition is true, else `b`.'], "if(1 < 2, 'a', 'b')", "if(NULL, 'a', 'b')", 'if(true, 1, 1 / 0)', 'if(false, 1, 2.5)', "if(1, 'a', 'b')", 'if(true, NULL, 1)'),
  of('equal_null', ['a <=> b', 'Equality in which null equals null.'], 'equal_null(3, 3)', "equal_null(1, '11')", 'equal_null(true, NULL)', 'equal_null(NULL, NULL)', 'NULL <=> NULL', `${nan} <=> ${nan}`),
  of('assert_true', ['assert_true(condition[, message])', 'Null where the condition is true, else an error.'], 'assert_true(0 < 1)', 'assert_true(0 > 1)', 'assert_true(NULL)', "assert_true(false, 'no')"),
  of('raise_error', ['raise_error(message)', 'An error.'], "raise_error('custom error message')", 'raise_error(NULL)', "raise_error('')"),
  of('typeof', ['typeof(value)', 'The name of the type.'], 'typeof(1)', 'typeof(array(1))', 'typeof(NULL)', "typeof(named_struct('a', 1L, 'b', 'x'))", 'typeof(1.50)', "typeof(map('a', CAST(1 AS FLOAT)))", "typeof(DATE '2020-01-01')"),
  of('case', ['CASE WHEN condition THEN value … [ELSE value] END', 'The value of the first condition that is true.'], "CASE WHEN 1 > 2 THEN 'a' WHEN 2 > 1 THEN 'b' ELSE 'c' END", "CASE WHEN false THEN 'a' END", "CASE WHEN NULL THEN 'a' ELSE 'b' END", "CASE 3 WHEN 1 THEN 'a' WHEN 3 THEN 'b' END", 'CASE WHEN true THEN 1 ELSE 2.5 END', 'CASE NULL WHEN NULL THEN 1 ELSE 2 END', 'CASE WHEN true THEN 1 ELSE 1 / 0 END'),
]
