/** Every family's examples; the expected values of a family lie in ../expected/<name>.json. The names are those of the function table's families. */
import type { Example, FunctionExamples } from './example.ts'

export const families: Readonly<Record<string, readonly FunctionExamples[]>> = {}

export function examplesOf(functions: readonly FunctionExamples[]): readonly Example[] {
  return functions.flatMap(({ examples }) => examples)
}
