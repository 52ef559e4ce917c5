import { type FunctionExamples, of } from './example.ts'

const nan = "CAST('NaN' AS DOUBLE)"

export const operators: readonly FunctionExamples[] = [
  of('+', ['a + b', 'The sum.'], '1 + 2', '1 + NULL', '2147483647 + 1', '9223372036854775807L + 1', '1.5 + 2.25', "'3' + 4", "'a' + 1", '1 + 1.5D', 'CAST(127 AS TINYINT) + CAST(1 AS TINYINT)', 'CAST(99999999999999999999999999999999999999 AS DECIMAL(38, 0)) + 1', "1 + true"),
  of('-', ['a - b', 'The difference.'], '1 - 2', '1 - NULL', '-2147483648 - 1', '1.5 - 2.25', "'3' - 4", `1 - ${nan}`),
  of('*', ['a * b', 'The product.'], '2 * 3', '2 * NULL', '2147483647 * 2', '9223372036854775807L * 2', '1.5 * 2.25', '1e200 * 1e200', 'CAST(1.1 AS DECIMAL(38, 20)) * CAST(1.1 AS DECIMAL(38, 20))'),
  of('/', ['a / b', 'The quotient, of integers a double.'], '7 / 2', '1 / 0', 'NULL / 0', '1.0 / 3', '0D / 0D', '1D / 0', '10.00 / 4', '-7 / 2L'),
  of('%', ['a % b', 'The remainder, with the sign of the dividend.'], '7 % 3', '-7 % 3', '7 % 0', 'NULL % 3', '5.5 % 2', '-2147483648 % -1'),
  of('==', ['a = b', 'Equality.'], '2 = 2', "1 = '1'", '1 == NULL', `${nan} = ${nan}`, "CAST('-0.0' AS DOUBLE) = 0D", "1 = 'a'", 'array(1, 2) = array(1, 2)', "'a' = 'A'", 'true = 1', "map(1, 2) = map(1, 2)"),
  of('!=', ['a != b', 'Inequality.'], '2 != 2', "1 <> '2'", '1 != NULL', `${nan} != ${nan}`, 'array(1) != array(2)'),
  of('<=>', ['a <=> b', 'Equality in which null equals null.'], '2 <=> 2', '1 <=> NULL', 'NULL <=> NULL', "1 <=> '1'", `${nan} <=> ${nan}`),
  of('<', ['a < b', 'Less.'], '1 < 2', "'a' < 'B'", '1 < NULL', `1D < ${nan}`, "1.1 < '1'", "DATE '2020-01-01' < DATE '2020-01-02'", "array(1, 2) < array(1, 3)"),
  of('<=', ['a <= b', 'Less or equal.'], '2 <= 2', 'NULL <= 2', `${nan} <= 1D`, "'' <= 'a'"),
  of('>', ['a > b', 'Greater.'], '2 > 1', 'NULL > 2', `${nan} > CAST('Infinity' AS DOUBLE)`, "'b' > 'a'"),
  of('>=', ['a >= b', 'Greater or equal.'], '2 >= 1', 'NULL >= NULL', `${nan} >= ${nan}`, "named_struct('a', 1) >= named_struct('a', 2)"),
  of('and', ['a AND b', 'Both.'], 'true AND false', 'true AND NULL', 'false AND NULL', "true AND 'x'", 'false AND 1 / 0 > 1'),
  of('or', ['a OR b', 'One or both.'], 'true OR false', 'true OR NULL', 'false OR NULL', 'NULL OR NULL'),
  of('not', ['NOT a', 'The opposite.'], 'NOT true', 'NOT NULL', '! false', 'NOT 1'),
  of('in', ['a IN (b, …)', 'Whether a value is among others.'], '1 IN (1, 2, 3)', '4 IN (1, 2, 3)', '4 IN (1, NULL)', '1 IN (1, NULL)', 'NULL IN (1)', "1 IN ('1', '2')", `${nan} IN (${nan})`, "2 NOT IN (1, 3)", 'NULL NOT IN (1)'),
  of('between', ['a BETWEEN b AND c', 'Whether a value lies between two others, both included.'], '2 BETWEEN 1 AND 3', '3 BETWEEN 1 AND 3', 'NULL BETWEEN 1 AND 3', '4 NOT BETWEEN 1 AND 3', '2 BETWEEN 3 AND 1', '0 BETWEEN 1 AND NULL', "between('b', 'a', 'c')"),
]
