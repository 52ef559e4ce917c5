import { join } from 'node:path'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { isThere } from '../base/is-there.ts'

const logOf = (folder: string) => join(folder, '_delta_log')

/** Refuses to write plain files into a Delta table: InvalidQueryError DELTA_INVALID_FORMAT, as Delta Lake does. */
export async function refuseDeltaWrite(folder: string, format: string, files: Files): Promise<void> {
  if (!(await isThere(files, logOf(folder)))) return
  throw new InvalidQueryError('DELTA_INVALID_FORMAT', {
    what: `${folder} is a Delta table, and the format is ${format}`,
    todo: "write with format('delta'), or into another folder: files beside the table's are no rows of it, and an overwrite would take its log away",
  })
}

/** Refuses to read a Delta table as plain files, by the same error. */
export async function refuseDeltaRead(folder: string, format: string, files: Files): Promise<void> {
  if (!(await isThere(files, logOf(folder)))) return
  throw new InvalidQueryError('DELTA_INVALID_FORMAT', {
    what: `${folder} is a Delta table, and the format is ${format}`,
    todo: "read it with format('delta'): its log says which of the files count, and some hold rows that were deleted or replaced. A pattern (table/*.parquet) reads the files as such",
  })
}
