import { InvalidQueryError, MillraceError, UserFunctionError } from '../base/errors.ts'
import { type Column, type ColumnBatch, columnKind, type FixedArray, fixedArray, sliceRows } from '../data/column-batch.ts'
import { typeText } from '../data/types.ts'
import type { UserFunction } from '../data/user-function.ts'
import { columnValues, valuesToColumn } from '../data/values.ts'
import { endsInTime } from './call-timeout.ts'
import { CallsInFlight } from './calls-in-flight.ts'

/** A call whose arguments are columns of a batch. */
export interface CallOverColumns {
  readonly function: UserFunction
  readonly args: readonly number[]
  /** The arguments as the user wrote them. */
  readonly texts: readonly string[]
}

/** Rows for which a call has failed, by their number. */
export type FailedRows = Map<number, MillraceError>

/** How a call is made for the rows of a batch. */
export interface CallSettings {
  readonly nullable: boolean
  /** Where rows go for which a function of single rows fails, their results being null; null: the first one is thrown. A function over columns fails for all rows or none. */
  readonly failed: FailedRows | null
  /** StepContext.checkStop */
  readonly checkStop: () => void
}

/** The results of a call for all rows of the batch. UserFunctionError (of a function of Millrace's own InvalidQueryError) names the function and the row's arguments: of several rows, the first one. */
export async function callUserFunction(call: CallOverColumns, batch: ColumnBatch, settings: CallSettings): Promise<Column> {
  const { body } = call.function
  const args = call.args.map((index) => batch.columns[index]!)
  return body.kind === 'columns' ? callOnce(call, body.call, args, batch.length) : callRows(call, args, batch.length, settings)
}

/** Whether calls are made for some rows at a time, in any order, and again where a statement runs again: what gives the same results for the same arguments, at once. */
export function isForStatements({ body, deterministic, isOwn }: UserFunction): boolean {
  if (body.kind !== 'rows' || !deterministic || isOwn === true || body.timeoutMs !== null) return false
  return !(body.call instanceof AsyncFunction) && !givePromises.has(body.call)
}
const AsyncFunction = (async () => {}).constructor as new () => object
/** Functions that have given a promise though they are not declared to. */
const givePromises = new WeakSet<object>()

/** As callUserFunction, of a call over all columns of some rows; null where the function gives a promise. */
export function callInStatement(call: CallOverColumns, args: readonly Column[], length: number, nullable: boolean): Column | null {
  const { function: f } = call
  const values = args.map((column) => columnValues(column, length))
  const callRow = rowCall(f, values)
  const rowArgs = (row: number) => values.map((column) => column[row])
  const results: unknown[] = new Array(length)
  for (let row = 0; row < length; row++) {
    if (f.skipNulls && hasNull(values, row)) {
      results[row] = null
      continue
    }
    let result: unknown
    try {
      result = callRow(row)
    } catch (cause) {
      throw thrown(call, rowArgs(row), cause)
    }
    if (isThenable(result)) {
      result.then(undefined, () => {}) // it is asked again, and fails then
      givePromises.add(f.body.call)
      return null
    }
    results[row] = result
  }
  return resultColumn(call, results, rowArgs, nullable)
}

// ---- a call a row

/** So many rows go without letting other work of the process run; their arguments are values for as long, and cost the collector of garbage nothing after. */
const rowsATurn = 16_384

