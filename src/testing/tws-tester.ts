import type { Row as RowOf } from '../api/frame-types.ts'
import type { Declared, OutputColumns, StatefulProcessor } from '../api/state-function-types.ts'
import { processorFunction } from '../api/state-functions.ts'
import { type InputRow, type SchemaInput, schemaOf } from '../api/types.ts'
import { InvalidQueryError } from '../base/errors.ts'
import { keyIdOf } from '../data/key-encoding.ts'
import type { Row } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import type { ListState, MapState, ProcessorFunction, TimeMode, ValueState } from '../data/state-function.ts'
import { encodeUserKey, timersName, timersSchema, variableSchema } from '../data/state-layout.ts'
import { columnsToRows, rowsToColumns } from '../data/values.ts'
import { KeySet, numberKeys, type RowGroups } from '../operators/groups/key-set.ts'
import { ProcessorRun } from '../operators/groups/processor-run.ts'
import { CollectedRows } from '../operators/groups/user-rows.ts'
import { takeColumn } from '../operators/take.ts'
import { MemoryStateStore } from '../state/memory-state-store.ts'

export interface TwsTesterOptions<K extends OutputColumns, D extends OutputColumns, V = any, I = any> {
  /** The columns that the rows are grouped by. */
  readonly key: K
  /** The columns of the rows that the processor gives. */
  readonly output: D
  /** As of transformWithState; default None. */
  readonly timeMode?: TimeMode
  /** As of transformWithState; default 1. */
  readonly concurrency?: number
  /** As of transformWithState. */
  readonly callTimeout?: string
  /** Where processing time begins, in milliseconds since 1970; default 0. It only moves by setProcessingTime. */
  readonly processingTimeMs?: number
  /** Rows of an initial state with their keys, which handleInitialState gets before the first call that is waited for does anything else. */
  readonly initialState?: readonly (readonly [key: InputRow<Declared<K>>, initialState: I])[]
  /**
   * In the time mode EventTime: the event time of a row, in milliseconds since 1970. Rows whose time is not past the watermark are then dropped, as a query drops late
   * rows; without it none is.
   */
  readonly eventTimeExtractor?: (row: V) => number | Date
}

/**
 * Tries a StatefulProcessor without a query: `new TwsTester(() => new Counter(), { key: { user: t.string() }, output: { … } })`. The code and the state are those of the engine,
 * in memory; rows come by `test`, time by setProcessingTime and setWatermark. Each call is a batch: rows first, then the timers that are due, then values whose TTL has passed.
 * Rows that come out have the forms of docs/types.md. Errors are those of a query.
 */
export class TwsTester<K extends OutputColumns, V, D extends OutputColumns, I = any> {
  readonly #function: ProcessorFunction
  readonly #run: ProcessorRun
  readonly #keySchema: Schema
  readonly #output: Schema
  readonly #variables = new Map<string, unknown>()
  readonly #timers: MemoryStateStore | null
  readonly #eventTimeOf: ((row: V) => number | Date) | undefined
  /** What is left to be taken. */
  #initial: RowGroups | null
  /** What came out while a variable was looked at: timers that the initial state had set. */
  readonly #held: RowOf<Declared<D>>[] = []
  #processingTimeMs: number
  #watermarkMs: number | null
  #batchId = 0

