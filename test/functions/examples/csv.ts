import { type FunctionExamples, of } from './example.ts'

export const csv: readonly FunctionExamples[] = [
  of(
    'from_csv',
    ['from_csv(text, schema[, options])', 'The struct that a line of CSV holds.'],
    "from_csv('1, 0.8', 'a INT, b DOUBLE')",
    "from_csv('26/08/2015', 'time Timestamp', map('timestampFormat', 'dd/MM/yyyy'))",
    "from_csv('x,2', 'a INT, b INT')",
    "from_csv(NULL, 'a INT')",
    "from_csv('1', 'a INT, b INT')",
    "from_csv('1,2,3', 'a INT, b INT')",
    `from_csv('"a ""b"", c",d', 'a STRING, b STRING')`,
    "from_csv('a;b', 'a STRING, b STRING', map('sep', ';'))",
    "from_csv(',x', 'a STRING, b STRING')",
    "from_csv('', 'a STRING')",
  ),
  of(
    'to_csv',
    ['to_csv(struct[, options])', 'A struct as a line of CSV.'],
    "to_csv(named_struct('a', 1, 'b', 2))",
    "to_csv(named_struct('time', to_timestamp('2015-08-26', 'yyyy-MM-dd')), map('timestampFormat', 'dd/MM/yyyy'))",
    "to_csv(named_struct('a', NULL, 'b', 'x'))",
    `to_csv(named_struct('a', 'x,y', 'b', 'q"r', 'c', ''))`,
    "to_csv(named_struct('a', 1.5D, 'b', true, 'c', DATE '2020-01-01'))",
    "to_csv(named_struct('a', 'x', 'b', 'y'), map('sep', ';'))",
    'to_csv(CAST(NULL AS STRUCT<a: INT>))',
  ),
]