async function callRows(
  call: CallOverColumns,
  args: readonly Column[],
  length: number,
  { nullable, failed, checkStop }: CallSettings,
): Promise<Column> {
  const { function: f } = call
  const valuesOf = (from: number, to: number) => args.map((column) => columnValues(sliceRows(column, from, to), to - from))
  const results: unknown[] = new Array(length)
  const rowArgs = (row: number) => valuesOf(row, row + 1).map(([value]) => value)
  const { concurrency } = f.body as { readonly concurrency: number }
  const inFlight = new CallsInFlight(checkStop)
  const refuse = (row: number, error: unknown): null => {
    const isOfRow = error instanceof UserFunctionError || (f.isOwn === true && error instanceof InvalidQueryError)
    if (failed === null || !isOfRow) throw error
    failed.set(row, error)
    return null
  }
  let values: readonly (readonly unknown[])[] = []
  let callRow = rowCall(f, values)
  let from = 0
  for (let row = 0; row < length && !inFlight.hasFailed; row++) {
    if (row % rowsATurn === 0) {
      if (row > 0) {
        await new Promise((resolve) => setImmediate(resolve))
        inFlight.lookForStop()
      }
      from = row
      values = valuesOf(from, Math.min(from + rowsATurn, length))
      callRow = rowCall(f, values)
    }
    if (f.skipNulls && hasNull(values, row - from)) {
      results[row] = null
      continue
    }
    try {
      const result = callRow(row - from)
      if (!isThenable(result)) {
        results[row] = result
        continue
      }
      inFlight.add(
        settle(call, rowArgs(row), result)
          .catch((error: unknown) => refuse(row, error))
          .then((value) => {
            results[row] = value
          }),
      )
    } catch (cause) {
      try {
        results[row] = refuse(row, thrown(call, rowArgs(row), cause))
      } catch (error) {
        inFlight.failed(error)
      }
    }
    if (inFlight.count >= concurrency) await inFlight.oneEnds()
  }
  await inFlight.finish()
  if (failed === null) return resultColumn(call, results, rowArgs, nullable)
  for (const [row, result] of results.entries()) {
    if (failed.has(row)) continue
    try {
      resultColumn(call, [result], () => rowArgs(row), nullable)
    } catch (error) {
      results[row] = refuse(row, error)
    }
  }
  return resultColumn(call, results, rowArgs, true)
}

/** The function of a row's number: a list of arguments a row costs as much as a short function. */
function rowCall({ body }: UserFunction, values: readonly (readonly unknown[])[]): (row: number) => unknown {
  const call = body.call as (...args: unknown[]) => unknown
  const [first, second] = values
  if (values.length === 1) return (row) => call(first![row])
  if (values.length === 2) return (row) => call(first![row], second![row])
  return (row) => call(...values.map((column) => column[row]))
}
function hasNull(values: readonly (readonly unknown[])[], row: number): boolean {
  for (const column of values) if (column[row] === null) return true
  return false
}

async function settle(call: CallOverColumns, args: readonly unknown[], result: PromiseLike<unknown>): Promise<unknown> {
  try {
    return await endsInTime(result, call.function.body.timeoutMs, () => `the user function ${callText(call, args)}`)
  } catch (cause) {
    throw thrown(call, args, cause)
  }
}
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

function resultColumn(
  call: CallOverColumns,
  results: readonly unknown[],
  rowArgs: (row: number) => readonly unknown[],
  nullable: boolean,
): Column {
  const { name, returnType } = call.function
  try {
    return valuesToColumn({ name: 'value', type: returnType, nullable }, results)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    const row = Number(/rows\[(\d+)\]/.exec(error.what)?.[1] ?? 0)
    throw new UserFunctionError('UDF_RETURN_TYPE', {
      what: `the user function ${callText(call, rowArgs(row))} gave ${shown(results[row])}, which is no ${nullable ? '' : 'non-null '}${typeText(returnType)}: ${error.what.replace(/rows\[\d+\]\.value/, 'the result')}`,
      todo: `return what the type of ${name} says, or declare another type; .nullable() allows null`,
      cause: error,
    })
  }
}

// ---- a call a batch

async function callOnce(
  call: CallOverColumns,
  body: (...args: unknown[]) => unknown,
  args: readonly Column[],
  length: number,
): Promise<Column> {
  let result: unknown
  try {
    result = body(...args.map((column) => vectorOf(column, length)), length)
    if (isThenable(result))
      result = await endsInTime(result, call.function.body.timeoutMs, () => `the user function ${call.function.name} over ${length} rows`)
  } catch (cause) {
    throw thrown(call, [], cause, `${length} rows`)
  }
  return columnOf(call, result, length)
}

