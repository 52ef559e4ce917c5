import { namesOf, textOf } from '../base/arguments.ts'
import { InvalidQueryError } from '../base/errors.ts'
import { nearest } from '../base/suggest.ts'
import type { ForeachWriter } from '../data/foreach-writer.ts'
import type { ForeachBatchContext } from '../data/refusing-context.ts'
import type { Row } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import { deadLetterFields, lateRowFields } from '../data/side-rows.ts'
import { unresolvedColumn } from '../plan/analysis-errors.ts'
import type { LogicalPlan, OutputMode } from '../plan/logical-plan.ts'
import { sameName } from '../plan/resolve.ts'
import { checkStreaming } from '../plan/unsupported.ts'
import type {
  DeadLetterLimits,
  DeadLettersOutput,
  EnginePort,
  ForeachBatchInstance,
  ForeachInstance,
  LateRowsOutput,
  OutputsInstance,
  StartQuery,
  Trigger,
  WriteBatch,
} from '../query/engine-port.ts'
import type { StreamingQuery } from '../query/streaming-query.ts'
import { formatOf, type Options, type OptionValue, pathOf, withOption, withOptions } from './options.ts'
import { outputSpecs, sideOutputSpecs } from './output-writer.ts'
import type { DeadLetterOptions } from './side-output-types.ts'
import { triggerOf } from './trigger.ts'
import { type SchemaInput, schemaOf } from './types.ts'

type BatchMode = WriteBatch['mode']
interface BatchSettings {
  readonly format: string
  readonly mode: BatchMode
  readonly options: Options
  readonly partitionBy: readonly string[]
}

/** `df.write`: each method gives a new writer. */
export class BatchWriter {
  readonly #engine: EnginePort
  readonly #plan: LogicalPlan
  readonly #settings: BatchSettings
  constructor(
    engine: EnginePort,
    plan: LogicalPlan,
    settings: BatchSettings = { format: 'parquet', mode: 'errorifexists', options: {}, partitionBy: [] },
  ) {
    this.#engine = engine
    this.#plan = plan
    this.#settings = settings
  }
  format(format: string): BatchWriter {
    return this.#with({ format: formatOf(format) })
  }
  mode(mode: string): BatchWriter {
    return this.#with({ mode: batchMode(mode) })
  }
  option(name: string, value: OptionValue): BatchWriter {
    return this.#with({ options: withOption(this.#settings.options, name, value) })
  }
  options(options: Readonly<Record<string, OptionValue>>): BatchWriter {
    return this.#with({ options: withOptions(this.#settings.options, options) })
  }
  partitionBy(...columns: string[]): BatchWriter {
    return this.#with({ partitionBy: partitionColumns(this.#plan, columns) })
  }
  async save(path?: string): Promise<void> {
    const { format, mode, options, partitionBy } = this.#settings
    const target = pathOf('save()', path, options)
    await this.#engine.writeBatch({ plan: this.#plan, format, mode, options, partitionBy, ...(target && { path: target }) })
  }
  parquet(path: string): Promise<void> {
    return this.format('parquet').save(path)
  }
  json(path: string): Promise<void> {
    return this.format('json').save(path)
  }
  csv(path: string): Promise<void> {
    return this.format('csv').save(path)
  }
  text(path: string): Promise<void> {
    return this.format('text').save(path)
  }
  #with(change: Partial<BatchSettings>): BatchWriter {
    return new BatchWriter(this.#engine, this.#plan, { ...this.#settings, ...change })
  }
}

function batchMode(mode: string): BatchMode {
  const name = String(mode).toLowerCase()
  if (name === 'error' || name === 'default') return 'errorifexists'
  if (name === 'append' || name === 'overwrite' || name === 'errorifexists' || name === 'ignore') return name
  throw new InvalidQueryError('INVALID_SAVE_MODE', {
    what: `the specified save mode ${JSON.stringify(mode)} is invalid`,
    todo: 'use append, overwrite, ignore, error or errorifexists',
  })
}

