import { InvalidQueryError } from '../base/errors.ts'
import type { ForeachWriter } from '../data/foreach-writer.ts'
import type { ForeachBatchContext } from '../data/refusing-context.ts'
import type { Row } from '../data/row-set.ts'
import { isStreaming, type LogicalPlan } from '../plan/logical-plan.ts'
import type { OutputSpec } from '../query/engine-port.ts'
import type { OptionValue } from './options.ts'
import type { QueryWriter } from './writer.ts'

/** `df.output`: where the rows of one of a query's outputs go. Each method gives a new one. */
export class OutputWriter {
  readonly #plan: LogicalPlan
  readonly #writer: QueryWriter
  constructor(plan: LogicalPlan, writer: QueryWriter) {
    this.#plan = plan
    this.#writer = writer
  }
  format(format: string): OutputWriter {
    return this.#with(this.#writer.format(format))
  }
  option(name: string, value: OptionValue): OutputWriter {
    return this.#with(this.#writer.option(name, value))
  }
  options(options: Readonly<Record<string, OptionValue>>): OutputWriter {
    return this.#with(this.#writer.options(options))
  }
  partitionBy(...columns: string[]): OutputWriter {
    return this.#with(this.#writer.partitionBy(...columns))
  }
  foreach(writer: ForeachWriter | ((row: Row) => unknown)): OutputWriter {
    return this.#with(this.#writer.foreach(writer))
  }
  foreachBatch(f: (rows: unknown, batchId: bigint, context: ForeachBatchContext) => unknown): OutputWriter {
    return this.#with(this.#writer.foreachBatch(f))
  }
  /** The output under its name. */
  named(name: string): OutputSpec {
    return { ...this.#writer.sink(), name, plan: this.#plan }
  }
  #with(writer: QueryWriter): OutputWriter {
    return new OutputWriter(this.#plan, writer)
  }
}

/** What the function of a side output gave: one output, or several under names. */
export function sideOutputSpecs(method: string, given: unknown): readonly OutputSpec[] {
  return given instanceof OutputWriter ? [sideOutput(method, given)] : outputSpecs(given)
}
function sideOutput(method: string, writer: OutputWriter): OutputSpec {
  const spec = writer.named(method)
  if (isStreaming(spec.plan)) throw invalid(`the output of ${method} reads a stream of its own`)
  return spec
}

/** Checks what the function of `outputs` gave. */
export function outputSpecs(given: unknown): readonly OutputSpec[] {
  const entries = typeof given === 'object' && given !== null ? Object.entries(given) : []
  if (entries.length === 0) throw invalid('the function gave no outputs')
  return entries.map(([name, writer]) => {
    if (!/^\w+$/.test(name)) throw invalid(`${JSON.stringify(name)} is no name for an output (letters, digits and _)`)
    if (!(writer instanceof OutputWriter)) throw invalid(`the output ${name} is a ${typeof writer}`)
    const spec = writer.named(name)
    if (isStreaming(spec.plan)) throw invalid(`the output ${name} reads a stream of its own`)
    return spec
  })
}

function invalid(what: string): InvalidQueryError {
  return new InvalidQueryError('INVALID_OUTPUTS', {
    what: `outputs: ${what}`,
    todo: "give a function such as (rows) => ({ archive: rows.output.format('parquet').option('path', 'out/'), alerts: rows.where(…).output.foreach(…) })",
  })
}
