/** Makes the kernels known to DuckDB. */
import { type Column, columnKind, fixedArray } from '../../data/column-batch.ts'
import type { DataType } from '../../data/types.ts'
import { columnValues, encodeStrings, joinBytes, toPhysical } from '../../data/values.ts'
import { bindings, type DataChunk, type Vector } from '../bindings.ts'
import { logicalType } from '../duck-types.ts'
import { writeNestedVector } from '../nested-values.ts'
import { readColumn } from '../read-vectors.ts'
import { writeVector } from '../write-vectors.ts'
import { charset } from './charsets.ts'
import { csv } from './csv.ts'
import { format } from './format.ts'
import { hash } from './hash.ts'
import { interval } from './interval.ts'
import { json } from './json.ts'
import { type Kernel, KernelError } from './kernel.ts'
import { math } from './math.ts'
import { numberFormat } from './number-format.ts'
import { regexp } from './regexp.ts'
import { text } from './text.ts'
import { url } from './url.ts'

export const kernels: readonly Kernel[] = [
  ...hash,
  ...text,
  ...charset,
  ...regexp,
  ...format,
  ...numberFormat,
  ...url,
  ...json,
  ...csv,
  ...math,
  ...interval,
]

type Connection = Awaited<ReturnType<typeof bindings.connect>>

/** Registers every kernel for all connections of the database. */
export function registerKernels(connection: Connection): void {
  for (const kernel of kernels) {
    const made = bindings.create_scalar_function()
    bindings.scalar_function_set_name(made, kernel.name)
    for (const type of kernel.takes) bindings.scalar_function_add_parameter(made, logicalType(type))
    bindings.scalar_function_set_return_type(made, logicalType(kernel.gives))
    bindings.scalar_function_set_special_handling(made)
    bindings.scalar_function_set_function(made, (info, input, output) => {
      // an exception must not leave a call that DuckDB makes
      try {
        run(kernel, input, output)
      } catch (error) {
        bindings.scalar_function_set_error(info, error instanceof KernelError ? error.message : String(error))
      }
    })
    bindings.register_scalar_function(connection, made)
  }
}

function run(kernel: Kernel, input: DataChunk, output: Vector): void {
  const rows = bindings.data_chunk_get_size(input)
  const chunks = [{ chunk: input, rows }]
  const columns = kernel.takes.map((type, i) => columnValues(readColumn(chunks, i, type, rows), rows))
  const results: unknown[] = new Array(rows)
  const args: unknown[] = new Array(columns.length)
  for (let i = 0; i < rows; i++) {
    let isNull = false
    for (let c = 0; c < columns.length; c++) {
      const value = columns[c]![i]
      if (value === null) isNull = true
      args[c] = value
    }
    results[i] = isNull && !kernel.seesNulls ? null : kernel.run(...args)
  }
  write(output, kernel, results)
}

function write(output: Vector, { gives, name }: Kernel, results: readonly unknown[]): void {
  const rows = results.length
  if (columnKind(gives) === 'values') writeNestedVector(output, gives, results, rows)
  else writeVector(output, columnOf(gives, results), name, 0, rows)
}

/** Results in their physical form; a null is null. */
function columnOf(type: DataType, results: readonly unknown[]): Exclude<Column, { kind: 'values' }> {
  let valid: Uint8Array | null = null
  for (let i = 0; i < results.length; i++) {
    if (results[i] != null) continue
    valid ??= new Uint8Array(results.length).fill(1)
    valid[i] = 0
  }
  if (type === 'string') return { kind: 'bytes', type, valid, ...encodeStrings(results.map((text) => (text ?? '') as string)) }
  if (type === 'binary')
    return { kind: 'bytes', type, valid, ...joinBytes(results.map((bytes) => (bytes ?? new Uint8Array(0)) as Uint8Array)) }
  const data = fixedArray(type, results.length)
  for (let i = 0; i < results.length; i++) if (results[i] != null) data[i] = toPhysical(type, results[i]) as never
  return { kind: 'fixed', type, data, valid }
}
