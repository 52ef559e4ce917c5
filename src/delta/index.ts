// The subpath export millrace/delta: importing it makes the format `delta` known to every engine of the process.
import { registerSink } from '../sinks/providers.ts'
import { registerSource } from '../sources/providers.ts'
import { deltaSinkProvider } from './delta-sink.ts'
import { deltaSourceProvider } from './provider.ts'

registerSource(deltaSourceProvider)
registerSink(deltaSinkProvider)

export { type DeltaOptimizeBuilder, DeltaTable, type RowChangeMetrics } from './delta-table.ts'
export type { Condition, Values, ValuesOf } from './expressions.ts'
export type { DeltaMergeBuilder, InsertClause, MergeMetrics, UpdateClause } from './merge-builder.ts'
export type { OptimizeMetrics } from './optimize.ts'
export type { RestoreMetrics } from './restore.ts'
export type { VacuumOptions } from './vacuum.ts'
export { deltaSinkProvider, deltaSourceProvider }
