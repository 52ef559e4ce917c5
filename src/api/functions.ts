/**
 * Spark's functions under Spark's names. Where a function takes a constant (a pattern, a length), a JavaScript value stands for it;
 * a string is always text here, never the name of a column: write col('x') for that.
 */
export * from './functions/aggregates.ts'
export * from './functions/bitwise.ts'
export * from './functions/collections.ts'
export * from './functions/columns.ts'
export * from './functions/conditional.ts'
export * from './functions/csv.ts'
export * from './functions/datetime.ts'
export * from './functions/generators.ts'
export * from './functions/hash.ts'
export * from './functions/higher-order.ts'
export * from './functions/intervals.ts'
export * from './functions/json.ts'
export * from './functions/math.ts'
export * from './functions/misc.ts'
export * from './functions/regexp.ts'
export * from './functions/strings.ts'
export * from './functions/url.ts'
export * from './functions/windows.ts'
