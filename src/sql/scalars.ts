import { bindings, type Result } from './bindings.ts'

/** The one number that a statement gives. */
export function numberOf(result: Result): number {
  const bytes = bindings.vector_get_data(bindings.data_chunk_get_vector(bindings.result_get_chunk(result, 0), 0), 8)
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true))
}
