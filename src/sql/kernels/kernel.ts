/**
 * Functions of Spark that SQL has not: written in TypeScript, called by DuckDB a vector at a time, on the JavaScript thread.
 * The planner writes them as `spark_<name>(…)` with arguments of exactly the types that `takes` says.
 */
import type { DataType } from '../../data/types.ts'

export interface Kernel {
  /** As it stands in SQL. */
  readonly name: string
  readonly takes: readonly DataType[]
  readonly gives: DataType
  /** Also called where an argument is null; otherwise null gives null. */
  readonly seesNulls?: boolean
  /** One row. May throw a KernelError. */
  // biome-ignore lint/suspicious/noExplicitAny: arguments of every type
  readonly run: (...args: any[]) => unknown
}

/** Ends the statement under a Spark error class. */
export class KernelError extends Error {
  readonly code: string
  readonly what: string
  constructor(code: string, what: string) {
    super(`[${code}] ${what}`)
    this.code = code
    this.what = what
  }
}

export function kernel(
  name: string,
  takes: readonly DataType[],
  gives: DataType,
  run: Kernel['run'],
  options: { readonly seesNulls?: boolean } = {},
): Kernel {
  return { name: `spark_${name}`, takes, gives, run, ...options }
}