/** The columns under the names that the schema has them by. */
function partitionColumns(plan: LogicalPlan, columns: readonly string[]): readonly string[] {
  return namesOf('partitionBy', columns, "name the columns one by one: partitionBy('a', 'b')").map((column) => {
    const field = plan.schema.fields.find(({ name }) => sameName(name, column))
    if (!field) throw unresolvedColumn(column, plan.schema.fields)
    return field.name
  })
}

interface QuerySettings {
  readonly outputMode: OutputMode
  readonly trigger: Trigger
  readonly queryName: string | null
  readonly format: string
  readonly options: Options
  readonly partitionBy: readonly string[]
  readonly foreachBatch?: (rows: unknown, batchId: bigint, context: ForeachBatchContext) => unknown
  readonly foreach?: ForeachWriter
  readonly outputs?: OutputsInstance
  readonly lateRows?: LateRowsOutput
  readonly deadLetters?: DeadLettersOutput
}
const defaults: QuerySettings = {
  outputMode: 'append',
  trigger: { kind: 'processing-time', intervalMs: 0 },
  queryName: null,
  format: 'parquet',
  options: {},
  partitionBy: [],
}

/** How many relations were given a name. */
let outputsCount = 0

/** The columns as a bounded table has them: what an event-time column says to a stream says nothing to one batch. */
function rowsOfBatch(schema: Schema): Schema {
  return new Schema(schema.fields.map(({ name, type, nullable }) => ({ name, type, nullable })))
}

