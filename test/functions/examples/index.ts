/** Every family's examples; the expected values of a family lie in ../expected/<name>.json. The names are those of the function table's families. */

import { aggregates } from './aggregates.ts'
import { bitwise } from './bitwise.ts'
import { casts } from './casts.ts'
import { collections } from './collections.ts'
import { conditional } from './conditional.ts'
import { csv } from './csv.ts'
import { datetime } from './datetime.ts'
import type { Example, FunctionExamples } from './example.ts'
import { hash } from './hash.ts'
import { higherOrder } from './higher-order.ts'
import { intervalOperators, intervals } from './intervals.ts'
import { json } from './json.ts'
import { math } from './math.ts'
import { misc } from './misc.ts'
import { operators } from './operators.ts'
import { regexp } from './regexp.ts'
import { strings } from './strings.ts'
import { url } from './url.ts'

export const families: Readonly<Record<string, readonly FunctionExamples[]>> = {
  operators,
  conditional,
  math,
  bitwise,
  strings,
  regexp,
  url,
  hash,
  casts,
  json,
  csv,
  datetime,
  intervals,
  'interval-operators': intervalOperators,
  collections,
  'higher-order': higherOrder,
  aggregates,
  misc,
}

export function examplesOf(functions: readonly FunctionExamples[]): readonly Example[] {
  return functions.flatMap(({ examples }) => examples)
}
