/** What a function means, as Spark SQL text. What the examples give stands in ../expected, from real Spark. See ../README.md. */
export interface Example {
  readonly sql: string
  /** A small table for aggregates and generators: `VALUES (1, 'a'), (2, NULL) AS t(x, y)`. */
  readonly from?: string
  /** Groups by this column of `from`. */
  readonly by?: string
  /** Differs from Spark on purpose: words of the row of docs/differences.md that says how and why. */
  readonly differs?: string
}
export interface FunctionExamples {
  /** The name of its row in the function table. */
  readonly name: string
  readonly signature: string
  /** What it does, in a sentence. */
  readonly does: string
  readonly examples: readonly Example[]
}

/** The examples of one function. At least three: a normal one, one with a null, one at an edge. */
export function of(
  name: string,
  [signature, does]: readonly [signature: string, does: string],
  ...examples: readonly (string | Example)[]
): FunctionExamples {
  return { name, signature, does, examples: examples.map((example) => (typeof example === 'string' ? { sql: example } : example)) }
}