/** `df.writeStream`: each method gives a new writer. `frameOf` makes the DataFrame that foreachBatch's function gets. */
export class QueryWriter {
  readonly #engine: EnginePort
  readonly #plan: LogicalPlan
  readonly #frameOf: (plan: LogicalPlan) => unknown
  readonly #settings: QuerySettings
  constructor(engine: EnginePort, plan: LogicalPlan, frameOf: (plan: LogicalPlan) => unknown, settings: QuerySettings = defaults) {
    this.#engine = engine
    this.#plan = plan
    this.#frameOf = frameOf
    this.#settings = settings
  }
  outputMode(mode: string): QueryWriter {
    return this.#with({ outputMode: outputMode(mode) })
  }
  format(format: string): QueryWriter {
    const { foreachBatch: _, foreach: __, outputs: ___, ...settings } = this.#settings
    return new QueryWriter(this.#engine, this.#plan, this.#frameOf, { ...settings, format: formatOf(format) })
  }
  option(name: string, value: OptionValue): QueryWriter {
    return this.#with({ options: withOption(this.#settings.options, name, value) })
  }
  options(options: Readonly<Record<string, OptionValue>>): QueryWriter {
    return this.#with({ options: withOptions(this.#settings.options, options) })
  }
  partitionBy(...columns: string[]): QueryWriter {
    return this.#with({ partitionBy: partitionColumns(this.#plan, columns) })
  }
  queryName(name: string): QueryWriter {
    return this.#with({
      queryName: name === null || name === undefined ? null : textOf('the name of the query', name, "write queryName('clicks')"),
    })
  }
  trigger(trigger: unknown): QueryWriter {
    return this.#with({ trigger: triggerOf(trigger) })
  }
  foreachBatch(f: (rows: unknown, batchId: bigint, context: ForeachBatchContext) => unknown): QueryWriter {
    if (typeof f !== 'function')
      throw new InvalidQueryError('INVALID_FUNCTION', {
        what: `foreachBatch was given a value of type ${typeof f}`,
        todo: 'give a function (rows, batchId) => …',
      })
    return this.format('foreachBatch').#with({ foreachBatch: f })
  }
  foreach(writer: ForeachWriter | ((row: Row) => unknown)): QueryWriter {
    return this.format('foreach').#with({ foreach: foreachWriter(writer) })
  }
  outputs(f: (rows: unknown) => unknown): QueryWriter {
    if (typeof f !== 'function')
      throw new InvalidQueryError('INVALID_FUNCTION', {
        what: `outputs was given a value of type ${typeof f}`,
        todo: 'give a function rows => ({ name: rows.output.format(…), … })',
      })
    const relation = `outputs_${++outputsCount}`
    const outputs = outputSpecs(f(this.#frameOf({ kind: 'local', relation, schema: rowsOfBatch(this.#plan.schema) })))
    return this.format('outputs').#with({ outputs: { kind: 'outputs', relation, outputs } })
  }
  lateRows(columns: unknown, f: (rows: unknown) => unknown): QueryWriter {
    if (typeof f !== 'function')
      throw new InvalidQueryError('INVALID_FUNCTION', {
        what: `lateRows was given a value of type ${typeof f} behind the columns`,
        todo: "give a function late => late.output.format('json').option('path', 'late/')",
      })
    const fields = schemaOfColumns(columns).fields
    // as the columns of files: what the schema says of nulls is a promise, and a late row may have broken it
    const schema = new Schema([...fields.map((field) => ({ ...field, nullable: true })), ...lateRowFields])
    const clash = fields.find(({ name }) => lateRowFields.some((own) => sameName(own.name, name)))
    if (clash)
      throw new InvalidQueryError('LATE_ROWS_COLUMN', {
        what: `lateRows asks for the column \`${clash.name}\`, which is the name of one that says why a row is late`,
        todo: 'leave it out, or rename it before the step with state',
      })
    const relation = `late_rows_${++outputsCount}`
    const outputs = sideOutputSpecs('lateRows', f(this.#frameOf({ kind: 'local', relation, schema })))
    return this.#with({ lateRows: { relation, schema, outputs, columns: fields } })
  }
  deadLetters(f: (rows: unknown) => unknown, options: DeadLetterOptions = {}): QueryWriter {
    if (typeof f !== 'function')
      throw new InvalidQueryError('INVALID_FUNCTION', {
        what: `deadLetters was given a value of type ${typeof f}`,
        todo: "give a function letters => letters.output.format('json').option('path', 'dead-letters/')",
      })
    const schema = new Schema(deadLetterFields)
    const relation = `dead_letters_${++outputsCount}`
    const outputs = sideOutputSpecs('deadLetters', f(this.#frameOf({ kind: 'local', relation, schema })))
    return this.#with({ deadLetters: { relation, schema, outputs, limits: deadLetterLimits(options) } })
  }
  /** Where the rows go, as the engine gets it. */
  sink(path?: string): Pick<StartQuery, 'format' | 'options' | 'partitionBy' | 'instance'> {
    const { foreachBatch, foreach, outputs, options, format, partitionBy } = this.#settings
    pathOf('start()', path, options)
    const instance: ForeachBatchInstance | ForeachInstance | OutputsInstance | undefined =
      (foreachBatch && {
        kind: 'foreach-batch',
        call: async (plan, batchId, context) => {
          await foreachBatch(this.#frameOf(plan), batchId, context)
        },
      }) ??
      (foreach && { kind: 'foreach', writer: foreach }) ??
      outputs
    return {
      format,
      partitionBy,
      options: path === undefined ? options : withOption(options, 'path', path),
      ...(instance ? { instance } : {}),
    }
  }
  /** Checks the query as a whole, then hands it to the engine. */
  start = async (path?: string): Promise<StreamingQuery> => {
    const { outputMode, trigger, queryName, lateRows, deadLetters } = this.#settings
    checkStreaming(this.#plan, outputMode)
    const sideOutputs = { ...(lateRows && { lateRows }), ...(deadLetters && { deadLetters }) }
    return this.#engine.start({ outputMode, trigger, queryName, plan: this.#plan, ...this.sink(path), ...sideOutputs })
  }
  /** A memory table of that name; there is no catalog of tables on disk. */
  toTable = async (name: string): Promise<StreamingQuery> => {
    const { format } = this.#settings
    if (format === 'memory') return this.queryName(name).start()
    throw new InvalidQueryError('NOT_SUPPORTED_YET', {
      what: `toTable(${JSON.stringify(name)}) of format ${format}: there is no catalog of tables on disk, not in this version of Millrace yet`,
      todo: "write into a folder with start('out/'), or use format('memory') for a table of this process",
    })
  }
  #with(change: Partial<QuerySettings>): QueryWriter {
    return new QueryWriter(this.#engine, this.#plan, this.#frameOf, { ...this.#settings, ...change })
  }
}

/** InvalidQueryError INVALID_DEAD_LETTERS. */
function deadLetterLimits(options: DeadLetterOptions): DeadLetterLimits {
  const names = ['maxPerBatch', 'maxShare', 'userFunctions']
  const foreign = Object.keys(options).find((name) => !names.includes(name))
  const { maxPerBatch, maxShare, userFunctions = false } = options
  const wrong =
    foreign !== undefined
      ? `the option ${JSON.stringify(foreign)}, which it does not have`
      : maxPerBatch !== undefined && !(Number.isSafeInteger(maxPerBatch) && maxPerBatch >= 0)
        ? `maxPerBatch = ${maxPerBatch}`
        : maxShare !== undefined && !(maxShare >= 0 && maxShare <= 1)
          ? `maxShare = ${maxShare}`
          : typeof userFunctions !== 'boolean'
            ? `userFunctions = ${JSON.stringify(userFunctions)}`
            : undefined
  if (wrong === undefined)
    return { userFunctions, ...(maxPerBatch !== undefined && { maxPerBatch }), ...(maxShare !== undefined && { maxShare }) }
  throw new InvalidQueryError('INVALID_DEAD_LETTERS', {
    what: `deadLetters was given ${wrong}`,
    todo: 'give maxPerBatch (a whole number from 0), maxShare (from 0 to 1) and userFunctions (true or false), or none of them',
  })
}

/** The columns of a frame, or a schema in any form, as a bounded table has them. */
function schemaOfColumns(given: unknown): Schema {
  const plan = (given as { readonly plan?: LogicalPlan } | null)?.plan
  return rowsOfBatch(plan?.schema instanceof Schema ? plan.schema : schemaOf(given as SchemaInput<unknown>))
}

function foreachWriter(given: ForeachWriter | ((row: Row) => unknown)): ForeachWriter {
  if (typeof given === 'function') return { process: given }
  const what = (name: keyof ForeachWriter) => typeof given?.[name]
  const wrong = (['open', 'process', 'processBatch', 'close'] as const).find((name) => !['function', 'undefined'].includes(what(name)))
  if (typeof given === 'object' && given !== null && !wrong && (given.process === undefined) !== (given.processBatch === undefined))
    return given
  throw new InvalidQueryError('INVALID_FUNCTION', {
    what: `foreach was given ${wrong ? `a writer whose ${wrong} is a ${what(wrong)}` : given?.process ? 'a writer with both process and processBatch' : 'no function and no writer with process or processBatch'}`,
    todo: 'give a function (row) => …, or an object with process(row) or processBatch(rows), and open(partitionId, epochId), close(error) where needed',
  })
}

function outputMode(mode: string): OutputMode {
  const name = String(mode).toLowerCase()
  if (name === 'append' || name === 'update' || name === 'complete') return name
  const near = nearest(name, ['append', 'update', 'complete'])
  throw new InvalidQueryError('STREAMING_OUTPUT_MODE.INVALID', {
    what: `invalid streaming output mode: ${mode}`,
    todo: near.length > 0 ? `did you mean '${near[0]}'?` : "use 'append', 'update' or 'complete'",
  })
}
