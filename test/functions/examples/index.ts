/** Every family's examples; the expected values of a family lie in ../expected/<name>.json. The names are those of the function table's families. */

import { aggregates } from './aggregates.ts'
import { collections } from './collections.ts'
import { datetime } from './datetime.ts'
import type { Example, FunctionExamples } from './example.ts'
import { higherOrder } from './higher-order.ts'
import { intervalOperators, intervals } from './intervals.ts'

export const families: Readonly<Record<string, readonly FunctionExamples[]>> = {
  aggregates,
  datetime,
  intervals,
  'interval-operators': intervalOperators,
  collections,
  'higher-order': higherOrder,
}

export function examplesOf(functions: readonly FunctionExamples[]): readonly Example[] {
  return functions.flatMap(({ examples }) => examples)
}