  constructor(
    create: () => StatefulProcessor<RowOf<Declared<K>>, V, InputRow<Declared<D>>, I>,
    options: TwsTesterOptions<K, D, NoInfer<V>, NoInfer<I>>,
  ) {
    const { timeMode = 'None', initialState = [], concurrency, callTimeout } = options
    const f = processorFunction(create, { timeMode, concurrency, callTimeout, hasInitialState: initialState.length > 0 })
    this.#keySchema = schemaOf(options.key as SchemaInput<unknown>)
    this.#output = schemaOf(options.output as SchemaInput<unknown>)
    this.#processingTimeMs = options.processingTimeMs ?? 0
    this.#watermarkMs = timeMode === 'EventTime' ? 0 : null
    this.#eventTimeOf = options.eventTimeExtractor
    this.#initial = initialState.length > 0 ? this.#groupsOf(initialState) : null
    const { fields } = this.#keySchema
    const stores = new Map(
      f.variables.map((variable) => [variable.name, new MemoryStateStore(variableSchema(fields, variable), keyGroups)]),
    )
    this.#timers = timeMode === 'None' ? null : new MemoryStateStore(timersSchema(fields), keyGroups)
    if (timeMode !== 'None') stores.set(timersName(timeMode), this.#timers!)
    this.#function = { ...f, create: () => this.#remembering(f) }
    this.#run = new ProcessorRun(this.#function, {
      keys: fields,
      store: (name) => stores.get(name)!,
      storeIfThere: (name) => stores.get(name) ?? null,
      isDeleted: () => false,
      checkMemory: () => {},
      checkStop: () => {},
      salt: '',
    })
  }

  /** Rows with their keys, as one batch; gives the rows that come out, those of timers that are due behind the others. */
  async test(input: readonly (readonly [key: InputRow<Declared<K>>, row: V])[]): Promise<RowOf<Declared<D>>[]> {
    const [timeOf, watermarkMs] = [this.#eventTimeOf, this.#watermarkMs]
    const isLate = timeOf === undefined || watermarkMs === null ? () => false : (row: V) => !(Number(timeOf(row)) > watermarkMs)
    return this.#batch(this.#groupsOf(input.filter(([, row]) => !isLate(row))))
  }
  testOneRow(key: InputRow<Declared<K>>, row: V): Promise<RowOf<Declared<D>>[]> {
    return this.test([[key, row]])
  }
  /** Sets a value state, tests one row, and gives what came out and the value as it then stands (null: none). */
  async testOneRowWithValueState<S>(
    key: InputRow<Declared<K>>,
    row: V,
    stateName: string,
    stateIn: S,
  ): Promise<{ readonly rows: RowOf<Declared<D>>[]; readonly state: S | null }> {
    await this.updateValueState(stateName, key, stateIn)
    const rows = await this.testOneRow(key, row)
    return { rows, state: await this.peekValueState<S>(stateName, key) }
  }

  /** Moves processing time (milliseconds since 1970), and gives the rows of the timers that are then due. It does not go back. */
  async setProcessingTime(timeMs: number): Promise<RowOf<Declared<D>>[]> {
    if (!(timeMs >= this.#processingTimeMs)) throw backwards('processing time', this.#processingTimeMs, timeMs)
    this.#processingTimeMs = timeMs
    return this.#batch(nothing(this.#keySchema))
  }
  /** Moves the watermark (milliseconds since 1970), and gives the rows of the timers that are then due. In the time mode EventTime; it does not go back. */
  async setWatermark(watermarkMs: number): Promise<RowOf<Declared<D>>[]> {
    if (this.#watermarkMs === null)
      throw new InvalidQueryError('CANNOT_GET_EVENT_TIME_WATERMARK', {
        what: `setWatermark was called in the time mode ${this.#function.timeMode}`,
        todo: "give TwsTester timeMode: 'EventTime'",
      })
    if (!(watermarkMs >= this.#watermarkMs)) throw backwards('the watermark', this.#watermarkMs, watermarkMs)
    this.#watermarkMs = watermarkMs
    return this.#batch(nothing(this.#keySchema))
  }

  /** Sets a value state of a key; null clears it. */
  updateValueState(stateName: string, key: InputRow<Declared<K>>, value: unknown): Promise<void> {
    return this.#within(stateName, key, (state: ValueState<unknown>) => (value === null ? state.clear() : state.update(value)))
  }
  /** The value state of a key, or null. */
  async peekValueState<S = unknown>(stateName: string, key: InputRow<Declared<K>>): Promise<S | null> {
    let found: unknown = null
    await this.#within(stateName, key, (state: ValueState<unknown>) => {
      found = state.get()
    })
    return found as S | null
  }
  /** Sets a list state of a key; an empty list clears it. */
  updateListState(stateName: string, key: InputRow<Declared<K>>, values: readonly unknown[]): Promise<void> {
    return this.#within(stateName, key, (state: ListState<unknown>) => (values.length === 0 ? state.clear() : state.put(values)))
  }
  async peekListState<S = unknown>(stateName: string, key: InputRow<Declared<K>>): Promise<S[]> {
    let found: unknown[] = []
    await this.#within(stateName, key, (state: ListState<unknown>) => {
      found = state.get()
    })
    return found as S[]
  }
  /** Sets a map state of a key: these entries in place of all. */
  updateMapState(stateName: string, key: InputRow<Declared<K>>, entries: Iterable<readonly [key: unknown, value: unknown]>): Promise<void> {
    return this.#within(stateName, key, (state: MapState<unknown, unknown>) => {
      state.clear()
      for (const [userKey, value] of entries) state.updateValue(userKey, value)
    })
  }
  async peekMapState<MK = unknown, MV = unknown>(stateName: string, key: InputRow<Declared<K>>): Promise<Map<MK, MV>> {
    let found = new Map<unknown, unknown>()
    await this.#within(stateName, key, (state: MapState<unknown, unknown>) => {
      found = new Map(state.iterator())
    })
    return found as Map<MK, MV>
  }
  /** Clears a variable of a key, whatever its kind. */
  deleteState(stateName: string, key: InputRow<Declared<K>>): Promise<void> {
    return this.#within(stateName, key, (state: { clear(): void }) => state.clear())
  }
  /** The timers of a key in milliseconds since 1970, the earliest first. */
  peekTimers(key: InputRow<Declared<K>>): number[] {
    if (this.#timers === null) return []
    const { keys } = this.#group([key as Row])
    const wanted = encodeUserKey({ kind: 'row', fields: this.#keySchema.fields }, keys.keyAt(0))
    const found: number[] = []
    for (const { rows } of this.#timers.scanKeyed()) {
      const schema = { ...rows, schema: rows.schema }
      for (const row of columnsToRows(schema)) {
        if (encodeUserKey({ kind: 'row', fields: this.#keySchema.fields }, row) !== wanted) continue
        found.push(Number((row['expiresAt'] as { epochMilliseconds: number }).epochMilliseconds))
      }
    }
    return found.sort((a, b) => a - b)
  }

  /** Ends the run: the processor's close is called. */
  close(): Promise<void> {
    return this.#run.close()
  }

  /** The processor, whose variables this tester knows by name. */
  #remembering(f: ProcessorFunction): ReturnType<ProcessorFunction['create']> {
    const processor = f.create()
    return {
      ...processor,
      init: (handle) =>
        processor.init({
          ...handle,
          declare: (variable) => {
            const state = handle.declare(variable)
            this.#variables.set(variable.name, state)
            return state
          },
        }),
    }
  }

  async #batch(groups: RowGroups): Promise<RowOf<Declared<D>>[]> {
    const output = new CollectedRows(this.#output)
    const initial = this.#initial
    this.#initial = null
    await this.#run.batch({ groups, initial, times: this.#times, query: this.#query, output, failed: null })
    this.#batchId++
    return [...this.#held.splice(0), ...(output.finish().flatMap(columnsToRows) as RowOf<Declared<D>>[])]
  }
  get #times() {
    return { nowMs: this.#processingTimeMs, watermarkMs: this.#watermarkMs }
  }
  get #query() {
    return { queryId: noQuery, runId: noQuery, batchId: this.#batchId }
  }

  async #within<S>(stateName: string, key: InputRow<Declared<K>>, use: (state: S) => unknown): Promise<void> {
    if (this.#initial !== null) this.#held.push(...(await this.#batch(nothing(this.#keySchema))))
    const { keys } = this.#group([key as Row])
    return this.#run.within(keys, this.#times, this.#query, () => {
      const state = this.#variables.get(stateName)
      if (state === undefined)
        throw new InvalidQueryError('STATE_STORE_UNSUPPORTED_OPERATION_ON_MISSING_COLUMN_FAMILY', {
          what: `the processor has no state called "${stateName}"`,
          todo: `there are ${[...this.#variables.keys()].join(', ') || 'none'}`,
        })
      return use(state as S)
    })
  }

  #groupsOf(pairs: readonly (readonly [key: InputRow<Declared<K>>, row: unknown])[]): RowGroups {
    const { keys, groupOf } = this.#group(pairs.map(([key]) => key as Row))
    return {
      keys,
      rowsAt: (index) => pairs.flatMap(([, row], i) => (groupOf[i] === index ? [row as Row] : [])),
      numbersAt: (index) => Uint32Array.from(pairs.keys().filter((i) => groupOf[i] === index)),
    }
  }
  #group(given: readonly Row[]): { readonly keys: KeySet; readonly groupOf: Uint32Array } {
    const batch = rowsToColumns(this.#keySchema, given)
    const ids = new Uint32Array(given.length * 4)
    columnsToRows(batch).forEach((key, i) => {
      ids.set(keyIdOf('', encodeUserKey({ kind: 'row', fields: this.#keySchema.fields }, key)), i * 4)
    })
    const { groupOf, first, distinct } = numberKeys(ids, given.length)
    const columns = batch.columns.map((column) => takeColumn(column, first))
    return { keys: new KeySet(distinct, { schema: this.#keySchema, length: first.length, columns }), groupOf }
  }
}

const keyGroups = 4
const noQuery = '00000000-0000-0000-0000-000000000000'

function nothing(schema: Schema): RowGroups {
  return { keys: new KeySet(new Uint32Array(0), rowsToColumns(schema, [])), rowsAt: () => [], numbersAt: () => new Uint32Array(0) }
}
function backwards(what: string, fromMs: number, toMs: number): InvalidQueryError {
  return new InvalidQueryError('INVALID_TIMER', {
    what: `${what} was set to ${toMs}, and stands at ${fromMs}`,
    todo: 'time goes forward: give milliseconds since 1970 that are not before it',
  })
}
