import { settingsOf } from '../base/arguments.ts'
import { InvalidQueryError } from '../base/errors.ts'
import { nearest } from '../base/suggest.ts'
import { unresolvedColumn } from './analysis-errors.ts'
import { parseWatermarkDelayMs } from './intervals.ts'
import type { LogicalPlan, Watermark } from './logical-plan.ts'
import { sameName } from './resolve.ts'

/** The third argument of withWatermark: what Spark has not. Spans are interval text. */
export interface WatermarkOptions {
  /** How long the stream may give no rows before it holds back no other stream's watermark; when all are idle, event time goes on with the clock. */
  readonly idleTimeout?: string
  /** Rows whose time is further ahead of the clock go to the side output (reason `future`) and do not move the watermark. */
  readonly maxFutureSkew?: string
  /** Columns that tell partitions apart: each has a watermark (and an idle time) of its own, and the least of them counts. */
  readonly perPartition?: readonly string[]
}
const names = ['idleTimeout', 'maxFutureSkew', 'perPartition'] as const

/** The options as the plan has them. InvalidQueryError INVALID_WATERMARK_OPTION, UNRESOLVED_COLUMN. */
export function watermarkExtras(
  input: LogicalPlan,
  options: WatermarkOptions,
): Pick<Watermark, 'idleTimeoutMs' | 'maxFutureSkewMs' | 'partitionColumns'> {
  settingsOf('what withWatermark was given third', options, "write withWatermark('at', '10 minutes', { idleTimeout: '1 minute' })")
  const foreign = Object.keys(options).find((name) => !names.some((each) => each === name))
  if (foreign !== undefined) {
    const [near] = nearest(foreign, [...names], 1)
    throw invalid(`has no option ${JSON.stringify(foreign)}`, near ? `did you mean ${near}?` : `use ${names.join(', ')}`)
  }
  const { idleTimeout, maxFutureSkew, perPartition } = options
  if (idleTimeout !== undefined && parseWatermarkDelayMs(idleTimeout) === 0)
    throw invalid('has an idleTimeout of 0', "give how long the stream may be silent, such as '1 minute'")
  if (perPartition !== undefined && (!Array.isArray(perPartition) || perPartition.length === 0))
    throw invalid('has a perPartition without columns', "give a list of columns, such as ['topic', 'partition']")
  return {
    ...(idleTimeout !== undefined && { idleTimeoutMs: parseWatermarkDelayMs(idleTimeout) }),
    ...(maxFutureSkew !== undefined && { maxFutureSkewMs: parseWatermarkDelayMs(maxFutureSkew) }),
    ...(perPartition !== undefined && { partitionColumns: perPartition.map((name) => columnOf(input, name)) }),
  }
}

function columnOf({ schema }: LogicalPlan, name: string): number {
  const index = schema.fields.findIndex((field) => sameName(field.name, name))
  if (index < 0) throw unresolvedColumn(name, schema.fields)
  const { type } = schema.fields[index]!
  if (typeof type === 'string' && /^(string|byte|short|int|long|boolean|date)$/.test(type)) return index
  throw invalid(
    `takes the column \`${name}\` as the partition, which is ${typeof type === 'string' ? `of type ${type}` : 'nested'}`,
    'take columns of whole numbers, text, booleans or dates',
  )
}

function invalid(what: string, todo: string): InvalidQueryError {
  return new InvalidQueryError('INVALID_WATERMARK_OPTION', { what: `withWatermark ${what}`, todo })
}