/** What a function over columns gets: fixed types as a typed array, others as an array of values; `valid` has a 0 where a value is null. */
function vectorOf(column: Column, length: number): { values: unknown; valid: Uint8Array | null; length: number } {
  if (column.kind === 'fixed') return { values: column.data.subarray(0, length), valid: column.valid?.subarray(0, length) ?? null, length }
  const values = columnValues(column, length)
  let valid: Uint8Array | null = null
  for (let i = 0; i < length; i++) {
    if (values[i] !== null) continue
    valid ??= new Uint8Array(length).fill(1)
    valid[i] = 0
  }
  return { values, valid, length }
}

function columnOf(call: CallOverColumns, result: unknown, length: number): Column {
  const { returnType: type, nullable } = call.function
  const given = Array.isArray(result) || ArrayBuffer.isView(result) ? { values: result } : (result as { values?: unknown; valid?: unknown })
  const values = given?.values as ArrayLike<unknown> | undefined
  const valid = (given as { valid?: Uint8Array | null })?.valid ?? null
  if (values === undefined || values === null || values.length !== length || (valid !== null && valid.length !== length)) {
    throw wrongResult(call, `${values?.length === undefined ? `a ${typeof result}` : `${values.length} values`} for ${length} rows`)
  }
  if (valid !== null && !nullable && valid.includes(0)) throw wrongResult(call, 'a null, which its type does not allow')
  if (columnKind(type) === 'fixed' && ArrayBuffer.isView(values)) {
    if (fixedArray(type, 0).constructor !== (values as object).constructor)
      throw wrongResult(call, `a ${(values as object).constructor.name} for values of type ${typeText(type)}`)
    return { kind: 'fixed', type, data: values as unknown as FixedArray, valid }
  }
  const results = Array.from({ length }, (_, i) => (valid !== null && valid[i] === 0 ? null : values[i]))
  return resultColumn(call, results, () => [], nullable)
}

// ---- errors

function thrown(call: CallOverColumns, args: readonly unknown[], cause: unknown, over?: string): MillraceError {
  if (call.function.isOwn === true && cause instanceof MillraceError) {
    // a server that does not answer is no row's fault
    if (!(cause instanceof InvalidQueryError)) return cause
    const { code, what, todo } = cause
    return new InvalidQueryError(code, { what: `${what} (in ${callText(call, args)})`, todo, cause })
  }
  if (cause instanceof UserFunctionError) return cause
  return new UserFunctionError('FAILED_EXECUTE_UDF', {
    what: `the user function ${over === undefined ? callText(call, args) : `${call.function.name} over ${over}`} threw: ${bounded(cause instanceof Error ? cause.message : String(cause), 500)}`,
    todo: 'see the cause; the batch is not committed, and is run again when the query is started again',
    cause,
  })
}
function wrongResult(call: CallOverColumns, gave: string): UserFunctionError {
  return new UserFunctionError('UDF_RETURN_TYPE', {
    what: `the user function ${call.function.name} gave ${gave}`,
    todo: 'return a typed array (or an array of values) with one element a row, or { values, valid } where there are nulls',
  })
}

const maxArguments = 10
/** `cents(price = 1.5, name = "ann")`, with long values cut. */
function callText({ function: f, texts }: CallOverColumns, args: readonly unknown[]): string {
  const named = args.slice(0, maxArguments).map((value, i) => (texts[i] === undefined ? shown(value) : `${texts[i]} = ${shown(value)}`))
  return `${f.name}(${named.join(', ')}${args.length > maxArguments ? ', …' : ''})`
}
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(bounded(value, 80))
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (typeof value === 'object' && value !== null && (Array.isArray(value) || value.constructor === Object || value instanceof Map))
    return bounded(
      JSON.stringify(value instanceof Map ? [...value] : value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner)),
      80,
    )
  return bounded(String(value), 80)
}
function bounded(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`
}
